"""Hosts get slots for the starts that follow their own."""

from django.db import migrations

ADD = """
INSERT INTO core_hostslot (host_id, kind, number)
SELECT host.id, 'boot', n FROM hosts_host host, generate_series(0, 2) n
WHERE EXISTS (SELECT 1 FROM core_hostslot s WHERE s.host_id = host.id)
ON CONFLICT DO NOTHING;
"""


class Migration(migrations.Migration):
    dependencies = [("hosts", "0005_remove_network_vlan"), ("core", "0003_customer_deleted_at")]
    operations = [migrations.RunSQL(ADD, migrations.RunSQL.noop)]
