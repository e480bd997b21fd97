"""A year of made-up usage: days and nights, a nightly backup, a burst now and then, a gap."""

import io
import math
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.utils import timezone

from hosts.models import Host
from hosts.usage.kinds import GUEST, HOST, Kind
from hosts.usage.resolutions import COARSE, FINE, MEDIUM, Resolution, floor_to
from hosts.usage.sampling import Window
from hosts.usage.store import windows_write
from vms.models import Guest

FINE_FOR = timedelta(hours=6)
GAP = (timedelta(minutes=37), timedelta(minutes=32))  # before now
KIB, MIB = 1024, 1024**2


def usage_make(guests: list[Guest], hosts: list[Host]) -> None:
    """Give running guests and all hosts six fine hours, and the first guest and the hosts a week and a year before."""
    now = timezone.now()
    seen = [_Guest(guest) for guest in guests if guest.power_state == "running" and _is_watched(guest, now)]
    machines = [_Host(host) for host in hosts if not host.last_error]
    begin = floor_to(now - FINE_FOR, MEDIUM.row_s)
    for start in _rows(begin, now, FINE):
        windows_write(GUEST, [_window(GUEST, guest, start, now) for guest in seen])
        windows_write(HOST, [_window(HOST, host, start, now) for host in machines])
    for resolution, days in ((MEDIUM, 7), (COARSE, 364)):
        end = resolution.row_start(begin)
        starts = list(_rows(end - timedelta(days=days), end, resolution))
        _fill(GUEST, resolution, seen[:1], starts)
        _fill(HOST, resolution, machines, starts)


def _is_watched(guest: Guest, now: datetime) -> bool:
    return guest.observed_at is not None and guest.observed_at > now - timedelta(hours=1)


def _rows(begin: datetime, end: datetime, resolution: Resolution) -> Iterator[datetime]:
    start = resolution.row_start(begin)
    while start < end:
        yield start
        start += timedelta(seconds=resolution.row_s)


class _Guest:
    """What one guest does at a moment."""

    def __init__(self, guest: Guest) -> None:
        self.id = guest.pk
        self._memory_mib = guest.memory_mib
        self._random = random.Random(str(guest.name))
        self._busy = self._random.uniform(6, 45)

    def at(self, moment: datetime) -> list[float | None]:
        rnd, day = self._random, _daylight(moment)
        burst = 1.9 if rnd.random() < 0.04 else 1.0
        cpu = min(99.0, max(0.4, self._busy * (0.35 + 0.8 * day) * burst + rnd.gauss(0, 1.6)))
        backup = 40 * MIB if moment.hour == 3 and moment.minute < 25 else 0
        visits = cpu * (0.4 + 0.6 * day)
        read = max(0.0, visits * 9 * KIB + backup + rnd.gauss(0, 40 * KIB))
        written = max(0.0, visits * 22 * KIB + rnd.gauss(0, 60 * KIB))
        memory = self._memory_mib * (0.48 + 0.08 * day + rnd.gauss(0, 0.004))
        sent = max(0.0, visits * 60 * KIB * burst + rnd.gauss(0, 60 * KIB))
        return [
            cpu,
            max(0.0, rnd.gauss(0.5, 0.3)),
            memory,
            read,
            written,
            read / 24000,
            written / 12000,
            sent / 6,
            sent,
        ]


class _Host:
    """What one host does at a moment."""

    def __init__(self, host: Host) -> None:
        self.id = host.pk
        self._busy, self._full = host.load_cpu_percent or 5.0, host.load_memory_percent or 10.0
        self._memory_mib = host.memory_mib
        self._random = random.Random(host.name)

    def at(self, moment: datetime) -> list[float | None]:
        rnd, day = self._random, _daylight(moment)
        cpu = min(99.0, max(0.5, self._busy * (0.6 + 0.55 * day) + rnd.gauss(0, 1.8)))
        memory = self._memory_mib * self._full / 100 * (0.97 + 0.03 * day)
        return [cpu, max(0.0, cpu / 30 + rnd.gauss(0, 0.3)), memory]


def _daylight(moment: datetime) -> float:
    hour = moment.hour + moment.minute / 60
    weekend = 0.6 if moment.weekday() >= 5 else 1.0
    return weekend * (0.5 - 0.5 * math.cos(2 * math.pi * (hour - 3) / 24))


def _window(kind: Kind, subject: _Guest | _Host, start: datetime, now: datetime) -> Window:
    samples: list[list[float | None]] = []
    for slot in range(FINE.slots):
        moment = start + timedelta(seconds=slot * FINE.step_s)
        unseen = moment > now or now - GAP[0] < moment < now - GAP[1]
        samples.append([None] * len(kind.series) if unseen else subject.at(moment))
    covered = [None if sample[0] is None else float(FINE.step_s) for sample in samples]
    values = [list(column) for column in zip(*samples, strict=True)]
    return Window(subject.id, round(start.timestamp() * 1000), covered, values)


def _fill(kind: Kind, resolution: Resolution, subjects: list[_Guest] | list[_Host], starts: list[datetime]) -> None:
    """Write rows of a coarse table that are complete, with the partitions they lie in."""
    names = ", ".join(f"{name}, {name}_max" for name in kind.series)
    table = kind.table(resolution.name)
    lines = [_line(subject, start, resolution) for subject in subjects for start in starts]
    with connection.cursor() as cursor:
        for start in {_partition(start, resolution) for start in starts}:
            _partition_make(cursor, table, *start)
        cursor.copy_expert(
            f"COPY {table} (subject_id, start_at, covered_s, {names}) FROM STDIN", io.StringIO("".join(lines))
        )


def _partition(start: datetime, resolution: Resolution) -> tuple[str, datetime, datetime]:
    if resolution is COARSE:
        first = start.replace(day=1)
        return f"{start:%Y%m}", first, (first + timedelta(days=32)).replace(day=1)
    first = start.replace(hour=0)
    return f"{start:%Y%m%d}", first, first + timedelta(days=1)


def _partition_make(cursor: CursorWrapper, table: str, name: str, begin: datetime, end: datetime) -> None:
    cursor.execute(
        f"CREATE TABLE IF NOT EXISTS {table}_{name} PARTITION OF {table} "
        f"FOR VALUES FROM ('{begin.astimezone(UTC).isoformat()}') TO ('{end.astimezone(UTC).isoformat()}')"
    )


def _line(subject: _Guest | _Host, start: datetime, resolution: Resolution) -> str:
    samples = [subject.at(start + timedelta(seconds=slot * resolution.step_s)) for slot in range(resolution.slots)]
    arrays = [[float(resolution.step_s)] * resolution.slots]
    for column in zip(*samples, strict=True):
        means = [value or 0.0 for value in column]
        arrays += [means, [value * 1.4 for value in means]]
    texts = ("{" + ",".join(f"{value:.7g}" for value in array) + "}" for array in arrays)
    return "\t".join((str(subject.id), start.isoformat(), *texts)) + "\n"
