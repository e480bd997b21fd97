"""Kombu's way to Redis, made to outlive what is no message: whoever can write to Redis must not end a worker."""

import logging
from typing import Any

from kombu.transport import redis

logger = logging.getLogger(__name__)


class Channel(redis.Channel):
    """Throws away what cannot be read; Kombu would let it end the worker."""

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            logger.warning("what is no message was thrown away: %r", error)
            return True


class Transport(redis.Transport):
    """The transport behind ``redis://`` and ``redis+socket://``."""

    Channel = Channel
