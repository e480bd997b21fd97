"""Repeats of a request still under way wait without keeping the web process from others."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection, transaction

from panel.core.models import Customer
from tests import factories
from tests.concurrency.http import answer, request
from tests.webserver import web_server

pytestmark = pytest.mark.django_db(transaction=True)
SLOTS = 4
REPEATS = 5 * SLOTS
KEY, ORDER = "order-1", {"name": "A", "external_id": "c-1"}
FAST_S = 3.0  # on a machine that does much else


@contextmanager
def held_up(client) -> Iterator[threading.Event]:
    """Hold up whoever makes a customer with this external_id, until the event is set: it may be taken, or not."""
    begun, until = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                factories.customer_make(client=client, external_id=ORDER["external_id"])
                begun.set()
                until.wait(60)
                transaction.set_rollback(True)
        finally:
            connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert begun.wait(30)
        yield until
    finally:
        until.set()
        thread.join()


async def order(port: int, token: str) -> tuple[int, dict[str, str], str, float]:
    began = time.monotonic()
    opened = await request(port, "/customers", token, method="POST", body=json.dumps(ORDER).encode(), key=KEY)
    try:
        return opened.status, opened.headers, (await opened.body()).decode(), time.monotonic() - began
    finally:
        opened.close()


async def others_are_answered(port: int, token: str) -> None:
    for _ in range(5):
        began = time.monotonic()
        assert (await answer(port, "/customers", token))[0] == 200
        assert time.monotonic() - began < FAST_S


def test_many_repeats_leave_the_process_to_others_and_get_the_first_answer():
    client = factories.client_make()
    token, other = (factories.token_make(who).value for who in (client, factories.staff_make()))

    async def scenario(port: int, until: threading.Event) -> None:
        orders = [asyncio.create_task(order(port, token)) for _ in range(REPEATS)]
        await asyncio.sleep(1)
        await others_are_answered(port, other)
        assert not any(one.done() for one in orders)
        until.set()
        answers = await asyncio.gather(*orders)
        assert {status for status, *_ in answers} == {201}
        assert len({body for _, _, body, _ in answers}) == 1
        assert sum("idempotent-replayed" not in headers for _, headers, _, _ in answers) == 1

    with web_server(WEB_DB_SLOTS=str(SLOTS)) as running, held_up(client) as until:
        asyncio.run(scenario(running.port, until))
    assert Customer.objects.filter(external_id=ORDER["external_id"]).count() == 1


def test_repeats_are_told_after_ten_seconds_and_others_are_answered_all_the_time():
    client = factories.client_make()
    token, other = (factories.token_make(who).value for who in (client, factories.staff_make()))

    async def scenario(port: int, until: threading.Event) -> None:
        first = asyncio.create_task(order(port, token))
        await asyncio.sleep(0.5)
        repeats = [asyncio.create_task(order(port, token)) for _ in range(REPEATS)]
        while not all(one.done() for one in repeats):
            await others_are_answered(port, other)
            await asyncio.sleep(0.2)
        for status, headers, body, seconds in await asyncio.gather(*repeats):
            assert (status, json.loads(body)["code"]) == (409, "idempotency_in_flight")
            assert int(headers["retry-after"]) >= 1
            assert headers["content-type"] == "application/problem+json"
            assert 9.5 < seconds < 15
        assert not first.done()
        until.set()
        assert (await first)[0] == 201
        status, headers, body, _ = await order(port, token)
        assert (status, headers["idempotent-replayed"], body) == (201, "true", (await first)[2])

    with web_server(WEB_DB_SLOTS=str(SLOTS)) as running, held_up(client) as until:
        asyncio.run(scenario(running.port, until))
