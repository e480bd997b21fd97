"""Usage of a month: hours of each server on each plan it was on."""

from datetime import UTC, datetime

import pytest
from django.utils import timezone

from billing.models import Subscription, UsageInterval
from panel.core.models import Customer
from tests import factories
from tests.client import problem, queries_of
from tests.stock import guest_make, plan_make
from vms.models import Guest

pytestmark = pytest.mark.django_db


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def used_guest(customer: Customer, *, plan=None, created: str, ended: str | None = None, **fields) -> Guest:
    """Make a guest that was seen, with a subscription on ``plan`` from ``created`` to ``ended``."""
    seen = {"observed_at": timezone.now(), "created_at": at(created), "deleted_at": at(ended) if ended else None}
    guest = guest_make(customer, **seen | fields)
    if plan is not None:
        Subscription.objects.create(
            customer=customer, plan=plan, guest=guest, created_at=at(created),
            external_id=f"o-{guest.name}", client=factories.client_make(),
            status="terminated" if ended else "active", terminated_at=at(ended) if ended else None,
        )  # fmt: skip
    return guest


def test_hours_begun_times_price_at_most_the_price_of_a_month(billing_api, customer):
    plan = plan_make(slug="small")
    short = used_guest(customer, plan=plan, created="2026-09-10T12:00", ended="2026-09-10T14:00:01")
    long = used_guest(customer, plan=plan, created="2026-07-01T00:00", ended="2026-10-05T00:00")
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
    guest = used_guest(customer, plan=plan, created="2026-01-01T00:00")
    now = timezone.now()
    Guest.objects.filter(pk=guest.pk).update(created_at=now)
    Subscription.objects.update(created_at=now)
    line = owner_api.get("/usage").json()["results"][0]["lines"][0]
    assert (line["hours"], line["amount"], line["currency"]) == (1, "1.00", "CHF")
    assert timezone.now() >= datetime.fromisoformat(line["end"]) >= now


def test_what_is_on_no_plan_has_hours_but_no_amount_and_what_never_was_costs_nothing(billing_api, customer):
    own = used_guest(customer, created="2026-09-10T12:00", ended="2026-09-10T14:00")
    used_guest(customer, plan=plan_make(), created="2026-09-10T12:00", lifecycle="error", observed_at=None)
    (usage,) = billing_api.get("/usage", month="2026-09").json()["results"]
    (line,) = usage["lines"]
    assert (line["guest"], line["hours"], line["amount"], line["subscription"]) == (str(own.pk), 2, None, None)
    assert usage["totals"] == []


def test_customers_see_their_own_usage_and_billing_sees_all(
    billing_api, operator_api, viewer_api, stranger_api, customer
):
    other = factories.customer_make(name="Zeta")
    for owner in (customer, other):
        used_guest(owner, plan=plan_make(), created="2026-09-10T12:00", ended="2026-09-11T12:00")
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


def test_a_deleted_customers_last_usage_has_the_id_that_billing_knows(billing_api):
    made = billing_api.post("/customers", {"name": "Ada Ltd", "external_id": "4711"}).json()
    used_guest(Customer.objects.get(), plan=plan_make(), created="2026-09-10T12:00", ended="2026-09-10T14:00:01")
    assert billing_api.delete(f"/customers/{made['id']}").status_code == 204
    again = billing_api.post("/customers", {"name": "Ada again", "external_id": "4711"})
    assert (again.status_code, again.json()["id"] != made["id"]) == (201, True)
    assert billing_api.post("/customers", {"name": "Ada again", "external_id": "4711"}).status_code == 200
    problem(billing_api.post("/customers", {"name": "Bob", "external_id": "4711"}), 409, "external_id_conflict")
    (used,) = billing_api.get("/usage", month="2026-09").json()["results"]
    assert (used["customer"], used["customer_external_id"], used["totals"][0]["amount"]) == (made["id"], "4711", "0.02")
    (contract,) = billing_api.get("/subscriptions", customer=made["id"]).json()["results"]
    assert contract["customer_external_id"] == "4711"
    (found,) = billing_api.get("/customers", external_id="4711").json()["results"]
    assert found["id"] == again.json()["id"]


def test_usage_costs_the_same_number_of_queries_for_any_number(billing_api, customer):
    plan = plan_make()

    def get() -> None:
        assert billing_api.get("/usage", month="2026-09").status_code == 200

    used_guest(customer, plan=plan, created="2026-09-10T12:00")
    get()
    one = queries_of(get)
    for _ in range(5):
        used_guest(factories.customer_make(), plan=plan, created="2026-09-10T12:00")
    assert queries_of(get) == one


