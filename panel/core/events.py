"""Live changes: ids and versions, never data, by Redis pub/sub. A lost event costs a refresh, nothing else."""

import json
import logging
from dataclasses import dataclass
from uuid import UUID

import redis
from django.conf import settings
from django.db import transaction

from panel.core import doorbell

logger = logging.getLogger(__name__)


def channel() -> str:
    """Return the installation's channel: two may share one Redis and hear nothing of each other."""
    return f"innkeeper:{settings.INSTANCE_ID}:events"


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
        try:
            with doorbell.asked() as client:
                client.publish(channel(), self.message)
        except redis.RedisError as error:
            logger.warning("event not published: %s", error)
