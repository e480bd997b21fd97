"""The readings that are not written yet, in Redis: another collector goes on from them, and graphs show them.

A cache and no more. Without Redis a collector goes on from its memory; FLUSHALL costs at most the open window.
"""

import logging
import struct
from array import array
from collections.abc import Iterable
from uuid import UUID

import redis
from django.conf import settings

from hosts.usage.sampling import Observation
from panel.core.doorbell import asked

logger = logging.getLogger(__name__)
MOST = 64  # readings of one host: at one every 15 s a quarter of an hour
KEPT_S = 1200
_HEAD = struct.Struct("<qII")  # time, subjects, numbers of each


def gap_after_s() -> float:
    """Return how far two readings may be apart: a few may be missed; beyond that nobody knows how it was between."""
    return max(60.0, 4 * settings.COLLECT_EVERY_S)


def stream_name(*, kind: str, host_id: UUID, host_type: str) -> str:
    """Return the key of what one hypervisor of a host gives of one kind."""
    return f"innkeeper:{settings.INSTANCE_ID}:usage:{kind}:{host_id}:{host_type}"


def remember(stream: str, observation: Observation) -> None:
    """Add a reading. Does nothing while Redis is away."""
    try:
        with asked() as client:
            pipe = client.pipeline(transaction=False)
            pipe.rpush(stream, _pack(observation))
            pipe.ltrim(stream, -MOST, -1)
            pipe.expire(stream, KEPT_S)
            pipe.execute()
    except redis.RedisError as error:
        logger.warning("usage: a reading is kept in memory only: %s", error)


def remembered(streams: Iterable[str]) -> list[list[Observation]]:
    """Return the readings of each stream, the oldest first; none while Redis is away."""
    names = list(streams)
    if not names:
        return []
    try:
        with asked() as client:
            pipe = client.pipeline(transaction=False)
            for name in names:
                pipe.lrange(name, 0, -1)
            found = pipe.execute()
    except redis.RedisError as error:
        logger.warning("usage: the open window is not known: %s", error)
        return [[] for _ in names]
    return [_in_order(blobs) for blobs in found]


def _in_order(blobs: Iterable[bytes]) -> list[Observation]:
    found: dict[int, Observation] = {}
    last: Observation | None = None
    for blob in blobs:
        last = _unpack(blob, like=last) or last
        if last is not None:
            found[last.at_ms] = last
    return [found[at_ms] for at_ms in sorted(found)]


def _pack(observation: Observation) -> bytes:
    head = _HEAD.pack(observation.at_ms, len(observation.subjects), observation.width)
    return head + b"".join(one.bytes for one in observation.subjects) + observation.numbers.tobytes()


def _unpack(blob: bytes, *, like: Observation | None) -> Observation | None:
    """Return the reading; None when it is not one (another version of the panel may have written it)."""
    if len(blob) < _HEAD.size:
        return None
    at_ms, count, width = _HEAD.unpack_from(blob)
    names_end = _HEAD.size + 16 * count
    if len(blob) != names_end + 8 * count * width:
        return None
    names = blob[_HEAD.size : names_end]
    if like is not None and b"".join(one.bytes for one in like.subjects) == names:
        subjects = like.subjects
    else:
        subjects = tuple(UUID(bytes=names[start : start + 16]) for start in range(0, len(names), 16))
    numbers = array("q")
    numbers.frombytes(blob[names_end:])
    return Observation.of(at_ms=at_ms, subjects=subjects, numbers=numbers, width=width, like=like)
