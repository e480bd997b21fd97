"""Event streams and waiting requests: what they show, how they end, and what happens without a slot or Redis."""

import asyncio
import json
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, connections, transaction

from panel.core import events
from panel.core.models import JobStatus
from tests import factories
from tests.concurrency.http import Opened, answer, request
from tests.webserver import web_server

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server(transactional_db):
    with web_server(WEB_DB_SLOTS="8", WEB_DB_WAIT_S="30") as running:
        yield running


def finish(job) -> None:
    """End a job as its worker would, and tell those who wait."""
    with transaction.atomic():
        type(job).objects.filter(pk=job.pk).update(status="success", finished_at=job.created_at)
        events.publish("job", job.pk, customer_id=job.customer_id, final=True)


@pytest.fixture
def aside():
    """Run a function with the database in one other thread, from asyncio; its connection is closed after."""
    with ThreadPoolExecutor(max_workers=1) as thread:

        async def run(function, *arguments):
            return await asyncio.get_running_loop().run_in_executor(thread, function, *arguments)

        yield run
        thread.submit(connections.close_all).result()


def test_a_stream_shows_only_what_its_caller_sees(server, aside):
    ours, theirs = factories.customer_make(), factories.customer_make()
    user, colleague = factories.member_make(ours), factories.member_make(ours)
    owner = factories.token_make(user).value
    admin = factories.token_make(factories.staff_make()).value
    to_whom: dict[str, dict[str, Any]] = {
        "ours": {"customer_id": ours.pk},
        "theirs": {"customer_id": theirs.pk},
        "fleet": {},
        "mine": {"user_id": user.pk},
        "colleague": {"user_id": colleague.pk},
        "last": {"customer_id": ours.pk},
    }

    def publish() -> None:
        with transaction.atomic():
            for name, whom in to_whom.items():
                events.publish("thing", name, **whom)

    async def heard(stream: Opened) -> list[str]:
        text = b""
        while b"last" not in text:
            text += await stream.chunk()
        lines = [line.removeprefix("data: ") for line in text.decode().splitlines() if line.startswith("data: ")]
        found = [json.loads(line) for line in lines]
        assert all(set(event) == {"type", "id"} for event in found)
        return [event["id"] for event in found if event["id"] in to_whom]

    async def scenario() -> None:
        streams = [await request(server.port, "/events", token) for token in (owner, admin)]
        await aside(publish)
        async with asyncio.timeout(10):
            assert await heard(streams[0]) == ["ours", "mine", "last"]
            assert await heard(streams[1]) == ["ours", "theirs", "fleet", "mine", "colleague", "last"]
        for stream in streams:
            stream.close()
        assert (await answer(server.port, "/events"))[0] == 401
        assert (await answer(server.port, "/events", "x" * 64))[0] == 401

    asyncio.run(scenario())


def test_a_wait_ends_at_its_time_and_refuses_like_a_plain_get(server):
    customer = factories.customer_make()
    owner = factories.token_make(factories.member_make(customer)).value
    stranger = factories.token_make(factories.member_make(factories.customer_make())).value
    queued = factories.job_make(customer=customer)
    done = factories.job_make(customer=customer, status=JobStatus.SUCCESS)

    async def scenario() -> None:
        began = time.monotonic()
        status, body = await answer(server.port, f"/jobs/{queued.pk}?wait=1", owner)
        assert (status, body["status"]) == (200, "queued")
        assert 0.9 < time.monotonic() - began < 8
        began = time.monotonic()
        status, body = await answer(server.port, f"/jobs/{done.pk}?wait=25", owner)
        assert (status, body["status"]) == (200, "success")
        assert time.monotonic() - began < 8
        assert (await answer(server.port, f"/jobs/{queued.pk}?wait=5", stranger))[0] == 404
        assert (await answer(server.port, f"/jobs/{queued.pk}?wait=5"))[0] == 401
        status, body = await answer(server.port, f"/jobs/{queued.pk}?wait=26", owner)
        assert (status, body["errors"][0]["field"]) == (400, "wait")

    asyncio.run(scenario())


def test_the_process_ends_within_seconds_with_streams_and_waits_open(server):
    customer = factories.customer_make()
    token = factories.token_make(factories.member_make(customer)).value
    job = factories.job_make(customer=customer)

    async def scenario() -> None:
        streams = [await request(server.port, "/events", token) for _ in range(5)]
        waits = [asyncio.create_task(answer(server.port, f"/jobs/{job.pk}?wait=25", token)) for _ in range(5)]
        await asyncio.sleep(1)
        server.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(8):
            for stream in streams:
                await stream.body()  # ends properly, with its last chunk
            for status, body in await asyncio.gather(*waits):
                assert (status, body["status"]) == (200, "queued")

    asyncio.run(scenario())
    assert server.process.wait(timeout=8) is not None


def test_who_finds_no_slot_is_told_when_to_come_again(transactional_db, aside):
    token = factories.token_make(factories.staff_make()).value

    def hold_the_table(until: threading.Event) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE core_customer IN ACCESS EXCLUSIVE MODE")
            until.wait(20)

    async def scenario(port: int) -> None:
        until = threading.Event()
        holder = asyncio.create_task(aside(hold_the_table, until))
        await asyncio.sleep(0.5)
        slow = [asyncio.create_task(answer(port, "/customers", token)) for _ in range(2)]
        await asyncio.sleep(1)
        refused = await request(port, "/ssh-keys", token)
        body = await refused.json()
        assert (refused.status, body["code"]) == (503, "overloaded")
        assert refused.headers["retry-after"] == "2"
        assert refused.headers["content-type"] == "application/problem+json"
        until.set()
        await holder
        assert [status for status, _ in await asyncio.gather(*slow)] == [200, 200]

    with web_server(WEB_DB_SLOTS="2", WEB_DB_WAIT_S="0.5") as running:
        asyncio.run(scenario(running.port))


def test_without_redis_streams_say_so_and_waits_still_end(transactional_db, aside):
    token = factories.token_make(factories.staff_make()).value
    job = factories.job_make()

    async def scenario(port: int) -> None:
        refused = await request(port, "/events", token)
        assert (refused.status, (await refused.json())["code"]) == (503, "events_unavailable")
        assert "retry-after" in refused.headers
        waiting = asyncio.create_task(answer(port, f"/jobs/{job.pk}?wait=25", token))
        await asyncio.sleep(3)
        assert not waiting.done()
        await aside(finish, job)
        async with asyncio.timeout(10):
            status, body = await waiting
        assert (status, body["status"]) == (200, "success")

    with web_server(REDIS_URL="redis://127.0.0.1:1/0") as running:
        asyncio.run(scenario(running.port))