# ── changes of plan ─────────────────────────────────────────────────────────────────────────────────
def moved(guest: Guest, *bounds: tuple[str, object]) -> None:
    """Say when the guest's subscription was on which plan, as if the changes had been made then."""
    subscription = guest.subscription
    for _, plan in bounds[1:]:
        Subscription.objects.filter(pk=subscription.pk).update(plan=plan)
    intervals = list(subscription.intervals.order_by("id"))
    for number, (interval, (since, _)) in enumerate(zip(intervals, bounds, strict=True)):
        until = at(bounds[number + 1][0]) if number + 1 < len(bounds) else interval.ends_at
        UsageInterval.objects.filter(pk=interval.pk).update(starts_at=at(since), ends_at=until)


def lines_of(api, month: str) -> list[tuple[str, int, str]]:
    (usage,) = api.get("/usage", month=month).json()["results"]
    return [(line["plan"], line["hours"], line["amount"]) for line in usage["lines"]]


def test_a_change_of_plan_splits_the_line_and_leaves_what_is_past(billing_api, customer):
    small = plan_make(slug="small", price_hourly="0.01", price_monthly="5.00")
    large = plan_make(slug="large", price_hourly="0.10", price_monthly="50.00")
    guest = used_guest(customer, plan=small, created="2026-08-01T00:00")
    before = lines_of(billing_api, "2026-08")
    assert before == [("small", 744, "5.00")]
    moved(guest, ("2026-08-01T00:00", small), ("2026-09-02T00:30", large))
    assert lines_of(billing_api, "2026-08") == before
    assert lines_of(billing_api, "2026-09") == [("small", 25, "0.25"), ("large", 695, "49.75")]
    assert lines_of(billing_api, "2026-10") == [("large", 744, "50.00")]


def test_an_interval_begins_with_the_order_and_each_change_and_ends_with_the_contract(customer):
    small, large = plan_make(slug="small"), plan_make(slug="large")
    guest = used_guest(customer, plan=small, created="2026-08-01T00:00")
    rows = UsageInterval.objects.filter(subscription=guest.subscription).order_by("id")
    assert [(row.plan, row.starts_at, row.ends_at) for row in rows] == [(small, at("2026-08-01T00:00"), None)]
    Subscription.objects.filter(guest=guest).update(plan=large)
    first, second = rows.all()
    assert (first.plan, second.plan, second.starts_at, second.ends_at) == (small, large, first.ends_at, None)
    Subscription.objects.filter(guest=guest).update(plan=large, external_id="another")
    assert rows.all().count() == 2
    ended = timezone.now()
    Subscription.objects.filter(guest=guest).update(status="terminated", terminated_at=ended)
    assert [row.ends_at for row in rows.all()] == [first.ends_at, ended]


@pytest.mark.parametrize(("status", "kept"), [("error", ["small"]), ("cancelled", ["small"]), ("success", None)])
def test_a_change_that_failed_was_none(customer, status, kept):
    small, large = plan_make(slug="small"), plan_make(slug="large")
    guest = used_guest(customer, plan=small, created="2026-08-01T00:00")
    factories.job_make(guest_id=guest.pk, action="guest.resize", status=status)
    for plan in (large, small):
        Subscription.objects.filter(guest=guest).update(plan=plan)
    rows = UsageInterval.objects.filter(subscription=guest.subscription).order_by("id")
    assert [row.plan.slug for row in rows] == (kept or ["small", "large", "small"])
    assert [row.ends_at is None for row in rows] == [False] * (len(rows) - 1) + [True]


def test_one_servers_usage_is_its_price_so_far(owner_api, stranger_api, customer):
    plan = plan_make(price_monthly="1000", price_hourly="1", currency="CHF")
    guest = used_guest(customer, plan=plan, created="2026-09-01T00:00", ended="2026-09-01T02:30")
    used_guest(customer, plan=plan, created="2026-09-01T00:00", ended="2026-09-02T00:00")
    (usage,) = owner_api.get("/usage", month="2026-09", guest=guest.pk).json()["results"]
    assert [line["guest"] for line in usage["lines"]] == [str(guest.pk)]
    assert usage["totals"] == [{"amount": "3.00", "currency": "CHF"}]
    assert owner_api.get("/usage", month="2026-10", guest=guest.pk).json()["results"] == []
    assert stranger_api.get("/usage", month="2026-09", guest=guest.pk).json()["results"] == []
    problem(owner_api.get("/usage", guest="web-1"), 400, "invalid_input", "guest")
    problem(owner_api.get("/usage", gast=guest.pk), 400, "invalid_input", "gast")
