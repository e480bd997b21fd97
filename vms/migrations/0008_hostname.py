"""A guest keeps the host name that it was built with when its name in the panel changes."""

from django.db import migrations, models

FILL = "UPDATE vms_guest SET hostname = name"


class Migration(migrations.Migration):
    dependencies = [("vms", "0007_seen_boot_id")]
    operations = [
        migrations.AddField(
            model_name="guest", name="hostname", field=models.CharField(default="", max_length=63),
            preserve_default=False,
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
