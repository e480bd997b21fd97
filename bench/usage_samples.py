"""What it costs to keep samples of 300 hosts with 100 guests each: CPU of the collector and of PostgreSQL, and bytes.

Run: ``python -m bench.usage_samples`` with DATABASE_URL naming an empty migrated database. A quarter of an hour is
recorded as fast as it goes; three windows close.
"""

import os
import random
import time
import uuid
from datetime import datetime, timedelta
from pathlib import Path

import django

django.setup()

from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402

from hosts.drivers.types import DomainInfo, DomainUsage, HostLoad, PowerState  # noqa: E402
from hosts.usage.kinds import KINDS  # noqa: E402
from hosts.usage.recorder import HostUsage  # noqa: E402
from hosts.usage.resolutions import COARSE, RESOLUTIONS  # noqa: E402
from hosts.usage.store import partitions_ensure  # noqa: E402

HOSTS, GUESTS, EVERY_S = 300, 100, 15
WINDOWS = 3


class Machine:
    """One host with guests that do something."""

    def __init__(self, number: int) -> None:
        self.id = uuid.uuid4()
        self.usage = HostUsage(host_id=self.id, host_type="kvm")
        self.guests = [uuid.uuid4() for _ in range(GUESTS)]
        self._random = random.Random(number)
        self._pace = {guest: self._random.randrange(1, 1000) for guest in self.guests}

    def look(self, at: datetime, second: int) -> float:
        """Answer a collector once. Returns the seconds of CPU that keeping it took."""
        domains = [
            DomainInfo(
                id=guest, domain_name="", state=PowerState.RUNNING, vcpus=2, memory_mib=2048,
                usage=DomainUsage(
                    cpu_time_ns=second * pace * 1_000_000, cpu_delay_ns=second * pace * 1000,
                    memory_used_mib=900 + pace, disk_read_bytes=second * pace * 511,
                    disk_write_bytes=second * pace * 1031, disk_read_ops=second * pace // 7,
                    disk_write_ops=second * pace // 5, net_received_bytes=second * pace * 2003,
                    net_sent_bytes=second * pace * 4001,
                ),
            )
            for guest, pace in self._pace.items()
        ]  # fmt: skip
        busy = HostLoad(
            cpu_busy_ns=second * 10**9, cpu_total_ns=second * 10**10, memory_used_mib=4000, memory_total_mib=9000
        )
        began = time.process_time()
        self.usage.domains_seen(at=at, domains=domains)
        self.usage.load_seen(at=at, load=busy)
        return time.process_time() - began


def main() -> None:
    """Print one line a measurement."""
    partitions_ensure()
    start = COARSE.row_start(timezone.now()) + timedelta(hours=1)
    machines = [Machine(number) for number in range(HOSTS)]
    for machine in machines:  # what begins with the first reading is not counted
        machine.look(start, 0)
    own, server = 0.0, _server_s()
    for second in range(EVERY_S, WINDOWS * 300 + EVERY_S, EVERY_S):
        for machine in machines:
            own += machine.look(start + timedelta(seconds=second), second)
    server = _server_s() - server
    guests = HOSTS * GUESTS
    print(f"collector: {own / WINDOWS:.1f} s of CPU per 5 minutes; PostgreSQL: {server / WINDOWS:.1f} s")
    print(f"together {guests * WINDOWS / (own + server):.0f} windows for each second of CPU")
    for kind in KINDS:
        for resolution in RESOLUTIONS:
            rows, heap, total = _size(kind.table(resolution.name))
            if rows:
                each = total / rows
                days = 86400 / resolution.row_s
                print(
                    f"{kind.name} {resolution.name}: {rows} rows, {heap / rows:.0f} bytes a row, {each:.0f} with its "
                    f"index; {each * days / 1024:.0f} KiB a day each"
                )


def _server_s() -> float:
    """Return the seconds of CPU that the database's process for this connection has used."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _size(table: str) -> tuple[int, int, int]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        (rows,) = cursor.fetchone()
        cursor.execute(
            "SELECT sum(pg_table_size(inhrelid)), sum(pg_total_relation_size(inhrelid)) FROM pg_inherits "
            "WHERE inhparent = %s::regclass",
            [table],
        )
        heap, total = cursor.fetchone()
    return rows, int(heap), int(total)


if __name__ == "__main__":
    main()
