"""How much of the fleet is really used: each host over a stretch of time, and all of them together over time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from hosts.usage.kinds import HOST
from hosts.usage.resolutions import COARSE, MEDIUM, ceil_to
from hosts.usage.spans import RANGES, Span

_P95 = 0.95
_SAMPLES = """
    FROM TABLE_OF_SAMPLES r JOIN hosts_host h ON h.id = r.subject_id
    CROSS JOIN LATERAL unnest(r.covered_s, r.cpu_percent, r.cpu_percent_max, r.memory_used_mib, r.memory_used_mib_max,
                              r.cpu_delay_percent, r.cpu_delay_percent_max)
        WITH ORDINALITY AS u(covered_s, cpu, cpu_max, memory, memory_max, delay, delay_max, place)
    CROSS JOIN LATERAL (SELECT r.start_at + (u.place - 1) * %(step)s * interval '1 second') AS s(at)
    WHERE r.subject_id = ANY(%(hosts)s) AND r.start_at >= %(first_row)s AND r.start_at < %(end)s
      AND s.at >= %(begin)s AND s.at < %(end)s AND u.cpu IS NOT NULL"""
_OF_HOSTS = f"""
    SELECT r.subject_id, sum(u.cpu::float8 * u.covered_s) / sum(u.covered_s), max(u.cpu_max),
           percentile_cont(%(p95)s) WITHIN GROUP (ORDER BY u.cpu),
           sum(u.memory::float8 * u.covered_s) / nullif(sum(u.covered_s) FILTER (WHERE u.memory IS NOT NULL), 0),
           max(u.memory_max),
           sum(u.delay::float8 * u.covered_s) / nullif(sum(u.covered_s) FILTER (WHERE u.delay IS NOT NULL), 0),
           max(u.delay_max)
    {_SAMPLES} GROUP BY r.subject_id"""
_EACH = f"""
    SELECT floor(extract(epoch FROM s.at - %(begin)s) / %(bucket)s)::int AS place, h.id, h.cpus, h.memory_mib,
           sum(u.cpu::float8 * u.covered_s) / sum(u.covered_s) AS cpu,
           sum(u.memory::float8 * u.covered_s) / sum(u.covered_s) AS memory
    {_SAMPLES} AND h.cpus > 0 GROUP BY 1, 2, 3, 4"""  # noqa: S608 - our own text
_OVER_TIME = f"""
    SELECT place, sum(cpu * cpus) / sum(cpus), 100 * sum(memory) / nullif(sum(memory_mib), 0), count(*)
    FROM ({_EACH}) AS each GROUP BY place"""  # noqa: S608 - our own text


@dataclass(frozen=True, slots=True)
class HostUse:
    """How busy one host was. The 95th percentile is of five minutes' means, of hours' for a week and more."""

    cpu_average_percent: float
    cpu_peak_percent: float
    cpu_p95_percent: float
    memory_average_mib: float | None
    memory_peak_mib: float | None
    cpu_delay_average_percent: float | None  # None: no guest of it says
    cpu_delay_peak_percent: float | None


@dataclass(frozen=True, slots=True)
class FleetUse:
    """All hosts together, a value a step; None: no host has samples. ``hosts``: how many have."""

    timestamps: list[datetime]
    cpu_percent: list[float | None]
    memory_percent: list[float | None]
    hosts: list[int]


def utilisation_span(name: str, *, now: datetime) -> Span:
    """Return the stretch of one of ``RANGES``, never finer than five minutes: the fleet does not change faster."""
    length_s, step_s = RANGES[name]
    resolution = COARSE if length_s > RANGES["24h"][0] else MEDIUM
    step_s = max(step_s, resolution.step_s)
    end = ceil_to(now, step_s)
    return Span(end - timedelta(seconds=length_s), end, step_s, resolution)


def hosts_use(hosts: Sequence[UUID], span: Span) -> dict[UUID, HostUse]:
    """Return how busy each host was, of those that have samples. One query."""
    return {row[0]: HostUse(*(_rounded(value) for value in row[1:])) for row in _asked(_OF_HOSTS, hosts, span)}


def fleet_use(hosts: Sequence[UUID], span: Span) -> FleetUse:
    """Return how busy all of them were together: CPU weighted by their processors, memory by its size. One query."""
    cpu: list[float | None] = [None] * span.count
    memory, count = list(cpu), [0] * span.count
    for place, cpu_percent, memory_percent, seen in _asked(_OVER_TIME, hosts, span):
        cpu[place], memory[place], count[place] = _rounded(cpu_percent), _rounded(memory_percent), seen
    times = [span.begin + timedelta(seconds=span.step_s * place) for place in range(span.count)]
    return FleetUse(timestamps=times, cpu_percent=cpu, memory_percent=memory, hosts=count)


def _asked(query: str, hosts: Sequence[UUID], span: Span) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(
            query.replace("TABLE_OF_SAMPLES", HOST.table(span.resolution.name)),
            {
                "hosts": list(hosts),
                "begin": span.begin,
                "end": span.end,
                "first_row": span.resolution.row_start(span.begin),
                "step": span.resolution.step_s,
                "bucket": span.step_s,
                "p95": _P95,
            },
        )
        return cursor.fetchall()


def _rounded(value: float | None) -> Any:
    return None if value is None else round(float(value), 2)
