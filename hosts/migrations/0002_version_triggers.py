"""Versions rise with every change that people can see."""

from django.db import migrations

TOUCH = """
CREATE TRIGGER innkeeper_touch BEFORE UPDATE ON hosts_host FOR EACH ROW
    EXECUTE FUNCTION innkeeper_touch('last_seen_at', 'load_sample', 'load_cpu_percent', 'load_memory_percent', 'version', 'updated_at');
CREATE TRIGGER innkeeper_touch BEFORE UPDATE ON hosts_storagepool FOR EACH ROW
    EXECUTE FUNCTION innkeeper_touch('available_bytes', 'version', 'updated_at');
CREATE TRIGGER innkeeper_touch BEFORE UPDATE ON hosts_network FOR EACH ROW
    EXECUTE FUNCTION innkeeper_touch('version', 'updated_at');
CREATE TRIGGER innkeeper_touch BEFORE UPDATE ON hosts_image FOR EACH ROW
    EXECUTE FUNCTION innkeeper_touch('version', 'updated_at');
"""


class Migration(migrations.Migration):
    dependencies = [("hosts", "0001_initial"), ("core", "0002_triggers_and_partitions")]
    operations = [migrations.RunSQL(TOUCH, migrations.RunSQL.noop)]
