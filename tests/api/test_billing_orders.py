"""Ordering: by an owner, and by staff."""

import pytest

from billing.models import Subscription
from panel.core.models import AuditEntry, Customer, Job
from tests import factories
from tests.api.orders import ZERO, guest, nothing_was_made
from tests.client import problem
from tests.stock import NO_SHAPING, host_make, image_make, network_make, plan_make
from vms.models import Guest, GuestSecret

pytestmark = pytest.mark.django_db
HOST_NAME = "Use a host name: letters a to z, digits, hyphens and dots, at most 63 characters."


def own(**changes):
    return guest(**{"plan": "small", **changes})


# ── owners ──────────────────────────────────────────────────────────────────────────────────────────
def test_an_owner_orders_a_server_and_gets_a_subscription(stocked_host, owner_api, customer):
    response = owner_api.post("/guests", own())
    assert response.status_code == 202, response.content
    body = response.json()
    assert response["Location"] == f"/api/v1/jobs/{body['job']['id']}"
    assert (body["job"]["action"], body["job"]["status"]) == ("guest.create", "queued")
    made = body["guest"]
    assert (made["name"], made["plan"], made["vcpus"], made["memory_mib"], made["disk_gib"]) == (
        "web-1", "small", 1, 512, 10,
    )  # fmt: skip
    assert [a["family"] for a in made["addresses"]] == [4, 6]
    assert made["host"] is None
    assert "root_password" not in body
    assert body["subscription"]["status"] == "active"
    subscription = Subscription.objects.get()
    assert (str(subscription.guest_id), subscription.customer, subscription.plan.slug) == (
        made["id"], customer, "small",
    )  # fmt: skip
    assert subscription.plan.sold_at is not None
    assert {e.action for e in AuditEntry.objects.filter(customer_id=customer.pk)} >= {
        "guest.created", "subscription.created",
    }  # fmt: skip


def test_a_password_is_made_without_keys_and_shown_only_once(stocked_host, owner_api):
    headers = {"Idempotency-Key": "one"}
    first = owner_api.post("/guests", own(ssh_keys=[]), headers=headers).json()
    assert len(first["root_password"]) >= 16
    again = owner_api.post("/guests", own(ssh_keys=[]), headers=headers)
    assert again["Idempotent-Replayed"] == "true"
    assert again.json()["root_password"] is None
    assert again.json()["guest"]["id"] == first["guest"]["id"]
    assert Guest.objects.count() == 1
    stored = [str(list(model.objects.values())) for model in (Guest, GuestSecret, Job, AuditEntry, Subscription)]
    assert not any(first["root_password"] in text for text in stored)


def test_a_password_of_ones_own_is_not_answered(stocked_host, owner_api):
    body = owner_api.post("/guests", own(root_password="of my own choice 1")).json()
    assert "root_password" not in body
    assert body["guest"]["password_set"] is True


def test_a_key_of_the_customer_is_used_by_name(stocked_host, owner_api, customer):
    factories.ssh_key_make(customer, name="laptop")
    body = owner_api.post("/guests", own(ssh_keys=["laptop"])).json()
    assert Guest.objects.get(pk=body["guest"]["id"]).ssh_keys[0].startswith("ssh-ed25519 ")


@pytest.mark.parametrize(
    ("change", "field", "sentence"),
    [
        ({"plan": "huge"}, "plan", "There is no plan huge."),
        ({"plan": "old"}, "plan", "There is no plan old."),
        ({"plan": "tiny"}, "plan", "The image debian-12 needs a disk of at least 2 GiB."),
        ({"plan": "containers"}, "host_type", "The plan containers is not for KVM."),
        ({"image": "windows"}, "image", "There is no image windows."),
        ({"image": "kvm-not"}, "image", "The image kvm-not does not run on KVM."),
        ({"name": "not a name"}, "name", HOST_NAME),
        ({"ssh_keys": ["nobody"]}, "ssh_keys", "There is no key 'nobody'."),
        ({"user_data": "#cloud-config\n: ["}, "user_data", "User-data is not valid YAML (line 2)."),
        ({"vcpus": 64}, "vcpus", "Give either a plan or sizes."),
        ({"host": ZERO}, "host", "Only staff can choose the host."),
        ({"nam": "x"}, "nam", "This field is not known or not writable."),
    ],
)  # fmt: skip
def test_a_wrong_order_names_the_field_and_makes_nothing(stocked_host, owner_api, change, field, sentence):
    plan_make(slug="old", archived_at="2026-11-01T00:00:00Z")
    plan_make(slug="tiny", disk_gib=1)
    plan_make(slug="containers", host_types=["lxc"])
    image_make(slug="kvm-not", host_types=["lxc"])
    body = problem(owner_api.post("/guests", own(**change)), 400, "invalid_input", field)
    assert {e["field"]: e["message"] for e in body["errors"]}[field] == sentence
    nothing_was_made()


def test_an_owner_needs_a_plan(stocked_host, owner_api):
    body = problem(owner_api.post("/guests", guest(vcpus=1, memory_mib=512, disk_gib=10)), 400, "invalid_input", "plan")
    assert {e["field"] for e in body["errors"]} == {"plan", "vcpus", "memory_mib", "disk_gib"}
    nothing_was_made()


