"""Which requests wait for which, before they get a slot."""

import asyncio

import pytest

from panel.core.api.idempotency import WAIT_LEFT
from panel.live.repeats import Repeats, StillUnderWayError


def scope(*, key: str = "k", token: str = "t", method: str = "POST"):
    return {"method": method, "headers": [(b"authorization", token.encode()), (b"idempotency-key", key.encode())]}


class Server:
    """Requests that end when they are let go, with an effect or without."""

    def __init__(self, wait_s: float = 5.0) -> None:
        self.repeats = Repeats(wait_s)
        self.let_go = asyncio.Event()
        self.inside = self.most_inside = 0

    async def handle(self, request, *, done: bool = True) -> None:
        async with self.repeats.turn(request, done=lambda: done):
            self.inside += 1
            self.most_inside = max(self.most_inside, self.inside)
            try:
                await self.let_go.wait()
                await asyncio.sleep(0)
            finally:
                self.inside -= 1

    async def begun(self, *requests, done: bool = True):
        tasks = [asyncio.create_task(self.handle(request, done=done)) for request in requests]
        for _ in range(3):
            await asyncio.sleep(0)
        return tasks


def test_repeats_wait_for_the_first_and_then_go_on_side_by_side():
    async def scenario() -> None:
        server = Server()
        tasks = await server.begun(*(scope() for _ in range(5)))
        assert server.inside == 1
        server.let_go.set()
        await asyncio.gather(*tasks)
        assert server.most_inside == 4

    asyncio.run(scenario())


def test_after_one_without_effect_only_the_next_goes_on():
    async def scenario() -> None:
        server = Server()
        tasks = await server.begun(*(scope() for _ in range(5)), done=False)
        server.let_go.set()
        await asyncio.gather(*tasks)
        assert server.most_inside == 1

    asyncio.run(scenario())


@pytest.mark.parametrize("other", [scope(key="l"), scope(token="u"), scope(method="GET"), {"method": "POST"}])
def test_others_do_not_wait(other):
    async def scenario() -> None:
        server = Server()
        tasks = await server.begun(scope(), other)
        assert server.inside == 2
        server.let_go.set()
        await asyncio.gather(*tasks)

    asyncio.run(scenario())


def test_one_that_waited_long_is_told_and_one_that_follows_has_only_what_is_left():
    async def scenario() -> None:
        server = Server(wait_s=0.2)
        first, repeat = await server.begun(scope(), scope())
        with pytest.raises(StillUnderWayError):
            await repeat
        late = scope()
        (task,) = await server.begun(late, done=False)
        await asyncio.sleep(0.1)
        first.cancel()
        await asyncio.sleep(0.01)
        assert 1 <= late[WAIT_LEFT] <= 100
        server.let_go.set()
        await task

    asyncio.run(scenario())
