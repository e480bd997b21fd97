"""Whether the panel can serve: its database answers and has the tables that this code needs."""

from dataclasses import dataclass
from functools import cache

import redis
from django.db import DatabaseError, InterfaceError, OperationalError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from panel.core.doorbell import redis_client

DATABASE_ERRORS = (DatabaseError, InterfaceError, OperationalError)


@dataclass(frozen=True, slots=True)
class Readiness:
    """What answers. ``reason`` is the first thing that keeps it from serving, "" when it can."""

    database: bool
    migrations: bool
    redis: bool

    @property
    def reason(self) -> str:
        if not self.database:
            return "database_unavailable"
        return "" if self.migrations else "migrations_pending"


def readiness() -> Readiness:
    """Ask PostgreSQL and Redis; never raises, and waits a second for Redis at most."""
    database = migrations = False
    try:
        migrations = not migrations_pending()
        database = True
    except DATABASE_ERRORS:
        connection.close()
    return Readiness(database=database, migrations=migrations, redis=redis_answers())


def migrations_pending() -> frozenset[tuple[str, str]]:
    """Return the migrations of this code that the database does not have."""
    table = MigrationRecorder.Migration._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [table])
        if not cursor.fetchone()[0]:
            return migrations_known()
        cursor.execute(f"SELECT app, name FROM {table}")  # noqa: S608 - a constant of Django's
        return migrations_known() - set(cursor.fetchall())


@cache
def migrations_known() -> frozenset[tuple[str, str]]:
    """Return all migrations that this code has, as (app, name)."""
    return frozenset(MigrationLoader(None, ignore_no_migrations=True).disk_migrations)


def redis_answers() -> bool:
    """True when Redis answers within a second."""
    try:
        return bool(redis_client().ping())
    except redis.RedisError:
        return False
