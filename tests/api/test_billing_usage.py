"""Usage of a month, and how many more servers fit."""

from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing.models import Subscription
from hosts.models import Host
from hosts.services.addresses import addresses_take
from panel.core.models import Customer
from tests import factories
from tests.client import problem
from tests.stock import host_make, image_make, network_make, plan_make
from vms.models import Guest

pytestmark = pytest.mark.django_db


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def guest_make(customer: Customer, *, plan=None, created: str, ended: str | None = None, **fields) -> Guest:
    """Make a guest that was seen, with a subscription on ``plan`` from ``created`` to ``ended``."""
    guest = Guest.objects.create(
        **{
            "name": f"g{factories.number()}", "customer": customer, "host_type": "kvm", "vcpus": 1, "memory_mib": 512,
            "disk_gib": 10, "image": image_make(), "lifecycle": "active", "observed_at": timezone.now(),
            "created_at": at(created), "deleted_at": at(ended) if ended else None, **fields,
        }
    )  # fmt: skip
    if plan is not None:
        Subscription.objects.create(
            customer=customer, plan=plan, guest=guest, created_at=at(created),
            external_id=f"o-{guest.name}", client=factories.client_make(),
            status="terminated" if ended else "active", terminated_at=at(ended) if ended else None,
        )  # fmt: skip
    return guest


def test_hours_begun_times_price_at_most_the_price_of_a_month(billing_api, customer):
    plan = plan_make(slug="small")
    short = guest_make(customer, plan=plan, created="2026-09-10T12:00", ended="2026-09-10T14:00:01")
    long = guest_make(customer, plan=plan, created="2026-07-01T00:00", ended="2026-10-05T00:00")
    body = billing_api.get("/usage", month="2026-09").json()["results"]
    assert [u["customer"] for u in body] == [str(customer.pk)]
    lines = {line["guest_name"]: line for line in body[0]["lines"]}
    assert (lines[short.name]["hours"], lines[short.name]["amount"]) == (3, "0.02")
    assert (lines[long.name]["hours"], lines[long.name]["amount"]) == (720, "4.90")
    assert (lines[long.name]["start"], lines[long.name]["end"]) == (
        "2026-09-01T00:00:00Z", "2026-10-01T00:00:00Z",
    )  # fmt: skip
    assert lines[long.name]["external_id"] == f"o-{long.name}"
    assert body[0]["totals"] == [{"amount": "4.92", "currency": "EUR"}]
    assert (body[0]["month"], body[0]["customer_name"]) == ("2026-09", customer.name)
    october = billing_api.get("/usage", month="2026-10").json()["results"][0]["lines"]
    assert [(line["guest_name"], line["hours"]) for line in october] == [(long.name, 96)]
    assert billing_api.get("/usage", month="2026-11").json()["results"] == []
    assert billing_api.get("/usage", month="2026-06").json()["results"] == []


def test_a_running_server_counts_until_now(owner_api, customer):
    plan = plan_make(price_monthly="1000", price_hourly="1", currency="CHF")
    guest = guest_make(customer, plan=plan, created="2026-01-01T00:00")
    now = timezone.now()
    Guest.objects.filter(pk=guest.pk).update(created_at=now)
    Subscription.objects.update(created_at=now)
    line = owner_api.get("/usage").json()["results"][0]["lines"][0]
    assert (line["hours"], line["amount"], line["currency"]) == (1, "1.00", "CHF")
    assert timezone.now() >= datetime.fromisoformat(line["end"]) >= now


def test_what_is_on_no_plan_has_hours_but_no_amount_and_what_never_was_costs_nothing(billing_api, customer):
    own = guest_make(customer, created="2026-09-10T12:00", ended="2026-09-10T14:00")
    guest_make(customer, plan=plan_make(), created="2026-09-10T12:00", lifecycle="error", observed_at=None)
    (usage,) = billing_api.get("/usage", month="2026-09").json()["results"]
    (line,) = usage["lines"]
    assert (line["guest"], line["hours"], line["amount"], line["subscription"]) == (str(own.pk), 2, None, None)
    assert usage["totals"] == []


