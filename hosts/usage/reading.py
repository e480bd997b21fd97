"""Reads samples as points on an even grid: closed rows from PostgreSQL, the open window from Redis."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from hosts.usage.kinds import Kind
from hosts.usage.open_window import gap_after_s, remembered
from hosts.usage.resolutions import FINE, MEDIUM, floor_to
from hosts.usage.sampling import WINDOW_MS, windows_of
from hosts.usage.spans import Span

Sample = tuple[float, float, float]  # seconds covered, mean, highest


@dataclass(frozen=True, slots=True)
class Points:
    """One value a step for each series: the mean, and in ``peaks`` the highest sample. None: a gap."""

    span: Span
    means: dict[str, list[float | None]]
    peaks: dict[str, list[float | None]]

    @property
    def timestamps(self) -> list[datetime]:
        """When each step begins."""
        return [self.span.begin + timedelta(seconds=self.span.step_s * place) for place in range(self.span.count)]


class _Grid:
    """Collects samples into the steps of a span, one series after the other."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self._begin_s = int(span.begin.timestamp())
        self.steps: list[list[Sample]] = [[] for _ in range(span.count)]

    def add(self, at_s: int, sample: Sample) -> None:
        place = (at_s - self._begin_s) // self._span.step_s
        if 0 <= place < len(self.steps):
            self.steps[place].append(sample)

    def means(self) -> list[float | None]:
        return [_mean(samples) for samples in self.steps]

    def peaks(self) -> list[float | None]:
        return [round(max(sample[2] for sample in samples), 3) if samples else None for samples in self.steps]


def _mean(samples: Sequence[Sample]) -> float | None:
    covered = sum(sample[0] for sample in samples)
    return round(sum(sample[0] * sample[1] for sample in samples) / covered, 3) if covered else None


def points_read(kind: Kind, subject: UUID, *, span: Span, streams: Iterable[str]) -> Points:
    """Return the points of one subject, with one query. ``streams``: where its open window may be in Redis."""
    grids = {name: _Grid(span) for name in kind.series}
    rows = _rows(kind, [subject], span)
    step_s = span.resolution.step_s
    last_s = 0
    for row in rows:
        start_s = int(row["start_at"].timestamp())
        for slot, covered in enumerate(row["covered_s"]):
            if covered:
                last_s = max(last_s, start_s + (slot + 1) * step_s)
                for name, grid in grids.items():
                    _put(grid, start_s + slot * step_s, covered, row, name, slot)
    if span.step_s < 3600:
        for at_s, covered, values in _open_samples(kind, subject, streams=streams, span=span, after_s=last_s):
            for name, value in zip(kind.series, values, strict=True):
                if value is not None:
                    grids[name].add(at_s, (covered, value, value))
    return Points(
        span=span,
        means={name: grid.means() for name, grid in grids.items()},
        peaks={name: grid.peaks() for name, grid in grids.items()},
    )


def _put(grid: _Grid, at_s: int, covered: float, row: Mapping[str, Any], name: str, slot: int) -> None:
    values = row[name]
    value = values[slot] if values else None
    if value is not None:
        most = row.get(f"{name}_max") or values
        grid.add(at_s, (covered, value, value if most[slot] is None else most[slot]))


def _rows(kind: Kind, subjects: Sequence[UUID], span: Span) -> list[dict[str, Any]]:
    resolution = span.resolution
    ends = ("",) if resolution is FINE else ("", "_max")
    names = ("subject_id", "start_at", "covered_s", *(f"{name}{end}" for name in kind.series for end in ends))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {', '.join(names)} FROM {kind.table(resolution.name)} "  # noqa: S608 - our own names
            "WHERE subject_id = ANY(%s) AND start_at >= %s AND start_at < %s ORDER BY start_at",
            [list(subjects), resolution.row_start(span.begin), span.end],
        )
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _open_samples(
    kind: Kind, subject: UUID, *, streams: Iterable[str], span: Span, after_s: int
) -> Iterable[tuple[int, float, list[float | None]]]:
    """Yield (when, seconds covered, values) of what no table has yet: samples that begin at ``after_s`` or later.

    Of two streams (a host's hypervisors) the first one that knows a value gives it.
    """
    seen: set[tuple[int, int]] = set()  # when, which series
    for observations in remembered(streams):
        if not observations:
            continue
        first_ms = observations[0].at_ms // WINDOW_MS * WINDOW_MS
        for start_ms in range(first_ms, observations[-1].at_ms + 1, WINDOW_MS):
            for window in windows_of(
                kind, observations, start_ms=start_ms, gap_after_s=gap_after_s(), subjects=[subject]
            ):
                for slot, covered in enumerate(window.covered_s):
                    at_s = start_ms // 1000 + slot * FINE.step_s
                    if not covered or at_s < after_s:
                        continue
                    values = [
                        None if (at_s, series) in seen else of_series[slot]
                        for series, of_series in enumerate(window.values)
                    ]
                    seen.update((at_s, series) for series, value in enumerate(values) if value is not None)
                    yield at_s, covered, values


def recent_cpu(kind: Kind, subjects: Sequence[UUID], *, now: datetime) -> tuple[Span, dict[UUID, list[float | None]]]:
    """Return the last hour's CPU use in steps of five minutes, of those that have any. One query."""
    end = floor_to(now, MEDIUM.step_s)
    span = Span(end - timedelta(hours=1), end, MEDIUM.step_s, MEDIUM)
    begin_s = int(span.begin.timestamp())
    found: dict[UUID, list[float | None]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT subject_id, start_at, cpu_percent FROM {kind.table(MEDIUM.name)} "  # noqa: S608 - our own names
            "WHERE subject_id = ANY(%s) AND start_at >= %s AND start_at < %s",
            [list(subjects), MEDIUM.row_start(span.begin), span.end],
        )
        for subject, start_at, values in cursor.fetchall():
            points = found.setdefault(subject, [None] * span.count)
            for slot, value in enumerate(values or ()):
                place = (int(start_at.timestamp()) + slot * MEDIUM.step_s - begin_s) // MEDIUM.step_s
                if value is not None and 0 <= place < span.count:
                    points[place] = round(value, 1)
    return span, found
