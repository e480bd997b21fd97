"""Versions rise with every change that people can see."""

from django.db import migrations

TOUCH = """
CREATE TRIGGER innkeeper_touch BEFORE UPDATE ON vms_guest FOR EACH ROW
    EXECUTE FUNCTION innkeeper_touch('observed_at', 'version', 'updated_at');
"""


class Migration(migrations.Migration):
    dependencies = [("vms", "0001_initial"), ("core", "0002_triggers_and_partitions")]
    operations = [migrations.RunSQL(TOUCH, migrations.RunSQL.noop)]