def test_only_owners_order(
    stocked_host, member_api, viewer_api, stranger_api, operator_api, billing_api, anonymous, customer
):
    for api in (member_api, viewer_api, operator_api, billing_api):
        problem(api.post("/guests", own()), 403, "permission_denied")
    problem(anonymous.post("/guests", own()), 401, "not_authenticated")
    problem(stranger_api.post("/guests", own(customer=str(customer.pk))), 404, "not_found")
    nothing_was_made()


def test_quota_and_room_are_refused_with_a_sentence_and_nothing_is_taken(stocked_host, owner_api, customer):
    Customer.objects.filter(pk=customer.pk).update(quota_guests=0)
    body = problem(owner_api.post("/guests", own()), 409, "quota_exceeded")
    assert body["detail"] == "Your quota is 0 servers, and 0 are in use."
    Customer.objects.filter(pk=customer.pk).update(quota_guests=None)
    plan_make(slug="vast", memory_mib=10_000_000)
    body = problem(owner_api.post("/guests", own(plan="vast")), 409, "no_capacity")
    assert "memory" in body["detail"]
    nothing_was_made()


def test_a_required_bandwidth_is_refused_and_an_optional_one_is_degraded(owner_api):
    host = host_make(shaping=False)
    network_make(host)
    image_make(slug="debian-12")
    plan_make(slug="strict", bandwidth_mbit_per_s=100, bandwidth_required=True)
    plan_make(slug="loose", bandwidth_mbit_per_s=100)
    body = problem(owner_api.post("/guests", own() | {"plan": "strict"}), 409, "no_capacity")
    assert NO_SHAPING[:1].lower() + NO_SHAPING[1:] in body["detail"]
    nothing_was_made()
    made = owner_api.post("/guests", own() | {"plan": "loose"})
    assert made.status_code == 202
    assert made.json()["guest"]["notice"] == "The limit of 100 Mbit/s is not applied: this host cannot shape traffic."


# ── staff ───────────────────────────────────────────────────────────────────────────────────────────
def test_staff_order_a_size_on_a_host_for_the_house(stocked_host, admin_api):
    house = factories.house_make()
    sizes = {"vcpus": 3, "memory_mib": 768, "disk_gib": 7}
    body = admin_api.post("/guests", guest(**sizes, host=str(stocked_host.pk))).json()
    made = body["guest"]
    assert (made["customer"], made["host"], made["plan"]) == (str(house.pk), str(stocked_host.pk), None)
    assert (made["vcpus"], made["memory_mib"], made["disk_gib"]) == (3, 768, 7)
    assert body["subscription"] is None
    assert Subscription.objects.count() == 0


def test_staff_order_a_plan_for_a_customer(stocked_host, admin_api, customer):
    body = admin_api.post("/guests", own(customer=str(customer.pk))).json()
    assert body["guest"]["customer"] == str(customer.pk)
    assert Subscription.objects.get().customer == customer


def test_staff_name_all_three_sizes_and_hosts_that_exist(stocked_host, admin_api, customer):
    factories.house_make()
    body = problem(admin_api.post("/guests", guest(vcpus=1)), 400, "invalid_input", "memory_mib")
    assert {e["field"] for e in body["errors"]} == {"memory_mib", "disk_gib"}
    problem(admin_api.post("/guests", guest()), 400, "invalid_input", "plan")
    problem(admin_api.post("/guests", own(host=ZERO)), 400, "invalid_input", "host")
    nothing_was_made()


# ── dry run ─────────────────────────────────────────────────────────────────────────────────────────
def test_a_dry_run_gives_the_price_and_changes_nothing(stocked_host, owner_api):
    response = owner_api.post("/guests", own(), dry_run="true")
    assert response.status_code == 200, response.content
    assert response.json() == {
        "price": {"monthly": "4.90", "hourly": "0.008000", "currency": "EUR"},
        "errors": [],
        "feasible": True,
        "reason": "",
        "placement": [],
    }
    nothing_was_made()


def test_a_dry_run_names_every_wrong_field_at_once(stocked_host, owner_api):
    wrong = {"name": "Bad Name", "plan": "small", "image": "nothing", "host_type": "kvm", "ssh_keys": [7], "x": 1}
    body = owner_api.post("/guests", wrong, dry_run="true").json()
    assert (body["feasible"], body["price"]["monthly"]) == (False, "4.90")
    assert {e["field"] for e in body["errors"]} >= {"image", "x"}
    full = owner_api.post("/guests", own(name="Bad Name", user_data="hello"), dry_run="true").json()
    assert {e["field"] for e in full["errors"]} == {"name", "user_data"}
    part = owner_api.post("/guests", {"plan": "small"}, dry_run="true")
    assert part.status_code == 200
    assert {e["field"] for e in part.json()["errors"]} >= {"name", "host_type", "image"}
    nothing_was_made()


def test_a_dry_run_says_why_it_cannot_be(stocked_host, owner_api, customer):
    Customer.objects.filter(pk=customer.pk).update(quota_guests=0)
    body = owner_api.post("/guests", own(), dry_run="true").json()
    assert (body["feasible"], body["errors"]) == (False, [])
    assert body["reason"] == "Your quota is 0 servers, and 0 are in use."
    nothing_was_made()
