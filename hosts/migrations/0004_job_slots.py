"""Hosts get slots that every job on them takes."""

from django.db import migrations

ADD = """
INSERT INTO core_hostslot (host_id, kind, number)
SELECT host.id, 'job', n FROM hosts_host host, generate_series(0, 3) n
WHERE EXISTS (SELECT 1 FROM core_hostslot s WHERE s.host_id = host.id)
ON CONFLICT DO NOTHING;
"""


class Migration(migrations.Migration):
    dependencies = [("hosts", "0003_power_slots")]
    operations = [migrations.RunSQL(ADD, migrations.RunSQL.noop)]
