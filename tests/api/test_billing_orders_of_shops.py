"""Ordering by a billing system: the same order again is the same subscription."""

import pytest

from billing.models import Plan, Subscription
from hosts.models import Host
from panel.core.models import Customer, Job
from tests import factories
from tests.api.orders import ZERO, guest, nothing_was_made
from tests.client import problem
from tests.stock import plan_make
from vms.models import Guest

pytestmark = pytest.mark.django_db


def order(**changes):
    return {"customer_external_id": "c-1", "plan": "small", "external_id": "o-1", "guest": guest(), **changes}


@pytest.fixture
def shop(api_of):
    """A billing system with a customer ``c-1`` of its own."""
    client = factories.client_make()
    api = api_of(client)
    api.client = client
    api.customer = factories.customer_make(client=client, external_id="c-1")
    return api


def test_a_billing_system_orders_for_its_customer(stocked_host, shop):
    response = shop.post("/subscriptions", order(guest=guest(ssh_keys=[])))
    assert response.status_code == 202, response.content
    body = response.json()
    assert response["Location"] == f"/api/v1/jobs/{body['job']['id']}"
    subscription = body["subscription"]
    assert (subscription["external_id"], subscription["plan"], subscription["status"]) == ("o-1", "small", "active")
    assert (subscription["customer"], subscription["customer_external_id"]) == (str(shop.customer.pk), "c-1")
    assert subscription["guest"] == body["guest"]["id"]
    assert [a["family"] for a in body["guest"]["addresses"]] == [4, 6]
    assert body["guest"]["host"] is None
    assert len(body["root_password"]) >= 16
    assert body["job"]["action"] == "guest.create"
    found = shop.get("/subscriptions", external_id="o-1").json()["results"]
    assert found == [subscription]
    assert shop.get(f"/subscriptions/{subscription['id']}").json() == subscription


def test_the_same_order_again_is_the_same_subscription(stocked_host, shop, api_of):
    first = shop.post("/subscriptions", order(guest=guest(ssh_keys=[]))).json()
    newer_token = api_of(shop.client)
    for api in (shop, newer_token):
        again = api.post("/subscriptions", order(guest=guest(ssh_keys=[])))
        assert again.status_code == 200, again.content
        body = again.json()
        assert (body["subscription"], body["job"]["id"]) == (first["subscription"], first["job"]["id"])
        assert body["guest"]["addresses"] == first["guest"]["addresses"]
        assert "root_password" not in body
    assert (Guest.objects.count(), Subscription.objects.count(), Job.objects.count()) == (1, 1, 1)
    assert Host.objects.get().used_vcpus == 1


@pytest.mark.parametrize(
    "change",
    [
        {"plan": "large"},
        {"guest": guest(name="web-2")},
        {"guest": guest(root_password="another one 123")},
        {"customer_external_id": "c-2"},
    ],
)
def test_another_order_under_the_same_id_is_refused(stocked_host, shop, change):
    plan_make(slug="large")
    factories.customer_make(client=shop.client, external_id="c-2")
    first = shop.post("/subscriptions", order()).json()
    body = problem(shop.post("/subscriptions", order(**change)), 409, "external_id_conflict")
    assert body["subscription_id"] == first["subscription"]["id"]
    assert (Guest.objects.count(), Subscription.objects.count()) == (1, 1)


def test_ids_of_two_clients_do_not_meet(stocked_host, shop, api_of):
    other = factories.client_make()
    factories.customer_make(client=other, external_id="c-1")
    assert shop.post("/subscriptions", order()).status_code == 202
    assert api_of(other).post("/subscriptions", order()).status_code == 202
    assert Subscription.objects.values("client").distinct().count() == 2


def test_the_same_order_is_recognised_after_the_plan_was_archived_and_the_contract_ended(stocked_host, shop):
    first = shop.post("/subscriptions", order()).json()
    Plan.objects.update(archived_at="2026-11-01T00:00:00Z")
    Subscription.objects.update(status="terminated")
    again = shop.post("/subscriptions", order())
    assert again.status_code == 200
    assert again.json()["subscription"]["id"] == first["subscription"]["id"]
    assert again.json()["subscription"]["status"] == "terminated"


