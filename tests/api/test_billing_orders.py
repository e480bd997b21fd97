"""Ordering: by an owner, by staff, and by a billing system."""

import pytest

from billing.models import Plan, Subscription
from hosts.models import Host, IPAddress
from panel.core.models import AuditEntry, Customer, Job
from tests import factories
from tests.client import problem
from tests.stock import NO_SHAPING, host_make, image_make, network_make, plan_make
from vms.models import Guest, GuestSecret

pytestmark = pytest.mark.django_db
KEY = factories.ED25519
HOST_NAME = "Use a host name: letters a to z, digits, hyphens and dots, at most 63 characters."
ZERO = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def host():
    """A host with room, a network and an image, and a plan: all that an order needs."""
    host = host_make()
    network_make(host)
    image_make(slug="debian-12")
    plan_make(slug="small")
    return host


def guest(**changes):
    return {"name": "web-1", "host_type": "kvm", "image": "debian-12", "ssh_keys": [KEY], **changes}


def own(**changes):
    return guest(**{"plan": "small", **changes})


def order(**changes):
    return {"customer_external_id": "c-1", "plan": "small", "external_id": "o-1", "guest": guest(), **changes}


def nothing_was_made():
    rows = (Guest, Subscription, Job, GuestSecret)
    assert [model.objects.count() for model in rows] == [0, 0, 0, 0]
    assert IPAddress.objects.filter(owner_id__isnull=False).count() == 0
    assert Host.objects.get().used_vcpus == 0
    assert set(Customer.objects.values_list("used_guests", flat=True)) <= {0}
    assert not Plan.objects.filter(sold_at__isnull=False).exists()


# ── owners ──────────────────────────────────────────────────────────────────────────────────────────
def test_an_owner_orders_a_server_and_gets_a_subscription(host, owner_api, customer):
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


def test_a_password_is_made_without_keys_and_shown_only_once(host, owner_api):
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


def test_a_password_of_ones_own_is_not_answered(host, owner_api):
    body = owner_api.post("/guests", own(root_password="of my own choice 1")).json()
    assert "root_password" not in body
    assert body["guest"]["password_set"] is True


def test_a_key_of_the_customer_is_used_by_name(host, owner_api, customer):
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
def test_a_wrong_order_names_the_field_and_makes_nothing(host, owner_api, change, field, sentence):
    plan_make(slug="old", archived_at="2026-11-01T00:00:00Z")
    plan_make(slug="tiny", disk_gib=1)
    plan_make(slug="containers", host_types=["lxc"])
    image_make(slug="kvm-not", host_types=["lxc"])
    body = problem(owner_api.post("/guests", own(**change)), 400, "invalid_input", field)
    assert {e["field"]: e["message"] for e in body["errors"]}[field] == sentence
    nothing_was_made()


def test_an_owner_needs_a_plan(host, owner_api):
    body = problem(owner_api.post("/guests", guest(vcpus=1, memory_mib=512, disk_gib=10)), 400, "invalid_input", "plan")
    assert {e["field"] for e in body["errors"]} == {"plan", "vcpus", "memory_mib", "disk_gib"}
    nothing_was_made()


def test_only_owners_order(host, member_api, viewer_api, stranger_api, operator_api, billing_api, anonymous, customer):
    for api in (member_api, viewer_api, operator_api, billing_api):
        problem(api.post("/guests", own()), 403, "permission_denied")
    problem(anonymous.post("/guests", own()), 401, "not_authenticated")
    problem(stranger_api.post("/guests", own(customer=str(customer.pk))), 404, "not_found")
    nothing_was_made()


def test_quota_and_room_are_refused_with_a_sentence_and_nothing_is_taken(host, owner_api, customer):
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
def test_staff_order_a_size_on_a_host_for_the_house(host, admin_api):
    house = factories.house_make()
    sizes = {"vcpus": 3, "memory_mib": 768, "disk_gib": 7}
    body = admin_api.post("/guests", guest(**sizes, host=str(host.pk))).json()
    made = body["guest"]
    assert (made["customer"], made["host"], made["plan"]) == (str(house.pk), str(host.pk), None)
    assert (made["vcpus"], made["memory_mib"], made["disk_gib"]) == (3, 768, 7)
    assert "subscription" not in body
    assert Subscription.objects.count() == 0


def test_staff_order_a_plan_for_a_customer(host, admin_api, customer):
    body = admin_api.post("/guests", own(customer=str(customer.pk))).json()
    assert body["guest"]["customer"] == str(customer.pk)
    assert Subscription.objects.get().customer == customer


