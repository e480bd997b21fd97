"""Writing down what a host says of itself."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection as database

from hosts.drivers.types import HostLoad, PoolInfo
from hosts.models import Host, HostConnection, StoragePool
from panel.core import events
from panel.core.host_slots import silence_note, silence_over

_SEEN = """
UPDATE hosts_hostconnection c SET last_seen_at = %s, last_error = ''
FROM (SELECT id, last_error <> '' AS had_error FROM hosts_hostconnection WHERE id = %s FOR UPDATE) old
WHERE c.id = old.id AND (c.last_seen_at IS NULL OR c.last_seen_at <= %s)
RETURNING old.had_error
"""


def host_seen(*, connection: HostConnection, at: datetime, boot_id: str = "", load: HostLoad | None = None) -> None:
    """A hypervisor answered what it was asked ``at``: in three statements, because this happens every few seconds.

    ``boot_id`` is its host's, "" where it could not be read; ``load`` None likewise.
    """
    with database.cursor() as cursor:
        cursor.execute(_SEEN, [at, connection.pk, at])
        recovered = any(had_error for (had_error,) in cursor.fetchall())
    known = Host.objects.only("boot_id", "load_sample", "load_cpu_percent").get(pk=connection.host_id)
    changed = {"boot_id": boot_id} if boot_id and boot_id != known.boot_id else {}
    _host_update(connection.host_id, {**changed, **_load(known, load, at)})
    if recovered or changed:
        events.publish("host", connection.host_id)


def connection_silent(*, connection: HostConnection, error: str, at: datetime) -> None:
    """A hypervisor did not answer what it was asked ``at``; one that was seen later has."""
    rows = HostConnection.objects.filter(pk=connection.pk).exclude(last_seen_at__gt=at)
    if rows.exclude(last_error=error).update(last_error=error):
        _host_update(connection.host_id, {})
        events.publish("host", connection.host_id)


def _host_update(host_id: UUID, fields: dict[str, Any]) -> None:
    """Write these fields, and that a host has what its hypervisors have. Its jobs keep few workers while one is silent.

    All their errors, and seen when the one that is silent longest was; while one never was seen, the host was not.
    """
    rows = HostConnection.objects.filter(host_id=host_id, enabled=True).order_by("host_type")
    connections = list(rows.values_list("host_type", "last_seen_at", "last_error"))
    seen = [at for _, at, _ in connections if at is not None]
    errors = {error for *_, error in connections}
    each = [f"{host_type.upper()}: {error}" for host_type, _, error in connections if error]
    Host.objects.filter(pk=host_id).update(
        last_seen_at=min(seen) if seen and len(seen) == len(connections) else None,
        last_error=errors.pop() if len(errors) == 1 else " ".join(each),
        **fields,
    )
    if each:
        silence_note(host_id)
    else:
        silence_over(host_id)


def _load(host: Host, load: HostLoad | None, at: datetime) -> dict[str, Any]:
    """Turn two readings of the counters into percentages; the first one only starts the series.

    A reading soon after another (each hypervisor of the host gives one) says nothing and is left out.
    """
    before = host.load_sample or {}
    soon = timedelta(seconds=settings.COLLECT_EVERY_S / 2)
    if load is None or (before and at - datetime.fromisoformat(before["at"]) < soon):
        return {}
    busy_ns = load.cpu_busy_ns - before.get("busy_ns", load.cpu_busy_ns)
    total_ns = load.cpu_total_ns - before.get("total_ns", load.cpu_total_ns)
    percent = 100 * busy_ns / total_ns if total_ns > 0 and busy_ns >= 0 else None
    return {
        "load_sample": {"busy_ns": load.cpu_busy_ns, "total_ns": load.cpu_total_ns, "at": at.isoformat()},
        "load_cpu_percent": percent if percent is not None else host.load_cpu_percent,
        "load_memory_percent": 100 * load.memory_used_mib / max(1, load.memory_total_mib),
    }


def pools_record(fills: Iterable[tuple[StoragePool, PoolInfo]]) -> None:
    """Write the pools' fill."""
    for pool, info in fills:
        StoragePool.objects.filter(pk=pool.pk).update(
            available_bytes=info.available_bytes, capacity_bytes=info.capacity_bytes
        )
