"""Writing down what a host says of itself."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import connection as database

from hosts.drivers.types import HostLoad, PoolInfo
from hosts.models import HostConnection, StoragePool
from panel.core import events
from panel.core.clock import not_in_future
from panel.core.host_slots import silence_note, silence_over

_SEEN = """
UPDATE hosts_hostconnection c SET last_seen_at = %s, last_error = ''
FROM (SELECT id, last_error <> '' AS had_error FROM hosts_hostconnection WHERE id = %s FOR UPDATE) old
WHERE c.id = old.id AND (c.last_seen_at IS NULL OR c.last_seen_at <= %s)
RETURNING old.had_error
"""
_KNOWN = "SELECT boot_id, load_sample FROM hosts_host WHERE id = %s"
# A host has what its hypervisors have: all their errors, and seen when the one that is silent longest was; while one
# never was seen, the host was not. What is NULL of the rest stays as it is.
_HOST = """
UPDATE hosts_host h SET last_seen_at = c.seen_at, last_error = c.error, boot_id = COALESCE(%s, h.boot_id),
       load_sample = COALESCE(%s::jsonb, h.load_sample), load_cpu_percent = COALESCE(%s, h.load_cpu_percent),
       load_memory_percent = COALESCE(%s, h.load_memory_percent)
FROM (
    SELECT CASE WHEN bool_and(last_seen_at IS NOT NULL) THEN min(last_seen_at) END AS seen_at,
           CASE WHEN count(DISTINCT last_error) = 1 THEN min(last_error) ELSE COALESCE(string_agg(
               upper(host_type) || ': ' || last_error, ' ' ORDER BY host_type) FILTER (WHERE last_error <> ''), '')
           END AS error
    FROM hosts_hostconnection WHERE host_id = %s AND enabled
) c
WHERE h.id = %s
RETURNING h.last_error <> '', EXISTS (SELECT 1 FROM core_silenthost s WHERE s.host_id = h.id)
"""
_FILLS = """
UPDATE hosts_storagepool p SET available_bytes = c.available, capacity_bytes = c.capacity
FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[]) AS c(id, available, capacity)
WHERE p.id = c.id AND (p.available_bytes, p.capacity_bytes) IS DISTINCT FROM (c.available, c.capacity)
"""


_SEEN_AT = (
    ("hosts_hostconnection", "last_seen_at"),
    ("hosts_host", "last_seen_at"),
    ("hosts_livecollector", "seen_at"),
)


class _Load(NamedTuple):
    """What a host's load becomes; None leaves what is known."""

    sample: dict[str, Any] | None = None
    cpu_percent: float | None = None
    memory_percent: float | None = None


def host_seen(*, connection: HostConnection, at: datetime, boot_id: str = "", load: HostLoad | None = None) -> None:
    """A hypervisor answered what it was asked ``at``: in three plain statements, because this happens all the time.

    ``boot_id`` is its host's, "" where it could not be read; ``load`` None likewise.
    """
    recovered = any(had_error for (had_error,) in _rows(_SEEN, [at, connection.pk, at]))
    ((known_boot_id, sample),) = _rows(_KNOWN, [connection.host_id])
    rebooted = boot_id not in ("", known_boot_id)
    before = json.loads(sample) if sample else {}
    _host_update(connection.host_id, boot_id=boot_id or None, load=_load(before, load, at))
    if recovered or rebooted:
        events.publish("host", connection.host_id)


def connection_silent(*, connection: HostConnection, error: str, at: datetime) -> None:
    """A hypervisor did not answer what it was asked ``at``; one that was seen later has."""
    rows = HostConnection.objects.filter(pk=connection.pk).exclude(last_seen_at__gt=at)
    if rows.exclude(last_error=error).update(last_error=error):
        _host_update(connection.host_id)
        events.publish("host", connection.host_id)


def seen_not_in_future() -> int:
    """After the database's clock was set back hosts and collectors were not seen in the future. Returns how many were.

    What hosts answer is written again, and the hosts of a collector that is dead are free when its lease is over.
    """
    return not_in_future(_SEEN_AT)


def _host_update(host_id: UUID, *, boot_id: str | None = None, load: _Load | None = None) -> None:
    """Write what is new of a host, and that it has what its hypervisors have. A silent one's jobs keep few workers."""
    load = load or _Load()
    sample = json.dumps(load.sample) if load.sample else None
    written = _rows(_HOST, [boot_id, sample, load.cpu_percent, load.memory_percent, host_id, host_id])
    for is_silent, noted in written:
        if is_silent:
            silence_note(host_id)
        elif noted:
            silence_over(host_id)


def _rows(statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    with database.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


def _load(before: dict[str, Any], load: HostLoad | None, at: datetime) -> _Load:
    """Turn two readings of the counters into percentages; the first one only starts the series.

    A reading soon after another (each hypervisor of the host gives one) says nothing and is left out.
    """
    soon = timedelta(seconds=settings.COLLECT_EVERY_S / 2)
    if load is None or (before and abs(at - datetime.fromisoformat(before["at"])) < soon):
        return _Load()
    busy_ns = load.cpu_busy_ns - before.get("busy_ns", load.cpu_busy_ns)
    total_ns = load.cpu_total_ns - before.get("total_ns", load.cpu_total_ns)
    return _Load(
        sample={"busy_ns": load.cpu_busy_ns, "total_ns": load.cpu_total_ns, "at": at.isoformat()},
        cpu_percent=100 * busy_ns / total_ns if total_ns > 0 and busy_ns >= 0 else None,
        memory_percent=100 * load.memory_used_mib / max(1, load.memory_total_mib),
    )


def pools_record(fills: Iterable[tuple[StoragePool, PoolInfo]]) -> None:
    """Write the pools' fill: all that has changed in one statement."""
    values = [(pool.pk, info.available_bytes, info.capacity_bytes) for pool, info in fills]
    if values:
        with database.cursor() as cursor:
            cursor.execute(_FILLS, [list(column) for column in zip(*values, strict=True)])
