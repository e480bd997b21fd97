"""Guests and hosts that have used something, as a collector sees them."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from hosts.drivers.types import DomainInfo, DomainUsage, HostLoad, PowerState
from hosts.usage.kinds import Kind

MIB = 1024**2


def at(seconds: float, *, start: datetime) -> datetime:
    """Return a moment, counted from ``start``."""
    return datetime.fromtimestamp(start.timestamp() + seconds, UTC)


def domain(guest_id: uuid.UUID, *, seconds: float, vcpus: int = 1, **usage: int | None) -> DomainInfo:
    """A domain that has kept half of its processors busy and sent 1,000 bytes a second for ``seconds``."""
    values: dict[str, Any] = {
        "cpu_time_ns": round(seconds * 500_000_000 * vcpus),
        "cpu_delay_ns": round(seconds * 10_000_000 * vcpus),
        "memory_used_mib": 300,
        "disk_read_bytes": 0,
        "disk_write_bytes": round(seconds * 2000),
        "disk_read_ops": 0,
        "disk_write_ops": round(seconds * 4),
        "net_received_bytes": 0,
        "net_sent_bytes": round(seconds * 1000),
        **usage,
    }
    return DomainInfo(
        id=guest_id, domain_name=f"d-{guest_id.hex[:8]}", state=PowerState.RUNNING, vcpus=vcpus, memory_mib=512,
        usage=DomainUsage(**values),
    )  # fmt: skip


def load(seconds: float, *, percent: float = 10) -> HostLoad:
    """A host of four processors that has been ``percent`` busy for ``seconds``."""
    total = round(seconds * 4e9)
    return HostLoad(
        cpu_busy_ns=round(total * percent / 100), cpu_total_ns=total, memory_used_mib=2048, memory_total_mib=8192
    )


def rows(kind: Kind, resolution: str, subject: uuid.UUID, *names: str) -> list[Sequence[Any]]:
    """Return what a table has of one subject, in order of time."""
    with connection.cursor() as cursor:
        columns = ", ".join(("start_at", *names))
        cursor.execute(
            f"SELECT {columns} FROM {kind.table(resolution)} WHERE subject_id = %s ORDER BY start_at",
            [subject],
        )
        return cursor.fetchall()
