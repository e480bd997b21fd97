"""Which stretch of time is read, in which steps, from which table."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from hosts.usage.resolutions import COARSE, RESOLUTIONS, Resolution, ceil_to, floor_to
from panel.core.errors import InvalidInputError

MOST_POINTS = 9000  # a month of five minutes, a year of hours, and some
GOOD_POINTS = 720  # what a step is chosen for when none is given
STEPS = (15, 60, 300, 900, 3600, 21600, 86400)
_DAY_S = 86400
_SLACK = timedelta(minutes=5)  # "a day ago" is a little more than a day when it arrives, by whatever clock
RANGES = {  # name: seconds, step
    "1h": (3600, 15),
    "6h": (6 * 3600, 60),
    "24h": (_DAY_S, 300),
    "7d": (7 * _DAY_S, 900),
    "30d": (30 * _DAY_S, 3600),
    "1y": (365 * _DAY_S, _DAY_S),
}


@dataclass(frozen=True, slots=True)
class Span:
    """From when until when, in steps of ``step_s``, read from the table of ``resolution``. All on the step's grid."""

    begin: datetime
    end: datetime
    step_s: int
    resolution: Resolution

    @property
    def count(self) -> int:
        """How many points there are."""
        return int((self.end - self.begin).total_seconds()) // self.step_s


def span_of_range(name: str, *, now: datetime) -> Span:
    """Return the stretch of one of ``RANGES`` that ends with the step under way."""
    length_s, step_s = RANGES[name]
    end = ceil_to(now, step_s)
    return Span(end - timedelta(seconds=length_s), end, step_s, _resolution(step_s))


def span_between(*, begin: datetime, end: datetime | None, step_s: int | None, now: datetime) -> Span:
    """Return the stretch between two times, widened to the step's grid; until now when ``end`` is None or later.

    Raises:
        InvalidInputError: naming ``from``, ``to`` or ``step``, which does not do.
    """
    end = min(now, end or now)
    if begin >= now:
        raise InvalidInputError(fields={"from": "Use a time that is past."})
    if begin >= end:
        raise InvalidInputError(fields={"to": "Use a time after `from`."})
    if now - begin > COARSE.kept + _SLACK:
        raise InvalidInputError(fields={"from": "Samples are kept for two years."})
    wanted = _step_for(begin, end, now) if step_s is None else step_s
    if wanted not in STEPS:
        raise InvalidInputError(fields={"step": f"Use one of: {', '.join(map(str, STEPS))}."})
    span = Span(floor_to(begin, wanted), ceil_to(end, wanted), wanted, _resolution(wanted))
    if not _kept(begin, wanted, now):
        kept = f"{days} days" if (days := span.resolution.kept.days) > 1 else "a day"
        raise InvalidInputError(fields={"step": f"Steps so small are kept for {kept} only."})
    if span.count > MOST_POINTS:
        raise InvalidInputError(fields={"step": f"These are more than {MOST_POINTS} points: use a larger step."})
    return span


def _resolution(step_s: int) -> Resolution:
    return max((one for one in RESOLUTIONS if step_s % one.step_s == 0), key=lambda one: one.step_s)


def _kept(begin: datetime, step_s: int, now: datetime) -> bool:
    return now - begin <= _resolution(step_s).kept + _SLACK


def _step_for(begin: datetime, end: datetime, now: datetime) -> int:
    length_s = (end - begin).total_seconds()
    return next(
        (step for step in STEPS if length_s / step <= GOOD_POINTS and _kept(begin, step, now)), STEPS[-1]
    )  # fmt: skip