def test_staff_name_all_three_sizes_and_hosts_that_exist(host, admin_api, customer):
    factories.house_make()
    body = problem(admin_api.post("/guests", guest(vcpus=1)), 400, "invalid_input", "memory_mib")
    assert {e["field"] for e in body["errors"]} == {"memory_mib", "disk_gib"}
    problem(admin_api.post("/guests", guest()), 400, "invalid_input", "plan")
    problem(admin_api.post("/guests", own(host=ZERO)), 400, "invalid_input", "host")
    nothing_was_made()


# ── dry run ─────────────────────────────────────────────────────────────────────────────────────────
def test_a_dry_run_gives_the_price_and_changes_nothing(host, owner_api):
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


def test_a_dry_run_names_every_wrong_field_at_once(host, owner_api):
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


def test_a_dry_run_says_why_it_cannot_be(host, owner_api, customer):
    Customer.objects.filter(pk=customer.pk).update(quota_guests=0)
    body = owner_api.post("/guests", own(), dry_run="true").json()
    assert (body["feasible"], body["errors"]) == (False, [])
    assert body["reason"] == "Your quota is 0 servers, and 0 are in use."
    nothing_was_made()


# ── a billing system ────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def shop(api_of):
    """A billing system with a customer ``c-1`` of its own."""
    client = factories.client_make()
    api = api_of(client)
    api.client = client
    api.customer = factories.customer_make(client=client, external_id="c-1")
    return api


def test_a_billing_system_orders_for_its_customer(host, shop):
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


def test_the_same_order_again_is_the_same_subscription(host, shop, api_of):
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
def test_another_order_under_the_same_id_is_refused(host, shop, change):
    plan_make(slug="large")
    factories.customer_make(client=shop.client, external_id="c-2")
    first = shop.post("/subscriptions", order()).json()
    body = problem(shop.post("/subscriptions", order(**change)), 409, "external_id_conflict")
    assert body["subscription_id"] == first["subscription"]["id"]
    assert (Guest.objects.count(), Subscription.objects.count()) == (1, 1)


def test_ids_of_two_clients_do_not_meet(host, shop, api_of):
    other = factories.client_make()
    factories.customer_make(client=other, external_id="c-1")
    assert shop.post("/subscriptions", order()).status_code == 202
    assert api_of(other).post("/subscriptions", order()).status_code == 202
    assert Subscription.objects.values("client").distinct().count() == 2


def test_the_same_order_is_recognised_after_the_plan_was_archived_and_the_contract_ended(host, shop):
    first = shop.post("/subscriptions", order()).json()
    Plan.objects.update(archived_at="2026-11-01T00:00:00Z")
    Subscription.objects.update(status="terminated")
    again = shop.post("/subscriptions", order())
    assert again.status_code == 200
    assert again.json()["subscription"]["id"] == first["subscription"]["id"]
    assert again.json()["subscription"]["status"] == "terminated"


def test_orders_without_an_id_are_each_their_own(host, shop):
    for _ in range(2):
        assert shop.post("/subscriptions", order(external_id=None)).status_code == 202
    assert Subscription.objects.count() == 2


def test_a_refused_order_can_be_placed_again(host, shop):
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
def test_a_wrong_order_of_a_billing_system_names_the_field(host, shop, change, field):
    plan_make(slug="old", archived_at="2026-11-01T00:00:00Z")
    body = order(**change)
    if "customer" in change:
        del body["customer_external_id"]
    problem(shop.post("/subscriptions", body), 400, "invalid_input", field)
    nothing_was_made()


def test_a_billing_systems_dry_run(host, shop):
    body = shop.post("/subscriptions", order(), dry_run="true").json()
    assert (body["feasible"], body["errors"], body["price"]["hourly"]) == (True, [], "0.008000")
    wrong = shop.post("/subscriptions", order(guest=guest(name="A B", image="x")), dry_run="true").json()
    assert {e["field"] for e in wrong["errors"]} >= {"guest.image"}
    named = shop.post("/subscriptions", order(guest=guest(name="A B")), dry_run="true").json()
    assert [e["field"] for e in named["errors"]] == ["guest.name"]
    lost = shop.post("/subscriptions", order(customer_external_id="c-9"), dry_run="true").json()
    assert [e["field"] for e in lost["errors"]] == ["customer_external_id"]
    nothing_was_made()


def test_customers_and_operators_do_not_order_subscriptions(host, owner_api, operator_api, customer):
    body = order()
    del body["customer_external_id"]
    body["customer"] = str(customer.pk)
    for api in (owner_api, operator_api):
        problem(api.post("/subscriptions", body), 403, "permission_denied")
    nothing_was_made()


def test_subscriptions_are_seen_by_their_customer_and_by_those_who_see_all(
    host, shop, api_of, operator_api, stranger_api
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
