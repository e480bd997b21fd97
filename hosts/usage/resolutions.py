"""How finely samples are kept, for how long, and how many a row holds."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, slots=True)
class Resolution:
    """One table's grain: a row begins at a multiple of ``row_s`` since 1970 (UTC) and holds ``slots`` samples."""

    name: str  # the end of the table's name
    step_s: int
    slots: int
    kept: timedelta

    @property
    def row_s(self) -> int:
        """Seconds that a row covers."""
        return self.step_s * self.slots

    def row_start(self, at: datetime) -> datetime:
        """Return the start of the row that ``at`` falls into."""
        return floor_to(at, self.row_s)

    def slot(self, at: datetime) -> int:
        """Return which sample of its row ``at`` falls into, from 0."""
        return int(at.timestamp()) % self.row_s // self.step_s


def floor_to(at: datetime, step_s: int) -> datetime:
    """Return the last multiple of ``step_s`` since 1970 that is not after ``at``."""
    return datetime.fromtimestamp(int(at.timestamp()) // step_s * step_s, UTC)


def ceil_to(at: datetime, step_s: int) -> datetime:
    """Return the first multiple of ``step_s`` since 1970 that is not before ``at``."""
    floor = floor_to(at, step_s)
    return floor if floor == at else floor + timedelta(seconds=step_s)


FINE = Resolution("15s", 15, 20, timedelta(days=1))
MEDIUM = Resolution("5m", 300, 12, timedelta(days=31))
COARSE = Resolution("1h", 3600, 24, timedelta(days=731))
RESOLUTIONS = (FINE, MEDIUM, COARSE)
WINDOW_S = FINE.row_s
