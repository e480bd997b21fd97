"""Hosts get slots for jobs that wait for a guest to go down."""

from django.db import migrations

ADD = """
INSERT INTO core_hostslot (host_id, kind, number)
SELECT host.id, 'power', n FROM hosts_host host, generate_series(0, 2) n
WHERE EXISTS (SELECT 1 FROM core_hostslot s WHERE s.host_id = host.id)
ON CONFLICT DO NOTHING;
"""


class Migration(migrations.Migration):
    dependencies = [("hosts", "0002_version_triggers"), ("core", "0003_customer_deleted_at")]
    operations = [migrations.RunSQL(ADD, migrations.RunSQL.noop)]
