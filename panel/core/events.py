"""Live changes: ids and versions, never data, by Redis pub/sub. A lost event costs a refresh, nothing else."""

import json
import logging
import time
from dataclasses import dataclass
from uuid import UUID

import redis
from django.conf import settings
from django.db import transaction

logger = logging.getLogger(__name__)
SILENT_S = 1.0  # after a failure nothing is tried for so long: a request must not wait for each of its events
_client: redis.Redis | None = None
_silent_until = 0.0


def channel() -> str:
    """Return the installation's channel: two may share one Redis and hear nothing of each other."""
    return f"innkeeper:{settings.INSTANCE_ID}:events"


def redis_client() -> redis.Redis:
    """Return this process's client; short time-outs, because Redis is only a doorbell."""
    global _client
    if _client is None:
        _client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1)
    return _client


def publish(
    kind: str,
    object_id: UUID | str,
    *,
    customer_id: UUID | str | None = None,
    user_id: UUID | str | None = None,
    final: bool = False,
) -> None:
    """Tell open pages, after commit, that an object changed; once, however often a transaction says so.

    ``customer_id`` None: only staff hear of it, and the person ``user_id``. ``final``: a job has ended, which wakes
    those who wait for it.
    """
    fields: dict[str, object] = {
        "type": kind, "id": str(object_id), "customer": str(customer_id) if customer_id else None,
    }  # fmt: skip
    if user_id:
        fields["user"] = str(user_id)
    if final:
        fields["final"] = True
    bell = _Bell(json.dumps(fields))
    # What a savepoint took back is no longer among these, so that what is found here will ring.
    if not any(waiting == bell for _, waiting, *_ in transaction.get_connection().run_on_commit):
        transaction.on_commit(bell, robust=True)


@dataclass(frozen=True, slots=True)
class _Bell:
    message: str

    def __call__(self) -> None:
        global _silent_until
        if time.monotonic() < _silent_until:
            return
        try:
            redis_client().publish(channel(), self.message)
        except redis.RedisError as error:
            _silent_until = time.monotonic() + SILENT_S
            logger.warning("event not published: %s", error)
