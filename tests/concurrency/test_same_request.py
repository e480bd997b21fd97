"""One request sent 200 times at the same moment to two web processes, with the settings of production."""

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction

from lab.panel import LabPanel, panel_lent
from lab.processes import free_port
from panel.core.api import idempotency
from panel.core.models import Customer
from tests import factories
from tests.client import ApiUser, problem
from tests.concurrency.http import request

TIMES = 200
KEY = "order-4711"
# What can be ordered, by a billing system and by the owner of a customer. No worker runs: the jobs stay queued.
_STOCK = """
import json
from tests import factories, stock
client = factories.client_make()
customer = factories.customer_make(client=client, external_id="c-1")
stock.network_make(stock.host_make())
stock.image_make(slug="debian-12")
stock.plan_make(slug="small")
owner = factories.token_make(factories.member_make(customer)).value
print(json.dumps({"owner": owner, "shop": factories.token_make(client).value}))
"""
_COUNTS = """
import json
from billing.models import Subscription
from panel.core.models import Job
from vms.models import Guest
print(json.dumps([Guest.objects.count(), Subscription.objects.count(), Job.objects.count()]))
"""


@pytest.fixture(scope="module")
def panel() -> Iterator[LabPanel]:
    """The stores alone."""
    with panel_lent(settings={"API_RATE_LIMIT_PER_MINUTE": "100000"}) as panel:
        panel.prepare_stores()
        yield panel


@pytest.fixture(scope="module")
def ports(panel: LabPanel) -> tuple[int, int]:
    """Where the two web processes listen."""
    second = free_port()
    panel.start_web()
    panel.start_web(second_port=second)
    return panel.port, second


@pytest.fixture(scope="module")
def tokens(panel: LabPanel) -> dict[str, str]:
    made: dict[str, str] = json.loads(panel.manage("shell", "--no-imports", "-c", _STOCK))
    return made


def counts(panel: LabPanel) -> tuple[int, ...]:
    return tuple(json.loads(panel.manage("shell", "--no-imports", "-c", _COUNTS)))


async def send_all(ports: tuple[int, int], path: str, token: str, body: Any) -> list[tuple[int, dict[str, str], Any]]:
    async def one(number: int) -> tuple[int, dict[str, str], Any]:
        opened = await request(ports[number % 2], path, token, method="POST", body=json.dumps(body).encode(), key=KEY)
        try:
            return opened.status, opened.headers, await opened.json()
        finally:
            opened.close()

    return await asyncio.gather(*(one(number) for number in range(TIMES)))


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("path", "who", "body", "made"),
    [
        ("/guests", "owner", {"name": "web-1", "host_type": "kvm", "image": "debian-12", "plan": "small"}, (1, 1, 1)),
        (
            "/subscriptions",
            "shop",
            {
                "customer_external_id": "c-1",
                "plan": "small",
                "external_id": "o-1",
                "guest": {"name": "shop-1", "host_type": "lxc", "image": "debian-12"},
            },
            (1, 1, 1),
        ),
    ],
)
def test_200_identical_requests_have_one_effect_and_200_equal_answers(panel, ports, tokens, path, who, body, made):
    before = counts(panel)
    answers = asyncio.run(send_all(ports, path, tokens[who], body))
    assert {status for status, _, _ in answers} == {202}
    first = [answer for _, headers, answer in answers if "idempotent-replayed" not in headers]
    replayed = [answer for _, headers, answer in answers if headers.get("idempotent-replayed") == "true"]
    assert (len(first), len(replayed)) == (1, TIMES - 1)
    password = first[0].pop("root_password")
    assert len(password) >= 16
    for answer in replayed:
        assert (answer.pop("root_password"), answer.pop("root_password_shown")) == (None, True)
        assert answer == first[0]
    assert tuple(now - then for now, then in zip(counts(panel), before, strict=True)) == made


@pytest.mark.django_db(transaction=True)
def test_a_repeat_of_a_request_still_under_way_waits_and_is_then_told_so(monkeypatch):
    monkeypatch.setattr(idempotency, "WAIT_MS", 300)
    owner = factories.staff_make()
    token = factories.token_make(owner)
    begun, over = threading.Event(), threading.Event()

    def first() -> None:
        try:
            with transaction.atomic():
                idempotency._lock(f"{token.token.client_id}:{KEY}")
                begun.set()
                over.wait(30)
        finally:
            connection.close()

    thread = threading.Thread(target=first)
    thread.start()
    try:
        assert begun.wait(30)
        answer = ApiUser(token.value).post("/customers", {"name": "A"}, headers={"Idempotency-Key": KEY})
    finally:
        over.set()
        thread.join()
    problem(answer, 409, "idempotency_in_flight")
    assert int(answer["Retry-After"]) >= 1
    assert Customer.objects.filter(name="A").count() == 0
