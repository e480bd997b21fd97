"""``GET /api/v1/jobs/{id}?wait=N``: answers when the job has ended, at the latest after N seconds."""

import asyncio
import contextlib
import re
import time
from urllib.parse import parse_qs
from uuid import UUID

from panel.core.api.jobs import MAX_WAIT_S, JobDetailView
from panel.core.models.jobs import FINAL
from panel.live.access import Answer, read
from panel.live.http import Receive, Scope, Send, respond
from panel.live.hub import Event, EventHub, HubDownError, Subscription
from panel.live.slots import Slots

POLL_S = 3.0  # without Redis
_PATH = re.compile(r"^/api/v1/jobs/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$")


def waiting_for(scope: Scope) -> tuple[UUID, int] | None:
    """Return the job and the seconds a request waits for, or None when it is of another kind.

    A ``wait`` that makes no sense is left to the view, which says so.
    """
    found = _PATH.match(scope["path"])
    if scope["method"] != "GET" or found is None:
        return None
    values = parse_qs(scope["query_string"].decode("latin-1")).get("wait", ["0"])
    seconds = int(values[-1]) if re.fullmatch(r"[0-9]{1,3}", values[-1]) else 0
    return (UUID(found[1]), seconds) if 0 < seconds <= MAX_WAIT_S else None


async def wait(
    scope: Scope, receive: Receive, send: Send, slots: Slots, hub: EventHub, job_id: UUID, seconds: int
) -> None:
    """Answer one waiting caller."""
    deadline = time.monotonic() + seconds
    waiter = Waiter(scope, slots, job_id, deadline)
    left = asyncio.create_task(_left(receive))
    work = asyncio.create_task(waiter.answer(hub))
    try:
        await asyncio.wait({left, work}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            answer = work.result()
            with contextlib.suppress(OSError):
                await respond(send, answer.status, answer.headers, answer.body)
    finally:
        for task in (left, work):
            task.cancel()
        await asyncio.gather(left, work, return_exceptions=True)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class Waiter:
    """Reads the job, waits without a thread or a connection, and reads it once more."""

    def __init__(self, scope: Scope, slots: Slots, job_id: UUID, deadline: float) -> None:
        self._scope, self._slots, self._job_id, self._deadline = scope, slots, job_id, deadline

    async def answer(self, hub: EventHub) -> Answer:
        """Return the job's JSON when it has ended or time is up, or whatever refuses the caller."""
        try:
            # Following begins before the first read, so that an end in between is not missed.
            async with hub.subscribe(self._ends) as subscription:
                answer = await self._read()
                while _open(answer) and self._left_s > 0:
                    ended = await self._wait(subscription)
                    answer = await self._read()
                    if not ended and self._left_s > 0:
                        break  # the subscription broke: ask again now and then
                if not _open(answer) or self._left_s <= 0:
                    return answer
        except HubDownError:
            answer = await self._read()
        while _open(answer) and self._left_s > 0 and not hub.closing:
            await asyncio.sleep(min(POLL_S, self._left_s))
            answer = await self._read()
        return answer

    @property
    def _left_s(self) -> float:
        return self._deadline - time.monotonic()

    def _ends(self, event: Event) -> bool:
        return event.final and event.type == "job" and event.id == str(self._job_id)

    async def _wait(self, subscription: Subscription) -> bool:
        """Wait for the job's end or the deadline; False when the subscription ended or time is up."""
        try:
            async with asyncio.timeout(self._left_s):
                return await subscription.next() is not None
        except TimeoutError:
            return False

    async def _read(self) -> Answer:
        return await self._slots.run(lambda: read(self._scope, JobDetailView, job_id=self._job_id))


def _open(answer: Answer) -> bool:
    return answer.status == 200 and answer.data["status"] not in FINAL
