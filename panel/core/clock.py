"""The database's time, which leases and everything that was seen go by: the clocks of machines differ."""

from collections.abc import Iterable
from datetime import datetime

from django.db import connection

_MARGIN_S = 5.0  # processes reckon the database's time between two looks at it
_SET_BACK = """
UPDATE {table} SET {column} = clock_timestamp() WHERE {column} > clock_timestamp() + %s * interval '1 second'
"""


def database_now() -> datetime:
    """Ask for it, in one query."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now


def not_in_future(columns: Iterable[tuple[str, str]]) -> int:
    """Take times in the future for now, in columns given as (table, column). Returns how many there were.

    They were written before the database's clock was set back, and would count as newer than all that follows.
    """
    changed = 0
    with connection.cursor() as cursor:
        for table, column in columns:
            cursor.execute(_SET_BACK.format(table=table, column=column), [_MARGIN_S])
            changed += cursor.rowcount
    return changed
