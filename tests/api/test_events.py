"""Live changes: each thing that pages show is told of once a transaction, after the commit, and not without one."""

import json
import time
from collections import Counter

import pytest
import redis
from django.db import transaction

from panel.core import doorbell, events
from tests import factories
from tests.simulated_fleet import jobs_run

pytestmark = pytest.mark.django_db(transaction=True)


class Heard(list[dict]):
    """What was published, in order. Stands in for Redis."""

    def publish(self, channel: str, message: str) -> None:
        assert channel == events.channel()
        self.append(json.loads(message))

    def counts(self) -> Counter[str]:
        """How often each kind of thing was told of, since the last time of asking."""
        found = Counter(event["type"] for event in self)
        self.clear()
        return found


@pytest.fixture
def heard(monkeypatch) -> Heard:
    """The events that are published."""
    heard = Heard()
    monkeypatch.setattr(redis.Redis, "publish", lambda client, *told: heard.publish(*told))
    monkeypatch.setattr(doorbell, "_is_away", False)
    return heard


def test_a_transaction_tells_of_a_thing_once_and_only_when_it_commits(heard):
    with transaction.atomic():
        for _ in range(3):
            events.publish("guest", "a", customer_id="c")
        events.publish("guest", "b", customer_id="c")
        events.publish("guest", "a", customer_id="c", final=True)
        assert heard == []
    assert [(event["id"], event.get("final")) for event in heard] == [("a", None), ("b", None), ("a", True)]
    heard.clear()
    with transaction.atomic():
        events.publish("guest", "a")
        transaction.set_rollback(True)
    assert heard == []
    with transaction.atomic():
        with transaction.atomic():
            events.publish("guest", "a")
            transaction.set_rollback(True)
        events.publish("guest", "a")
    assert heard.counts() == {"guest": 1}


def test_a_redis_that_is_away_is_asked_once_and_again_after_a_moment(heard, monkeypatch):
    tried = []

    def publish(channel: str, message: str) -> None:
        tried.append(json.loads(message)["id"])
        raise redis.ConnectionError("away")

    heard.publish = publish
    with transaction.atomic():
        for name in "abc":
            events.publish("guest", name)
    assert tried == ["a"]
    later = time.monotonic() + doorbell.AWAY_S
    monkeypatch.setattr(time, "monotonic", lambda: later)
    events.publish("guest", "d")
    assert tried == ["a", "d"]


def test_tokens_and_integrations_are_told_of(heard, customer, api_of, admin_api):
    user = factories.member_make(customer)
    made = api_of(user).post("/tokens", {"name": "t"}).json()
    api_of(user).delete(f"/tokens/{made['id']}")
    assert heard == [{"type": "token", "id": made["id"], "customer": None, "user": str(user.pk)}] * 2
    heard.clear()
    client = admin_api.post("/clients", {"name": "shop", "role": "billing"}).json()
    admin_api.patch(f"/clients/{client['id']}", {"is_active": False})
    assert heard == [{"type": "client", "id": client["id"], "customer": None}] * 2


def test_what_a_guest_takes_and_gives_back_is_told_of(heard, one_host, admin_api, customer):
    heard.clear()
    body = {"name": "web-1", "host_type": "kvm", "vcpus": 1, "memory_mib": 256, "disk_gib": 2, "image": "micro"}
    made = admin_api.post("/guests", {**body, "customer": str(customer.pk)}).json()
    told = {(event["type"], event["id"]) for event in heard}
    assert told >= {("host", str(one_host.pk)), ("customer", str(customer.pk)), ("guest", made["guest"]["id"])}
    assert heard.counts() == {"guest": 1, "job": 1, "host": 1, "customer": 1, "network": 1}
    jobs_run()
    heard.clear()
    admin_api.delete(f"/guests/{made['guest']['id']}")
    assert not {"host", "customer", "network"} & set(heard.counts())
    jobs_run()
    counted = heard.counts()
    assert (counted["host"], counted["customer"], counted["network"]) == (1, 1, 1)
