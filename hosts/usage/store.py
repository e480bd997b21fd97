"""Writes finished windows: COPY into the day's partition, rolled up into the coarser tables in the same transaction.

Writing a window again changes nothing: a row is known by its subject and start, of two samples of one slot the one
that covers more of it stays, and roll-ups are computed from the finer row, never added to.
"""

import io
from collections.abc import Sequence
from datetime import UTC, datetime

import psycopg2.errors
from django.db import IntegrityError, connection, transaction

from hosts.usage import statements
from hosts.usage.kinds import Kind
from hosts.usage.resolutions import COARSE, FINE, MEDIUM
from hosts.usage.sampling import Window


def windows_write(kind: Kind, windows: Sequence[Window]) -> None:
    """Write windows of one start. Raises django.db.Error."""
    if len({window.start_ms for window in windows}) > 1:
        raise ValueError("windows of one start only")
    seen = [window for window in windows if any(window.covered_s)]
    if not seen:
        return
    ordered = sorted(seen, key=lambda window: window.subject)  # two writers must not lock each other out
    try:
        _write(kind, ordered)
    except (psycopg2.errors.CheckViolation, IntegrityError) as error:
        if not _lacks_partition(error):
            raise
        partitions_ensure()
        _write(kind, ordered)


def _lacks_partition(error: Exception) -> bool:
    """True when nobody made the partition, or a clock is far off. Django wraps what any statement but COPY raises."""
    return isinstance(error, psycopg2.errors.CheckViolation) or isinstance(
        error.__cause__, psycopg2.errors.CheckViolation
    )


@transaction.atomic
def _write(kind: Kind, windows: Sequence[Window]) -> None:
    start = datetime.fromtimestamp(windows[0].start_ms / 1000, UTC)
    text = "".join(_line(window, start) for window in windows)
    with connection.cursor() as cursor:
        try:
            with transaction.atomic():
                cursor.copy_expert(statements.copy_in(kind, kind.table(FINE.name)), io.StringIO(text))
        except psycopg2.errors.UniqueViolation:  # somebody has written some of it
            cursor.execute(statements.incoming(kind))
            cursor.copy_expert(statements.copy_in(kind, "usage_incoming"), io.StringIO(text))
            cursor.execute(statements.merge(kind))
            cursor.execute("DROP TABLE usage_incoming")
        cursor.execute(
            statements.roll_up(kind, MEDIUM.slot(start) + 1, COARSE.slot(start) + 1),
            {
                "subjects": [window.subject for window in windows],
                "start": start,
                "medium": MEDIUM.row_start(start),
                "coarse": COARSE.row_start(start),
            },
        )


def _line(window: Window, start: datetime) -> str:
    arrays = (window.covered_s, *window.values)
    return "\t".join((str(window.subject), start.isoformat(), *map(_array, arrays))) + "\n"


def _array(numbers: Sequence[float | None]) -> str:
    if all(number is None for number in numbers):
        return "\\N"
    return "{" + ",".join(["NULL" if number is None else f"{number:.8g}" for number in numbers]) + "}"


def partitions_ensure() -> None:
    """Make the coming days' partitions and drop those past their time."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT innkeeper_usage_partitions()")
