"""One Redis subscription a process, fanned out to its open streams and waiting requests."""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import redis.asyncio
from redis.exceptions import RedisError

from panel.core import events

logger = logging.getLogger(__name__)
RETRY_S = 1.0
READY_S = 2.0
BACKLOG = 1000  # events a slow reader may be behind before its stream is ended


@dataclass(frozen=True, slots=True)
class Event:
    """Something changed. ``customer_id`` None: only staff of the fleet hear of it, and the person ``user_id``.

    ``final``: a job has ended.
    """

    type: str
    id: str
    customer_id: str | None
    final: bool
    user_id: str | None = None


class HubDownError(Exception):
    """Redis cannot be reached: no change can be followed now."""


class Subscription:
    """A reader's queue. Ended by the hub when events may have been lost: no replay, the reader begins anew."""

    def __init__(self, wants: Callable[[Event], bool]) -> None:
        self.wants = wants
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._ended = False

    def offer(self, event: Event) -> None:
        """Queue an event, or end the subscription when the reader is too far behind."""
        if self._ended:
            return
        if self._queue.qsize() >= BACKLOG:
            self.end()
        elif self.wants(event):
            self._queue.put_nowait(event)

    def end(self) -> None:
        """Let the reader see the end after what is queued."""
        if not self._ended:
            self._ended = True
            self._queue.put_nowait(None)

    async def next(self) -> Event | None:
        """Return the next event; None at the end."""
        return await self._queue.get()

    def waiting(self) -> list[Event]:
        """Return what is queued already, up to the end mark, which stays."""
        found: list[Event] = []
        while not self._queue.empty():
            event = self._queue.get_nowait()
            if event is None:
                self._queue.put_nowait(None)
                break
            found.append(event)
        return found


class EventHub:
    """Reads the channel while the process lives, from the first subscriber on."""

    def __init__(self, redis_url: str) -> None:
        self._url = redis_url
        self._readers: set[Subscription] = set()
        self._ready = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.closing = False

    @contextlib.asynccontextmanager
    async def subscribe(self, wants: Callable[[Event], bool]) -> AsyncIterator[Subscription]:
        """Follow the events that ``wants`` accepts.

        Raises:
            HubDownError: Redis does not answer, or the process is ending.
        """
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="event-hub")
        try:
            async with asyncio.timeout(READY_S):
                await self._ready.wait()
        except TimeoutError as error:
            raise HubDownError from error
        if self.closing:
            raise HubDownError
        reader = Subscription(wants)
        self._readers.add(reader)
        try:
            yield reader
        finally:
            self._readers.discard(reader)

    def end_all(self) -> None:
        """End every subscription: events may have been lost, or the process is ending."""
        for reader in self._readers:
            reader.end()

    async def close(self) -> None:
        """End all and let go of Redis."""
        self.closing = True
        self.end_all()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            try:
                await self._read()
            except (RedisError, OSError, TimeoutError) as error:
                logger.warning("live changes cannot be followed: %s", error)
            self._ready.clear()
            self.end_all()
            await asyncio.sleep(RETRY_S)

    async def _read(self) -> None:
        client = redis.asyncio.Redis.from_url(self._url, socket_connect_timeout=2, health_check_interval=15)
        async with client, client.pubsub() as channel:
            await channel.subscribe(events.channel())
            while True:
                message = await channel.get_message(timeout=10)
                if message is None:
                    continue
                if message["type"] == "subscribe":
                    if self._ready.is_set():  # the client has connected anew by itself: what was said between is lost
                        self.end_all()
                    self._ready.set()
                elif message["type"] == "message" and (event := _parse(message["data"])) is not None:
                    for reader in list(self._readers):
                        reader.offer(event)


def _parse(data: Any) -> Event | None:
    try:
        fields = json.loads(data)
        return Event(fields["type"], fields["id"], fields["customer"], bool(fields.get("final")), fields.get("user"))
    except (ValueError, KeyError, TypeError) as error:
        logger.warning("not an event: %s", error)
        return None
