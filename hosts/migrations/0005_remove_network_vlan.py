"""A network has no VLAN until a driver puts guests into one."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("hosts", "0004_job_slots")]
    operations = [migrations.RemoveField("network", "vlan")]
