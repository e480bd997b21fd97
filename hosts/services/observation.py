"""Writing down what a host says of itself."""

from datetime import datetime
from uuid import UUID

from django.utils import timezone

from hosts.drivers.types import HostLoad, PoolInfo
from hosts.models import Host, HostConnection, StoragePool
from panel.core import events


def connection_seen(*, connection: HostConnection, at: datetime, boot_id: str = "") -> None:
    """A hypervisor answered. ``boot_id`` is its host's, "" where it could not be read."""
    recovered = bool(connection.last_error)
    HostConnection.objects.filter(pk=connection.pk).update(last_seen_at=at, last_error="")
    Host.objects.filter(pk=connection.host_id).update(last_seen_at=at, last_error="")
    restarted = boot_id and Host.objects.filter(pk=connection.host_id).exclude(boot_id=boot_id).update(boot_id=boot_id)
    if recovered or restarted:
        events.publish("host", connection.host_id)


def connection_silent(*, connection: HostConnection, error: str) -> None:
    """A hypervisor did not answer."""
    if connection.last_error != error:
        HostConnection.objects.filter(pk=connection.pk).update(last_error=error)
        Host.objects.filter(pk=connection.host_id).update(last_error=error)
        events.publish("host", connection.host_id)


def load_record(*, host_id: UUID, load: HostLoad) -> None:
    """Turn two readings of the counters into percentages; the first one only starts the series."""
    host = Host.objects.get(pk=host_id)
    before = host.load_sample or {}
    busy_ns = load.cpu_busy_ns - before.get("busy_ns", load.cpu_busy_ns)
    total_ns = load.cpu_total_ns - before.get("total_ns", load.cpu_total_ns)
    percent = 100 * busy_ns / total_ns if total_ns > 0 and busy_ns >= 0 else None
    Host.objects.filter(pk=host_id).update(
        load_sample={"busy_ns": load.cpu_busy_ns, "total_ns": load.cpu_total_ns, "at": timezone.now().isoformat()},
        load_cpu_percent=percent if percent is not None else host.load_cpu_percent,
        load_memory_percent=100 * load.memory_used_mib / max(1, load.memory_total_mib),
    )


def pool_record(*, pool: StoragePool, info: PoolInfo) -> None:
    """Write a pool's fill."""
    StoragePool.objects.filter(pk=pool.pk).update(
        available_bytes=info.available_bytes, capacity_bytes=info.capacity_bytes
    )