def test_customers_see_their_own_usage_and_billing_sees_all(
    billing_api, operator_api, viewer_api, stranger_api, customer
):
    other = factories.customer_make(name="Zeta")
    for owner in (customer, other):
        guest_make(owner, plan=plan_make(), created="2026-09-10T12:00", ended="2026-09-11T12:00")
    for api, seen in ((billing_api, {customer, other}), (operator_api, {customer, other}), (viewer_api, {customer})):
        found = api.get("/usage", month="2026-09").json()["results"]
        assert {u["customer"] for u in found} == {str(c.pk) for c in seen}
    assert stranger_api.get("/usage", month="2026-09").json()["results"] == []
    assert stranger_api.get("/usage", month="2026-09", customer=customer.pk).json()["results"] == []
    first = billing_api.get("/usage", month="2026-09", limit=1).json()
    rest = billing_api.get("/usage", month="2026-09", limit=1, cursor=first["next"]).json()
    assert [u["customer"] for u in first["results"] + rest["results"]] == [str(customer.pk), str(other.pk)]
    for month in ("2026-13", "september", "2026"):
        problem(billing_api.get("/usage", month=month), 400, "invalid_input", "month")


def test_usage_costs_the_same_number_of_queries_for_any_number(billing_api, customer):
    plan = plan_make()

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert billing_api.get("/usage", month="2026-09").status_code == 200
        return len(seen)

    guest_make(customer, plan=plan, created="2026-09-10T12:00")
    billing_api.get("/usage")
    one = queries()
    for _ in range(5):
        guest_make(factories.customer_make(), plan=plan, created="2026-09-10T12:00")
    assert queries() == one


# ── capacity ────────────────────────────────────────────────────────────────────────────────────────
def capacity(api, plan, **query) -> dict[tuple[str, str], tuple[int, str]]:
    response = api.get("/capacity", plan=plan, **query)
    assert response.status_code == 200, response.content
    return {(r["location"], r["host_type"]): (r["fits"], r["limited_by"]) for r in response.json()["results"]}


def test_what_fits_is_the_least_of_processors_memory_disk_and_addresses(billing_api):
    plan_make(slug="p", host_types=["kvm"], vcpus=2, memory_mib=1024, disk_gib=10)
    host = host_make(limit_vcpus=64, limit_memory_mib=65536, pool_gib=1000)
    network = network_make(host, addresses=50)
    assert capacity(billing_api, "p") == {("default", "kvm"): (32, "vcpus")}
    Host.objects.filter(pk=host.pk).update(used_memory_mib=65536 - 20 * 1024 - 1)
    assert capacity(billing_api, "p") == {("default", "kvm"): (20, "memory")}
    host.pools.update(used_gib=1000 - 19)
    assert capacity(billing_api, "p") == {("default", "kvm"): (1, "disk")}
    host.pools.update(used_gib=0)
    for _ in range(40):
        addresses_take(network=network, owner_id=network.pk, nic_id=network.pk)
    assert capacity(billing_api, "p") == {("default", "kvm"): (10, "addresses")}


def test_hosts_of_a_location_add_up_but_share_their_addresses(billing_api):
    plan_make(slug="p", host_types=["kvm", "lxc"], vcpus=1, memory_mib=512, disk_gib=10)
    first, second = host_make(location="fsn"), host_make(location="fsn", types=("kvm",))
    network_make(first, second, addresses=100)
    network_make(host_make(location="hel", types=("lxc",)), addresses=5)
    full = host_make(location="ash", types=("kvm",), used_vcpus=64)
    network_make(full)
    asleep = host_make(location="nbg", state="maintenance")
    network_make(asleep)
    host_make(location="sin")  # without a network
    assert capacity(billing_api, "p") == {
        ("ash", "kvm"): (0, "vcpus"),
        ("fsn", "kvm"): (100, "addresses"),
        ("fsn", "lxc"): (64, "vcpus"),
        ("hel", "lxc"): (5, "addresses"),
    }
    assert capacity(billing_api, "p", location="hel") == {("hel", "lxc"): (5, "addresses")}


def test_a_plan_that_needs_shaping_fits_only_where_it_can_be(billing_api):
    plan_make(slug="strict", host_types=["kvm"], bandwidth_mbit_per_s=10, bandwidth_required=True)
    plan_make(slug="loose", host_types=["kvm"], bandwidth_mbit_per_s=10)
    network_make(host_make(shaping=False))
    assert capacity(billing_api, "strict") == {}
    assert capacity(billing_api, "loose") == {("default", "kvm"): (64, "vcpus")}


def test_customers_learn_only_whether_little_is_left(viewer_api, operator_api):
    plan_make(slug="p", host_types=["kvm"])
    host = host_make()
    network_make(host)
    assert capacity(viewer_api, "p") == {("default", "kvm"): (10, "vcpus")}
    assert capacity(operator_api, "p") == {("default", "kvm"): (64, "vcpus")}
    Host.objects.update(used_vcpus=61)
    assert capacity(viewer_api, "p") == {("default", "kvm"): (3, "vcpus")}
    problem(viewer_api.get("/capacity"), 400, "invalid_input", "plan")
    problem(viewer_api.get("/capacity", plan="none"), 400, "invalid_input", "plan")
