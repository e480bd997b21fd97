"""Guests know under which boot of their host they ran; what only the collector notes does not raise the version."""

from django.db import migrations, models

TOUCH = """
DROP TRIGGER innkeeper_touch ON vms_guest;
CREATE TRIGGER innkeeper_touch BEFORE UPDATE ON vms_guest FOR EACH ROW
    EXECUTE FUNCTION innkeeper_touch('observed_at', 'seen_boot_id', 'off_since', 'version', 'updated_at');
"""


class Migration(migrations.Migration):
    dependencies = [("vms", "0006_before_rebuild")]
    operations = [
        migrations.AddField(
            model_name="guest", name="seen_boot_id", field=models.CharField(blank=True, default="", max_length=64),
            preserve_default=False,
        ),
        migrations.RunSQL(TOUCH, migrations.RunSQL.noop),
    ]
