"""``GET /api/v1/events``: live changes as server-sent events (WHATWG HTML, "Server-sent events")."""

import asyncio
import contextlib
import json
import random
import time

from panel.core.actors import Actor
from panel.core.api.events import EventsView
from panel.core.permissions import Permission
from panel.live.access import Entered, enter
from panel.live.http import Headers, Receive, Scope, Send, refuse, respond
from panel.live.hub import Event, EventHub, HubDownError, Subscription
from panel.live.slots import BusyError, Slots

HEARTBEAT_S = 15.0
RECHECK_S = 60.0
RECHECK_WHEN_BUSY_S = 10.0
WRITE_S = 30.0  # a reader that takes nothing for so long has gone
RECONNECT_MS = 2000
ALIVE = "event: alive\ndata: {}\n\n"  # data, because a page cannot hear comments and so not notice their absence
_HEADERS: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
]


class Stream:
    """One open page. Sends what its caller may see; checks each minute that they still may."""

    def __init__(self, scope: Scope, send: Send, slots: Slots, actor: Actor) -> None:
        self._scope, self._send, self._slots = scope, send, slots
        self._actor = actor

    def wants(self, event: Event) -> bool:
        """True when the caller may know of the change."""
        if event.user_id is not None and event.user_id == str(self._actor.user_id):
            return True
        if event.customer_id is None:
            return Permission.FLEET_VIEW in self._actor.everywhere
        visible = self._actor.customer_ids
        return visible is None or event.customer_id in map(str, visible)

    async def run(self, subscription: Subscription) -> None:
        """Send until the subscription ends or the caller is no longer let in."""
        await self._send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await self._write(f"retry: {RECONNECT_MS}\n: connected\n\n")
        beat = time.monotonic() + HEARTBEAT_S
        check = time.monotonic() + RECHECK_S * random.uniform(0.9, 1.1)  # noqa: S311 - spreads the checks
        while True:
            if time.monotonic() >= check:
                try:
                    if not await self._still_allowed():
                        break
                    check = time.monotonic() + RECHECK_S
                except BusyError:  # ending it now would only bring its reader back at once
                    check = time.monotonic() + RECHECK_WHEN_BUSY_S
            if time.monotonic() >= beat:
                await self._write(ALIVE)
                beat = time.monotonic() + HEARTBEAT_S
            try:
                async with asyncio.timeout(max(0.0, min(beat, check) - time.monotonic())):
                    event = await subscription.next()
            except TimeoutError:
                continue
            if event is None:
                break
            await self._write("".join(_lines(e) for e in [event, *subscription.waiting()]))
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _still_allowed(self) -> bool:
        entered = await self._slots.run(lambda: enter(self._scope, EventsView))
        if entered.actor is None:
            return False
        self._actor = entered.actor
        return True

    async def _write(self, text: str) -> None:
        async with asyncio.timeout(WRITE_S):
            await self._send({"type": "http.response.body", "body": text.encode(), "more_body": True})


def _lines(event: Event) -> str:
    return f"data: {json.dumps({'type': event.type, 'id': event.id})}\n\n"


async def events(scope: Scope, receive: Receive, send: Send, slots: Slots, hub: EventHub) -> None:
    """Answer one caller with a stream, until they leave."""
    entered: Entered = await slots.run(lambda: enter(scope, EventsView))
    if entered.actor is None:
        refusal = entered.refusal
        assert refusal is not None  # noqa: S101 - one of the two is always there
        await respond(send, refusal.status, refusal.headers, refusal.body)
        return
    stream = Stream(scope, send, slots, entered.actor)
    try:
        async with hub.subscribe(stream.wants) as subscription:
            left = asyncio.create_task(_until_left(receive, subscription))
            try:
                with contextlib.suppress(OSError):  # the caller left while we wrote
                    await stream.run(subscription)
            finally:
                left.cancel()
    except HubDownError:
        detail = "Live changes cannot be followed at the moment. Everything else works."
        await refuse(scope, send, status=503, code="events_unavailable", detail=detail, retry_after_s=2)


async def _until_left(receive: Receive, subscription: Subscription) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    subscription.end()
