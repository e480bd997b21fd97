"""Rate limits per client, counted in Redis; without Redis they let everything through."""

import logging
import time

import redis
from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from panel.core.actors import Actor
from panel.core.doorbell import asked
from panel.core.middleware import client_network

logger = logging.getLogger(__name__)
WINDOW_S = 60


class ClientThrottle(BaseThrottle):
    """A fixed window of a minute per client (or address); leaves its numbers for the headers."""

    def allow_request(self, request: Request, view: object) -> bool:
        identity = request.user.pk if isinstance(request.user, Actor) else client_network(request._request)
        return self.counted(request, f"rate:{identity}", settings.API_RATE_LIMIT_PER_MINUTE)

    def counted(self, request: Request, name: str, limit: int) -> bool:
        """Count a request. False: there were more than ``limit`` in this minute."""
        window = int(time.time()) // WINDOW_S
        self.reset_s = WINDOW_S - int(time.time()) % WINDOW_S
        key = f"innkeeper:{settings.INSTANCE_ID}:{name}:{window}"
        try:
            with asked() as client, client.pipeline() as pipe:
                pipe.incr(key)
                pipe.expire(key, 2 * WINDOW_S)
                count, _ = pipe.execute()
        except redis.RedisError as error:
            logger.warning("rate limit not counted: %s", error)
            return True
        request._request.rate_limit = (limit, max(0, limit - count), self.reset_s)  # type: ignore[attr-defined]
        return bool(count <= limit)

    def wait(self) -> float:
        return float(self.reset_s)


class RefusedThrottle(ClientThrottle):
    """The same per address for tokens that are refused. Valid ones from there are not counted and not slowed."""

    def allow_request(self, request: Request, view: object) -> bool:
        return self.counted(
            request, f"refused:{client_network(request._request)}", settings.API_REFUSED_LIMIT_PER_MINUTE
        )