def test_orders_without_an_id_are_each_their_own(stocked_host, shop):
    for _ in range(2):
        assert shop.post("/subscriptions", order(external_id=None)).status_code == 202
    assert Subscription.objects.count() == 2


def test_a_refused_order_can_be_placed_again(stocked_host, shop):
    Customer.objects.filter(pk=shop.customer.pk).update(quota_guests=0)
    problem(shop.post("/subscriptions", order()), 409, "quota_exceeded")
    nothing_was_made()
    Customer.objects.filter(pk=shop.customer.pk).update(quota_guests=1)
    assert shop.post("/subscriptions", order()).status_code == 202


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"customer_external_id": "c-9"}, "customer_external_id"),
        ({"customer": ZERO}, "customer"),
        ({"plan": "nothing"}, "plan"),
        ({"plan": "old"}, "plan"),
        ({"guest": guest(image="nothing")}, "guest.image"),
        ({"guest": guest(name="Not A Name")}, "guest.name"),
        ({"guest": guest(host_type="vmware")}, "guest.host_type"),
        ({"guest": guest(plan="small")}, "guest.plan"),
        ({"guest": None}, "guest"),
        ({"extra": 1}, "extra"),
    ],
)
def test_a_wrong_order_of_a_billing_system_names_the_field(stocked_host, shop, change, field):
    plan_make(slug="old", archived_at="2026-11-01T00:00:00Z")
    body = order(**change)
    if "customer" in change:
        del body["customer_external_id"]
    problem(shop.post("/subscriptions", body), 400, "invalid_input", field)
    nothing_was_made()


def test_a_billing_systems_dry_run(stocked_host, shop):
    body = shop.post("/subscriptions", order(), dry_run="true").json()
    assert (body["feasible"], body["errors"], body["price"]["hourly"]) == (True, [], "0.008000")
    wrong = shop.post("/subscriptions", order(guest=guest(name="A B", image="x")), dry_run="true").json()
    assert {e["field"] for e in wrong["errors"]} >= {"guest.image"}
    named = shop.post("/subscriptions", order(guest=guest(name="A B")), dry_run="true").json()
    assert [e["field"] for e in named["errors"]] == ["guest.name"]
    lost = shop.post("/subscriptions", order(customer_external_id="c-9"), dry_run="true").json()
    assert [e["field"] for e in lost["errors"]] == ["customer_external_id"]
    nothing_was_made()


def test_customers_and_operators_do_not_order_subscriptions(stocked_host, owner_api, operator_api, customer):
    body = order()
    del body["customer_external_id"]
    body["customer"] = str(customer.pk)
    for api in (owner_api, operator_api):
        problem(api.post("/subscriptions", body), 403, "permission_denied")
    nothing_was_made()


def test_subscriptions_are_seen_by_their_customer_and_by_those_who_see_all(
    stocked_host, shop, api_of, operator_api, stranger_api
):
    made = shop.post("/subscriptions", order()).json()["subscription"]
    viewer = api_of(factories.member_make(shop.customer, "viewer"))
    for api in (viewer, operator_api, shop):
        assert [s["id"] for s in api.get("/subscriptions").json()["results"]] == [made["id"]]
        assert api.get(f"/subscriptions/{made['id']}").status_code == 200
    assert stranger_api.get("/subscriptions").json()["results"] == []
    problem(stranger_api.get(f"/subscriptions/{made['id']}"), 404, "not_found")
    problem(stranger_api.get(f"/guests/{made['guest']}"), 404, "not_found")
    problem(shop.get("/hosts"), 403, "permission_denied")
    for filters, count in (
        ({"plan": "small"}, 1),
        ({"plan": "large"}, 0),
        ({"customer_external_id": "c-1"}, 1),
        ({"customer": str(shop.customer.pk)}, 1),
        ({"customer": ZERO}, 0),
        ({"guest": made["guest"]}, 1),
        ({"status": "active"}, 1),
        ({"status": "suspended"}, 0),
        ({"status": "terminated"}, 0),
    ):
        assert len(shop.get("/subscriptions", **filters).json()["results"]) == count, filters
