"""Dry runs: what would come of an order, and nothing done; a parameter misspelt orders nothing."""

from uuid import uuid4

import pytest

from billing.models import Subscription
from hosts.models import Host, HostConnection, IPAddress
from hosts.services import placement
from panel.core.models import Job
from tests import factories
from tests.client import problem
from tests.stock import host_make, image_make, network_make, plan_make
from vms.models import Guest

pytestmark = pytest.mark.django_db


@pytest.fixture
def order(customer) -> dict:
    network_make(host_make(name="able", location="fsn"))
    plan_make(slug="small")
    image_make(slug="micro")
    return {"name": "web-1", "host_type": "kvm", "plan": "small", "image": "micro", "customer": str(customer.pk)}


def nothing_ordered() -> bool:
    return not (Guest.objects.exists() or Subscription.objects.exists() or Job.objects.exists())


@pytest.mark.parametrize("truth", ["true", "1"])
def test_a_dry_run_says_the_price_and_does_nothing(admin_api, owner_api, order, truth):
    for api in (admin_api, owner_api):
        answer = api.post("/guests", order, dry_run=truth)
        assert answer.status_code == 200, answer.content
        assert {k: answer.json()[k] for k in ("price", "errors", "feasible", "reason")} == {
            "price": {"monthly": "4.90", "hourly": "0.008000", "currency": "EUR"},
            "errors": [], "feasible": True, "reason": "",
        }  # fmt: skip
    assert nothing_ordered()


@pytest.mark.parametrize("text", ["True", "yes", "", "TRUE", "on", "2", "true "])
def test_what_is_neither_true_nor_false_orders_nothing(admin_api, billing_api, order, text):
    problem(admin_api.post("/guests", order, dry_run=text), 400, "invalid_input", "dry_run")
    guest = {name: order[name] for name in ("name", "host_type", "image")}
    body = {"customer": order["customer"], "plan": "small", "guest": guest}
    problem(billing_api.post("/subscriptions", body, dry_run=text), 400, "invalid_input", "dry_run")
    assert nothing_ordered()


@pytest.mark.parametrize("name", ["dryrun", "dry-run", "Dry_Run", "limit"])
def test_an_unknown_parameter_orders_nothing(admin_api, order, name):
    problem(admin_api.post("/guests", order, **{name: "true"}), 400, "invalid_input", name)
    assert nothing_ordered()


def test_other_requests_that_change_something_take_no_parameter(admin_api, customer):
    path = f"/customers/{customer.pk}"
    problem(admin_api.patch(path, {"name": "Other"}, dry_run="true"), 400, "invalid_input", "dry_run")
    problem(admin_api.delete(path, dry_run="true"), 400, "invalid_input", "dry_run")
    customer.refresh_from_db()
    assert (customer.deleted_at, customer.name != "Other") == (None, True)


@pytest.mark.parametrize("truth", ["false", "0"])
def test_false_orders(owner_api, order, truth):
    assert owner_api.post("/guests", {**order, "customer": None}, dry_run=truth).status_code == 202


def test_staff_see_which_host_would_be_chosen_and_what_speaks_against_the_others(admin_api, owner_api, order):
    host_make(name="asleep", state="maintenance")
    host_make(name="containers", types=("lxc",))
    host_make(name="full", used_vcpus=64)
    placed = admin_api.post("/guests", order, dry_run="true").json()["placement"]
    assert [(row["host_name"], row["chosen"], row["refusal"]) for row in placed] == [
        ("able", True, ""),
        ("asleep", False, "The host is in maintenance."),
        ("containers", False, "The host does not offer KVM."),
        ("full", False, "Not enough vCPUs are left."),
    ]
    assert owner_api.post("/guests", order, dry_run="true").json()["placement"] == []
    nowhere = admin_api.post("/guests", order | {"location": "hel"}, dry_run="true").json()
    assert (nowhere["feasible"], [row["chosen"] for row in nowhere["placement"]]) == (False, [False] * 4)
    assert nothing_ordered()


def test_a_billing_system_sees_no_host(billing_api, order):
    guest = {name: order[name] for name in ("name", "host_type", "image")}
    body = {"customer": order["customer"], "plan": "small", "guest": guest}
    answer = billing_api.post("/subscriptions", body, dry_run="true").json()
    assert (answer["feasible"], answer["placement"]) == (True, [])
    assert nothing_ordered()


def test_a_dry_run_knows_when_no_address_is_left(admin_api, owner_api, order):
    IPAddress.objects.filter(family=4).update(owner_id=uuid4())
    said = "No host can take this server at the moment: no address is left."
    for api in (admin_api, owner_api):
        answer = api.post("/guests", order, dry_run="true").json()
        assert (answer["feasible"], answer["errors"], answer["reason"]) == (False, [], said)
    placed = admin_api.post("/guests", order, dry_run="true").json()["placement"]
    assert [(row["host_name"], row["refusal"]) for row in placed] == [("able", "No address is left.")]
    assert problem(owner_api.post("/guests", order), 409, "no_capacity")["detail"] == said
    network_make(Host.objects.get())
    assert owner_api.post("/guests", order, dry_run="true").json()["feasible"]
    assert nothing_ordered()


