"""The database's time, which leases and everything that was seen go by: the clocks of machines differ."""

from datetime import datetime

from django.db import connection


def database_now() -> datetime:
    """Ask for it, in one query."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now
