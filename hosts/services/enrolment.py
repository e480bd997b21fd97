"""Taking a host in: rows first, then a job that looks at the machine."""

from collections.abc import Mapping

from django.conf import settings
from django.db import transaction

from hosts.drivers.types import PoolInfo
from hosts.models import Host, HostConnection, StoragePool
from hosts.services.jobs import host_job
from panel.core import events
from panel.core.actors import Actor
from panel.core.audit import audit_record
from panel.core.host_slots import EVERY_JOB
from panel.core.models import HostSlot, Job
from panel.core.units import GIB

# How many jobs a host bears at once: of all kinds, half of the workers, so that the others have the rest when it hangs;
# and of the kinds that are heavy, wait for a guest to go down (power), or follow the host's own restart (boot).
SLOTS = {EVERY_JOB: 4, "build": 4, "copy": 1, "power": 3, "boot": 3}


@transaction.atomic
def host_enrol(
    *,
    actor: Actor,
    name: str,
    uris: Mapping[str, str],
    pool_path: str,
    driver: str = "libvirt",
    location: str = "default",
    address: str = "",
) -> tuple[Host, Job | None]:
    """Add a host (or bring a known one's connections up to date) and let a job look at it.

    ``uris`` maps a host type to its connection URI. A host is known by one of them, and keeps the name it has in the
    panel; otherwise by its name. Repeating it is harmless. Returns no job when one is already at work on the host.
    """
    host = _known(uris)
    created = False
    if host is None:
        host, created = Host.objects.get_or_create(name=name, defaults={"location": location, "address": address})
    if address and host.address != address:
        host.address = address
        host.save(update_fields=["address"])
    for host_type, uri in uris.items():
        HostConnection.objects.update_or_create(
            host=host, host_type=host_type, defaults={"uri": uri, "driver": driver, "enabled": True}
        )
    StoragePool.objects.get_or_create(
        host=host, name=f"innkeeper-{settings.INSTANCE_ID}-{host.pk.hex[:8]}", defaults={"path": pool_path}
    )
    for kind, count in SLOTS.items():
        for number in range(count):
            HostSlot.objects.get_or_create(host_id=host.pk, kind=kind, number=number)
    if created:
        audit_record(actor=actor, action="host.enrolled", object_type="host", object_id=host.pk, object_label=host.name)
    events.publish("host", host.pk)
    return host, host_job(actor=actor, host=host, action="host.check")


def _known(uris: Mapping[str, str]) -> Host | None:
    """Return the host that is reached by one of these URIs already."""
    for host_type, uri in uris.items():
        found = HostConnection.objects.filter(host_type=host_type, uri=uri).select_related("host").first()
        if found is not None:
            return found.host
    return None


def limits_recompute(host: Host) -> None:
    """Set what may be sold from what the host has; never below what is sold already."""
    host.limit_vcpus = max(host.used_vcpus, int(host.cpus * host.cpu_overcommit))
    sellable_mib = int(max(0, host.memory_mib - host.memory_reserve_mib) * host.memory_overcommit)
    host.limit_memory_mib = max(host.used_memory_mib, sellable_mib)


def pool_measured(*, pool: StoragePool, info: PoolInfo) -> None:
    """Write down a pool's size and what may be sold of it. Called in a transaction."""
    row = StoragePool.objects.select_for_update().get(pk=pool.pk)
    row.capacity_bytes, row.available_bytes = info.capacity_bytes, info.available_bytes
    row.limit_gib = pool_limit(row)
    row.save(update_fields=["capacity_bytes", "available_bytes", "limit_gib"])


def pool_limit(pool: StoragePool) -> int:
    """Return the GiB that may be sold of a pool: its capacity times its over-commit, thin volumes."""
    return max(pool.used_gib, int(pool.capacity_bytes * pool.overcommit / GIB))