def test_nothing_is_ordered_on_a_host_that_does_not_answer(admin_api, owner_api, order):
    network_make(host_make(name="answers", used_vcpus=63))  # nearly full: the other would be chosen
    host_make(name="asleep", state="maintenance")
    of_able = HostConnection.objects.filter(host__name="able")
    of_able.filter(host_type="kvm").update(last_error="connection refused")
    placed = admin_api.post("/guests", order, dry_run="true").json()["placement"]
    assert [(row["host_name"], row["chosen"], row["refusal"]) for row in placed] == [
        ("answers", True, ""),
        ("able", False, "The host does not answer."),
        ("asleep", False, "The host is in maintenance."),
    ]
    chosen = {k: v for k, v in order.items() if k != "location"} | {"host": str(Host.objects.get(name="able").pk)}
    said = "No host can take this server at the moment: the host does not answer."
    assert problem(admin_api.post("/guests", chosen), 409, "no_capacity")["detail"] == said
    assert admin_api.post("/guests", chosen | {"host_type": "lxc"}, dry_run="true").json()["feasible"]
    HostConnection.objects.filter(host_type="kvm").update(last_error="connection refused")
    for api in (admin_api, owner_api):
        answer = api.post("/guests", order, dry_run="true").json()
        assert (answer["feasible"], answer["reason"]) == (False, said)
    assert problem(owner_api.post("/guests", order), 409, "no_capacity")["detail"] == said
    assert nothing_ordered()
    HostConnection.objects.update(last_error="")
    assert owner_api.post("/guests", order).status_code == 202
    assert Guest.objects.values_list("host__name", flat=True).get() == "able"


def test_a_dry_run_knows_the_ids_that_are_used(billing_api, order):
    guest = {name: order[name] for name in ("name", "host_type", "image")}
    body = {"customer": order["customer"], "plan": "small", "guest": guest, "external_id": "o-1"}
    assert billing_api.post("/subscriptions", body, dry_run="true").json()["reason"] == ""
    assert billing_api.post("/subscriptions", body).status_code == 202
    again = billing_api.post("/subscriptions", body, dry_run="true").json()
    assert (again["feasible"], again["errors"], again["price"]["monthly"]) == (True, [], "4.90")
    assert again["reason"] == "You have placed this order: the same again gives the server you have."
    other = billing_api.post("/subscriptions", body | {"plan": "large"}, dry_run="true").json()
    assert (other["feasible"], [row["field"] for row in other["errors"]]) == (False, ["external_id"])


def test_a_dry_run_knows_the_ids_of_servers_that_are_used(api_of, order):
    api = api_of(factories.client_make(role="admin"))
    body = order | {"external_id": "s-1"}
    assert api.post("/guests", body, dry_run="true").json()["errors"] == []
    assert api.post("/guests", body).status_code == 202
    taken = {"field": "external_id", "message": "This external_id is taken by another server."}
    assert api.post("/guests", body, dry_run="true").json()["errors"] == [taken]
    problem(api.post("/guests", body), 409, "conflict")


def test_a_host_that_cannot_keep_addresses_apart_takes_nothing(admin_api, order):
    able, open_one = Host.objects.get(), host_make(name="open")
    network_make(open_one)
    Host.objects.filter(pk=able.pk).update(used_vcpus=60)
    none = [{"capability": "anti_spoofing", "available": False, "reason": "The kernel has no nftables."}]
    HostConnection.objects.filter(host=open_one).update(capabilities=none)
    placed = admin_api.post("/guests", order, dry_run="true").json()["placement"]
    assert [(row["host_name"], row["refusal"]) for row in placed] == [
        ("able", ""),
        ("open", "The kernel has no nftables."),
    ]
    assert admin_api.post("/guests", order).json()["guest"]["host"] == str(able.pk)


def test_hosts_of_another_location_do_not_stand_before_the_one_that_fits(owner_api, order, monkeypatch):
    monkeypatch.setattr(placement, "CONSIDERED", 2)
    for _ in range(3):
        network_make(host_make(location="hel"))
    Host.objects.filter(name="able").update(used_memory_mib=1024)  # the least empty: the last in the ranking
    assert owner_api.post("/guests", order | {"location": "fsn"}, dry_run="true").json()["feasible"]


def test_hosts_without_a_free_address_do_not_stand_before_the_one_that_has_some(owner_api, order, monkeypatch):
    monkeypatch.setattr(placement, "CONSIDERED", 2)
    network_make(host_make(), host_make(), host_make(), addresses=0)
    Host.objects.filter(name="able").update(used_memory_mib=1024)
    assert owner_api.post("/guests", order, dry_run="true").json()["feasible"]
    assert owner_api.post("/guests", order).status_code == 202
