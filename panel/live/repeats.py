"""Requests that repeat one still under way wait here, where waiting costs no slot and no connection.

Of requests with the same credentials and the same ``Idempotency-Key`` one goes on; what the others get is known when it
has been answered. Another web process may be answering it, or the same client by another token: that is settled by the
database's lock (``panel.core.api.idempotency``), for which then one of them waits and not all.
"""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from panel.core.api.idempotency import WAIT_LEFT, WAIT_MS
from panel.live.http import Scope

_WHOSE = (b"authorization", b"cookie", b"idempotency-key")


class StillUnderWayError(Exception):
    """The request that this one repeats was not answered in time."""


@dataclass(slots=True)
class _First:
    """The request that went on."""

    ended: asyncio.Event = field(default_factory=asyncio.Event)
    done: bool = False  # it had an effect, so that its answer is kept for whoever repeats it


class Repeats:
    """The requests with a key that are under way in this process."""

    def __init__(self, wait_s: float = WAIT_MS / 1000) -> None:
        self._wait_s = wait_s
        self._under_way: dict[bytes, _First] = {}

    @asynccontextmanager
    async def turn(self, scope: Scope, *, done: Callable[[], bool]) -> AsyncIterator[None]:
        """Wait while a request that this one repeats is under way. ``done``: whether this one had an effect, once over.

        Raises:
            StillUnderWayError: that took too long.
        """
        name = _name(scope)
        if name is None:
            yield
            return
        deadline = time.monotonic() + self._wait_s
        while (first := self._under_way.get(name)) is not None:
            await _ended(first, deadline)
            if first.done:  # all who waited get its answer, side by side
                yield
                return
        scope[WAIT_LEFT] = max(1, int(1000 * (deadline - time.monotonic())))
        this = self._under_way[name] = _First()
        try:
            yield
            this.done = done()
        finally:
            del self._under_way[name]
            this.ended.set()


async def _ended(first: _First, deadline: float) -> None:
    try:
        async with asyncio.timeout(deadline - time.monotonic()):
            await first.ended.wait()
    except TimeoutError as error:
        raise StillUnderWayError from error


def _name(scope: Scope) -> bytes | None:
    """Return what repeats of a request have in common with it; None for one that no other can repeat."""
    headers = [(name, value) for name, value in scope.get("headers", ()) if name in _WHOSE]
    if scope["method"] != "POST" or not any(name == b"idempotency-key" for name, _ in headers):
        return None
    return hashlib.sha256(repr(sorted(headers)).encode()).digest()
