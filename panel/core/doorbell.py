"""Redis as this process uses it: for what may be lost, and never waited for by a request.

One that refuses costs nothing. One that accepts and never answers costs whoever asks first a second; then nobody else
asks for a moment, so that not each of them, and not each of a request's events, waits for it.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import redis
from django.conf import settings

ANSWERS_WITHIN_S = 1.0
AWAY_S = 2.0  # after a failure nobody asks for so long; then one tries, and until that is known the others still do not
_client: redis.Redis | None = None
_lock = threading.Lock()  # of the two below
_is_away = False
_ask_again_at = 0.0


def redis_client() -> redis.Redis:
    """Return this process's client, with short time-outs; for a request by ``asked``."""
    global _client
    if _client is None:
        _client = redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=ANSWERS_WITHIN_S, socket_connect_timeout=ANSWERS_WITHIN_S
        )
    return _client


@contextmanager
def asked() -> Iterator[redis.Redis]:
    """Lend the client. Raises: redis.RedisError, at once while Redis was away a moment ago."""
    _take_turn()
    try:
        yield redis_client()
    except redis.RedisError:
        _note(away=True)
        raise
    _note(away=False)


def answers() -> bool:
    """True when Redis answers, as far as is known; asks it, unless it was away a moment ago."""
    try:
        with asked() as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def messages_waiting(queue: str) -> int:
    """Return how many messages wait in a Celery queue, a Redis list of its name; 0 while Redis is away."""
    try:
        with asked() as client:
            return int(client.llen(queue))
    except redis.RedisError:
        return 0


def _take_turn() -> None:
    global _ask_again_at
    with _lock:
        if not _is_away:
            return
        now = time.monotonic()
        if now < _ask_again_at:
            raise redis.ConnectionError("Redis was away a moment ago")
        _ask_again_at = now + AWAY_S


def _note(*, away: bool) -> None:
    global _is_away, _ask_again_at
    with _lock:
        _is_away = away
        _ask_again_at = time.monotonic() + AWAY_S if away else 0.0
