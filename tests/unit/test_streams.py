"""The live stream: a page hears that it is alive, so that it can notice when it is not."""

import asyncio
import uuid
from typing import Any

import pytest
import redis
from django.conf import settings

from panel.core.actors import SYSTEM
from panel.live import streams
from panel.live.hub import Event, EventHub, Subscription
from panel.live.slots import BusyError


def test_a_quiet_stream_says_that_it_is_alive_as_data_not_as_a_comment(monkeypatch):
    monkeypatch.setattr(streams, "HEARTBEAT_S", 0.02)
    sent: list[str] = []

    async def scenario() -> None:
        subscription = Subscription(lambda event: True)

        async def send(message: Any) -> None:
            sent.append(message.get("body", b"").decode())
            if sum("alive" in text for text in sent) >= 2:
                subscription.end()

        await asyncio.wait_for(streams.Stream({}, send, None, SYSTEM).run(subscription), 5)  # type: ignore[arg-type]

    asyncio.run(scenario())
    beats = [text for text in sent if "alive" in text]
    assert beats[:2] == ["event: alive\ndata: {}\n\n"] * 2


class BusySlots:
    """Has no slot free, however often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def run(self, work: Any) -> Any:
        self.asked += 1
        raise BusyError


def test_a_stream_outlives_a_busy_moment_in_which_nobody_can_say_who_may_read_it(monkeypatch):
    monkeypatch.setattr(streams, "RECHECK_S", 0.01)
    monkeypatch.setattr(streams, "RECHECK_WHEN_BUSY_S", 0.01)
    slots, sent = BusySlots(), []

    async def scenario() -> None:
        subscription = Subscription(lambda event: True)

        async def send(message: Any) -> None:
            sent.append(message)

        running = asyncio.create_task(streams.Stream({}, send, slots, SYSTEM).run(subscription))  # type: ignore[arg-type]
        async with asyncio.timeout(5):
            while slots.asked < 3:
                await asyncio.sleep(0.01)
        assert not running.done()
        subscription.end()
        await running

    asyncio.run(scenario())
    assert sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


def test_a_reader_that_takes_nothing_is_let_go(monkeypatch):
    monkeypatch.setattr(streams, "WRITE_S", 0.05)

    async def scenario() -> None:
        async def send(message: Any) -> None:
            if message.get("body"):
                await asyncio.Event().wait()

        subscription = Subscription(lambda event: True)
        running = asyncio.create_task(streams.Stream({}, send, None, SYSTEM).run(subscription))  # type: ignore[arg-type]
        done, _ = await asyncio.wait({running}, timeout=5)
        assert done
        with pytest.raises(TimeoutError):
            running.result()

    asyncio.run(scenario())


def test_a_reader_hears_of_the_end_once_and_of_nothing_after_it():
    async def scenario() -> None:
        subscription = Subscription(lambda event: True)
        event = Event("guest", "1", None, final=False)
        subscription.offer(event)
        for _ in range(3):
            subscription.end()
            subscription.offer(event)
        assert [await subscription.next(), await subscription.next()] == [event, None]
        assert subscription.waiting() == []

    asyncio.run(scenario())


def test_readers_begin_anew_when_the_connection_to_redis_was_cut_and_came_back():
    store, name = redis.Redis.from_url(settings.REDIS_URL), f"reader-{uuid.uuid4().hex}"
    url = f"{settings.REDIS_URL}{'&' if '?' in settings.REDIS_URL else '?'}client_name={name}"

    async def scenario() -> None:
        hub = EventHub(url)
        try:
            async with hub.subscribe(lambda event: True) as subscription:
                (ours,) = (found["id"] for found in store.client_list(_type="pubsub") if found["name"] == name)
                store.client_kill_filter(_id=ours)
                assert await asyncio.wait_for(subscription.next(), 10) is None
        finally:
            await hub.close()

    asyncio.run(scenario())
