"""Sharing the hosts among the collectors that live, by leases of the database's time.

A collector says every few seconds that it lives; one that has not for ``COLLECT_LEASE_S`` has lost its hosts to whoever
takes them. Each has its fair share: what is more it gives back, what is less it takes.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import connection

from hosts.states import WATCHED

_LIVE = """
INSERT INTO hosts_livecollector (id, name, seen_at) VALUES (%(me)s, %(name)s, clock_timestamp())
ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at
RETURNING seen_at
"""
_WANTED = """
SELECT h.id FROM hosts_host h WHERE h.state = ANY(%(states)s)
AND EXISTS (SELECT 1 FROM hosts_hostconnection c WHERE c.host_id = h.id AND c.enabled)
"""
_ADD = f"""
INSERT INTO hosts_hostwatch (host_id) SELECT w.id FROM ({_WANTED}) w
WHERE NOT EXISTS (SELECT 1 FROM hosts_hostwatch known WHERE known.host_id = w.id) ON CONFLICT DO NOTHING
"""  # noqa: S608 - of constants
_REMOVE = f"DELETE FROM hosts_hostwatch WHERE host_id NOT IN ({_WANTED})"  # noqa: S608 - of constants
_FORGET = "DELETE FROM hosts_livecollector WHERE seen_at < clock_timestamp() - interval '1 day'"
_COUNT = """
SELECT (SELECT count(*) FROM hosts_hostwatch),
       (SELECT count(*) FROM hosts_livecollector WHERE seen_at > clock_timestamp() - %(lease)s * interval '1 second')
"""
_MINE = "SELECT host_id FROM hosts_hostwatch WHERE collector_id = %(me)s ORDER BY host_id"
_GIVE_BACK = "UPDATE hosts_hostwatch SET collector_id = NULL WHERE collector_id = %(me)s AND host_id = ANY(%(hosts)s)"
_TAKE = """
UPDATE hosts_hostwatch SET collector_id = %(me)s WHERE host_id IN (
    SELECT w.host_id FROM hosts_hostwatch w WHERE w.collector_id IS NULL OR NOT EXISTS (
        SELECT 1 FROM hosts_livecollector c
        WHERE c.id = w.collector_id AND c.seen_at > clock_timestamp() - %(lease)s * interval '1 second')
    ORDER BY w.host_id LIMIT %(room)s FOR UPDATE OF w SKIP LOCKED)
RETURNING host_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watches:
    """The hosts that a collector watches, and the database's time when it said that it lives."""

    host_ids: frozenset[UUID]
    at: datetime


def watches_renew(*, collector_id: UUID, name: str) -> Watches:
    """Say that a collector lives; give back what is above its fair share, or take what is free up to it."""
    values = {"me": collector_id, "name": name, "lease": settings.COLLECT_LEASE_S, "states": list(WATCHED)}
    with connection.cursor() as cursor:
        cursor.execute(_LIVE, values)
        (at,) = cursor.fetchone()
        for statement in (_FORGET, _ADD, _REMOVE):
            cursor.execute(statement, values)
        cursor.execute(_COUNT, values)
        hosts, collectors = cursor.fetchone()
        share = -(-hosts // max(1, collectors))
        cursor.execute(_MINE, values)
        mine = [host_id for (host_id,) in cursor.fetchall()]
        if len(mine) > share:
            cursor.execute(_GIVE_BACK, {**values, "hosts": mine[share:]})
            mine = mine[:share]
        elif len(mine) < share:
            cursor.execute(_TAKE, {**values, "room": share - len(mine)})
            mine += [host_id for (host_id,) in cursor.fetchall()]
    return Watches(host_ids=frozenset(mine), at=at)


def watches_give_back(*, collector_id: UUID) -> None:
    """A collector ends: its hosts are free at once."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM hosts_livecollector WHERE id = %s", [collector_id])
