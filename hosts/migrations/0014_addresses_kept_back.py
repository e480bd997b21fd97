"""Addresses that their network does not hand out are not free: servers that were taken over had left them behind."""

import ipaddress
from typing import Any

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def kept_back_remove(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    """Remove the free IPv4 rows that are the network's own address, its broadcast address, its gateway or reserved."""
    addresses = apps.get_model("hosts", "IPAddress").objects.filter(family=4, owner_id__isnull=True)
    for network in apps.get_model("hosts", "Network").objects.all():
        never = _never(network)
        free = addresses.filter(network=network).values_list("pk", "address")
        addresses.filter(pk__in=[pk for pk, address in free if address in never]).delete()


def _never(network: Any) -> set[str]:
    ends = ipaddress.IPv4Network(network.cidr_v4) if network.cidr_v4 else None
    both = {str(ends.network_address), str(ends.broadcast_address)} if ends else set()
    return {*both, str(network.gateway_v4), *network.reserved}


class Migration(migrations.Migration):
    dependencies = [("hosts", "0013_volumes_by_path")]
    operations = [migrations.RunPython(kept_back_remove, migrations.RunPython.noop)]
