"""From readings of counters to samples on a fixed grid. Pure: the same readings give the same samples anywhere.

Between two readings a counter is taken to have grown evenly, so each sample is weighted by the time that it covers and
the sum of what was used is kept, however irregular the readings. What nobody observed is a gap: None, never zero.
"""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from uuid import UUID

from hosts.usage.kinds import Kind
from hosts.usage.resolutions import FINE, WINDOW_S

WINDOW_MS = WINDOW_S * 1000
_STEP_MS = FINE.step_s * 1000


@dataclass(frozen=True, slots=True)
class Observation:
    """One reading of many things at once. ``numbers`` has ``width`` numbers for each of ``subjects``, in order.

    Kept this compactly because a collector holds some twenty of them for each host.
    """

    at_ms: int  # since 1970
    subjects: tuple[UUID, ...]
    numbers: "array[int]"
    width: int
    index: Mapping[UUID, int] = field(compare=False, repr=False)

    @staticmethod
    def of(
        *, at_ms: int, subjects: tuple[UUID, ...], numbers: "array[int]", width: int, like: "Observation | None" = None
    ) -> "Observation":
        """Return an observation. One that has the same subjects as ``like`` shares their index with it."""
        if like is not None and like.subjects == subjects:
            return Observation(at_ms, like.subjects, numbers, width, like.index)
        return Observation(at_ms, subjects, numbers, width, {one: place for place, one in enumerate(subjects)})

    def reading(self, subject: UUID) -> Sequence[int] | None:
        """Return the numbers of one; None when it was not seen."""
        place = self.index.get(subject)
        return None if place is None else self.numbers[place * self.width : (place + 1) * self.width]


@dataclass(frozen=True, slots=True)
class Window:
    """The samples of one subject in one row's time. ``values[series][slot]``; None: nobody observed it."""

    subject: UUID
    start_ms: int
    covered_s: list[float | None]
    values: list[list[float | None]]


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two readings in a row, and which slots the time between them falls into, with seconds."""

    before: Observation
    after: Observation
    seconds: float
    pieces: tuple[tuple[int, float], ...]


def windows_of(
    kind: Kind,
    observations: Sequence[Observation],
    *,
    start_ms: int,
    gap_after_s: float,
    subjects: Iterable[UUID] | None = None,
) -> list[Window]:
    """Return the samples of the window that begins at ``start_ms``, of every subject that has any.

    ``observations`` are in order of time and reach from the last one before the window to the first one after it, as
    far as there are any. Two that are further apart than ``gap_after_s`` leave a gap.
    """
    pairs = list(_pairs(observations, start_ms, round(gap_after_s * 1000)))
    if subjects is None:
        subjects = dict.fromkeys(one for pair in pairs for one in pair.after.subjects)
    windows = (_window(kind, pairs, subject, start_ms) for subject in subjects)
    return [window for window in windows if window is not None]


def _pairs(observations: Sequence[Observation], start_ms: int, gap_ms: int) -> Iterator[_Pair]:
    end_ms = start_ms + WINDOW_MS
    for before, after in pairwise(observations):
        apart_ms = after.at_ms - before.at_ms
        if 0 < apart_ms <= gap_ms and before.at_ms < end_ms and after.at_ms > start_ms:
            pieces = tuple(_pieces(max(before.at_ms, start_ms), min(after.at_ms, end_ms), start_ms))
            yield _Pair(before, after, apart_ms / 1000, pieces)


def _pieces(begin_ms: int, end_ms: int, start_ms: int) -> Iterator[tuple[int, float]]:
    """Cut a stretch of time at the slots' borders."""
    while begin_ms < end_ms:
        slot = (begin_ms - start_ms) // _STEP_MS
        until_ms = min(end_ms, start_ms + (slot + 1) * _STEP_MS)
        yield slot, (until_ms - begin_ms) / 1000
        begin_ms = until_ms


def _window(kind: Kind, pairs: Sequence[_Pair], subject: UUID, start_ms: int) -> Window | None:
    covered = [0.0] * FINE.slots
    sums = [[0.0] * FINE.slots for _ in kind.series]
    missing: dict[tuple[int, int], float] = {}  # seconds of a slot in which one series was not known
    for pair in pairs:
        before, after = pair.before.reading(subject), pair.after.reading(subject)
        rates = kind.rates(before, after, pair.seconds) if before is not None and after is not None else None
        if rates is None:
            continue
        for slot, seconds in pair.pieces:
            covered[slot] += seconds
            for series, rate in enumerate(rates):
                if rate is None:
                    missing[series, slot] = missing.get((series, slot), 0.0) + seconds
                else:
                    sums[series][slot] += rate * seconds
    if not any(covered):
        return None
    return Window(
        subject=subject,
        start_ms=start_ms,
        covered_s=[seconds or None for seconds in covered],
        values=[_means(of_series, covered, missing, series) for series, of_series in enumerate(sums)],
    )


def _means(
    sums: Sequence[float], covered: Sequence[float], missing: Mapping[tuple[int, int], float], series: int
) -> list[float | None]:
    means: list[float | None] = []
    for slot, total in enumerate(sums):
        seconds = covered[slot] - missing.get((series, slot), 0.0) if missing else covered[slot]
        means.append(total / seconds if seconds > 1e-9 else None)
    return means
