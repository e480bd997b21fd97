"""Writing down what a host says of itself."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings

from hosts.drivers.types import HostLoad, PoolInfo
from hosts.models import Host, HostConnection, StoragePool
from panel.core import events


def connection_seen(*, connection: HostConnection, at: datetime, boot_id: str = "") -> None:
    """A hypervisor answered what it was asked ``at``. ``boot_id`` is its host's, "" where it could not be read."""
    known = HostConnection.objects.filter(pk=connection.pk)
    recovered = known.exclude(last_error="").update(last_error="")
    known.exclude(last_seen_at__gt=at).update(last_seen_at=at)
    _host_follow(connection.host_id)
    restarted = boot_id and Host.objects.filter(pk=connection.host_id).exclude(boot_id=boot_id).update(boot_id=boot_id)
    if recovered or restarted:
        events.publish("host", connection.host_id)


def connection_silent(*, connection: HostConnection, error: str, at: datetime) -> None:
    """A hypervisor did not answer what it was asked ``at``; one that was seen later has."""
    rows = HostConnection.objects.filter(pk=connection.pk).exclude(last_seen_at__gt=at)
    if rows.exclude(last_error=error).update(last_error=error):
        _host_follow(connection.host_id)
        events.publish("host", connection.host_id)


def _host_follow(host_id: UUID) -> None:
    """A host has what its hypervisors have: all their errors, and seen when the one that is silent longest was.

    While one of them never was seen, the host was not.
    """
    connections = list(HostConnection.objects.filter(host_id=host_id, enabled=True).order_by("host_type"))
    seen = [one.last_seen_at for one in connections if one.last_seen_at is not None]
    errors = {one.last_error for one in connections}
    each = [f"{one.host_type.upper()}: {one.last_error}" for one in connections if one.last_error]
    Host.objects.filter(pk=host_id).update(
        last_seen_at=min(seen) if seen and len(seen) == len(connections) else None,
        last_error=errors.pop() if len(errors) == 1 else " ".join(each),
    )


def load_record(*, host_id: UUID, load: HostLoad, at: datetime) -> None:
    """Turn two readings of the counters into percentages; the first one only starts the series.

    A reading soon after another (each hypervisor of the host gives one) says nothing and is left out.
    """
    host = Host.objects.get(pk=host_id)
    before = host.load_sample or {}
    if before and at - datetime.fromisoformat(before["at"]) < timedelta(seconds=settings.COLLECT_EVERY_S / 2):
        return
    busy_ns = load.cpu_busy_ns - before.get("busy_ns", load.cpu_busy_ns)
    total_ns = load.cpu_total_ns - before.get("total_ns", load.cpu_total_ns)
    percent = 100 * busy_ns / total_ns if total_ns > 0 and busy_ns >= 0 else None
    Host.objects.filter(pk=host_id).update(
        load_sample={"busy_ns": load.cpu_busy_ns, "total_ns": load.cpu_total_ns, "at": at.isoformat()},
        load_cpu_percent=percent if percent is not None else host.load_cpu_percent,
        load_memory_percent=100 * load.memory_used_mib / max(1, load.memory_total_mib),
    )


def pools_record(fills: Iterable[tuple[StoragePool, PoolInfo]]) -> None:
    """Write the pools' fill."""
    for pool, info in fills:
        StoragePool.objects.filter(pk=pool.pk).update(
            available_bytes=info.available_bytes, capacity_bytes=info.capacity_bytes
        )
