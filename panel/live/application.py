"""The ASGI entry: routes the two long answers, admits the rest to Django, ends cleanly."""

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable
from types import FrameType

from panel.core.api.idempotency import IN_FLIGHT_AFTER_S
from panel.core.errors import IdempotencyInFlightError
from panel.core.processes import Heartbeat
from panel.live.http import (
    DisconnectedError,
    Message,
    Receive,
    Scope,
    Send,
    TooLargeError,
    read_body,
    refuse,
    replay,
    respond,
)
from panel.live.hub import EventHub
from panel.live.repeats import Repeats, StillUnderWayError
from panel.live.slots import BusyError, Slots
from panel.live.streams import events
from panel.live.waits import wait, waiting_for

EVENTS_PATH = "/api/v1/events"
ALIVE_PATH = "/healthz"  # answered here: it must not wait for a slot that waits for a database
KEPT_BYTES = 8 * 1024 * 1024  # of an answer, so that a slow reader holds no slot
_ALIVE_HEADERS = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]


class Application:
    """One web process."""

    def __init__(self, *, django: Asgi, slots: int, wait_s: float, redis_url: str) -> None:
        self._django = django
        self._slots = Slots(slots, wait_s)
        self._repeats = Repeats()
        self._hub = EventHub(redis_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
        else:
            await self._http(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if scope["path"] == ALIVE_PATH and scope["method"] in ("GET", "HEAD"):
                await respond(send, 200, _ALIVE_HEADERS, b'{"status": "ok"}')
            elif scope["path"] == EVENTS_PATH and scope["method"] == "GET":
                await events(scope, receive, send, self._slots, self._hub)
            elif waited := waiting_for(scope):
                await wait(scope, receive, send, self._slots, self._hub, *waited)
            else:
                await self._admit(scope, receive, send)
        except BusyError:
            detail = "The panel is very busy. Nothing was done; try again in a few seconds."
            await refuse(scope, send, status=503, code="overloaded", detail=detail, retry_after_s=2)
        except StillUnderWayError:
            error = IdempotencyInFlightError()
            await refuse(scope, send, status=409, code=error.code, detail=str(error), retry_after_s=IN_FLIGHT_AFTER_S)
        except TooLargeError:
            await refuse(scope, send, status=413, code="too_large", detail="The request is too large.")
        except TimeoutError:
            await refuse(scope, send, status=408, code="too_slow", detail="The request did not arrive in time.")
        except DisconnectedError:
            return

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await read_body(receive)
        answer = Kept(send)
        async with self._repeats.turn(scope, done=lambda: answer.status < 300), self._slots.admit():
            await self._django(scope, replay(body, receive), answer)
        await answer.flush()

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        beating: Heartbeat | None = None
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self._end_streams_on_signals()
                beating = Heartbeat().start()
                await send({"type": "lifespan.startup.complete"})
            else:
                await self._hub.close()
                if beating is not None:
                    await asyncio.to_thread(beating.stop)
                await send({"type": "lifespan.shutdown.complete"})
                return

    def _end_streams_on_signals(self) -> None:
        """End streams when the server is told to stop: it waits for open answers before it says so here."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            before = signal.getsignal(number)
            if callable(before):
                signal.signal(number, self._ending(before))

    def _ending(self, before: Callable[[int, FrameType | None], object]) -> Callable[[int, FrameType | None], None]:
        def handle(number: int, frame: FrameType | None) -> None:
            self._hub.closing = True
            self._hub.end_all()
            before(number, frame)

        return handle


class Kept:
    """Keeps an answer until the slot is free again; one that grows too large is passed on from there."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 500  # until it is known
        self._messages: list[Message] = []
        self._bytes = 0

    async def __call__(self, message: Message) -> None:
        self.status = message.get("status", self.status)
        self._messages.append(message)
        self._bytes += len(message.get("body", b""))
        if self._bytes > KEPT_BYTES:
            await self.flush()

    async def flush(self) -> None:
        """Pass on what is kept."""
        messages, self._messages = self._messages, []
        for message in messages:
            await self._send(message)
