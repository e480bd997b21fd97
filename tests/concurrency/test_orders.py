"""The same order many times at the same moment."""

from collections import Counter

import pytest

from billing.models import Subscription
from hosts.models import Host, IPAddress
from panel.core.models import Customer, Job
from tests import factories
from tests.client import ApiUser
from tests.concurrency.http import at_once
from tests.stock import host_make, image_make, network_make, plan_make
from vms.models import Guest

pytestmark = pytest.mark.django_db(transaction=True)
TIMES = 20


@pytest.fixture
def shop():
    """A billing system's API, with all that an order needs."""
    client = factories.client_make()
    factories.customer_make(client=client, external_id="c-1")
    network_make(host_make())
    image_make(slug="debian-12")
    plan_make(slug="small")
    return ApiUser(factories.token_make(client).value)


def order(**changes):
    guest = {"name": "web-1", "host_type": "kvm", "image": "debian-12"}
    return {"customer_external_id": "c-1", "plan": "small", "external_id": "o-1", "guest": guest, **changes}


def send(token: str, body, **more):
    return ApiUser(token).post("/subscriptions", body, **more)


def test_the_same_order_twenty_times_is_one_subscription_and_one_guest(shop):
    answers = at_once(TIMES, lambda _: send(shop.token, order()))
    assert Counter(a.status_code for a in answers) == {202: 1, 200: TIMES - 1}
    bodies = [a.json() for a in answers]
    assert len({b["subscription"]["id"] for b in bodies}) == 1
    assert len({b["guest"]["id"] for b in bodies}) == 1
    assert len({b["job"]["id"] for b in bodies}) == 1
    assert all(b["guest"]["addresses"] == bodies[0]["guest"]["addresses"] for b in bodies)
    assert [("root_password" in b) for b in bodies].count(True) == 1
    assert (Subscription.objects.count(), Guest.objects.count(), Job.objects.count()) == (1, 1, 1)
    assert IPAddress.objects.filter(owner_id__isnull=False).count() == 2
    assert Host.objects.get().used_vcpus == 1
    assert Customer.objects.get().used_guests == 1


def test_of_different_orders_under_one_id_one_wins_and_the_others_are_refused(shop):
    for slug in ("a", "b", "c", "d"):
        plan_make(slug=slug)
    answers = at_once(TIMES, lambda n: send(shop.token, order(plan="abcd"[n % 4])))
    winner = Subscription.objects.get().plan.slug
    for number, answer in enumerate(answers):
        if "abcd"[number % 4] == winner:
            assert answer.status_code in (200, 202)
        else:
            assert (answer.status_code, answer.json()["code"]) == (409, "external_id_conflict")
    assert Counter(a.status_code for a in answers) == {202: 1, 200: 4, 409: 15}
    assert Guest.objects.count() == 1


def test_orders_for_the_last_place_of_a_quota_leave_the_refused_ones_free_to_be_placed_again(shop):
    Customer.objects.update(quota_guests=5)
    answers = at_once(TIMES, lambda n: send(shop.token, order(external_id=f"o-{n}")))
    assert Counter(a.status_code for a in answers) == {202: 5, 409: 15}
    assert {a.json()["code"] for a in answers if a.status_code == 409} == {"quota_exceeded"}
    assert (Subscription.objects.count(), Guest.objects.count(), Host.objects.get().used_vcpus) == (5, 5, 5)
    Customer.objects.update(quota_guests=None)
    again = at_once(TIMES, lambda n: send(shop.token, order(external_id=f"o-{n}")))
    assert Counter(a.status_code for a in again) == {202: 15, 200: 5}
    assert Subscription.objects.count() == TIMES


def test_terminating_many_times_at_once_is_one_deletion(shop):
    made = send(shop.token, order()).json()["subscription"]["id"]
    answers = at_once(8, lambda _: ApiUser(shop.token).post(f"/subscriptions/{made}/actions/terminate"))
    assert Counter(a.status_code for a in answers) == {202: 1, 200: 7}
    assert Job.objects.filter(action="guest.delete").count() == 1
