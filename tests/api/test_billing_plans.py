"""Plans: administrators make them, everybody sees what is sold, nothing sold is edited."""

import pytest

from billing.models import Plan, Subscription
from panel.core.models import AuditEntry
from tests.client import problem
from tests.stock import plan_make

pytestmark = pytest.mark.django_db

NEW = {
    "slug": "small",
    "name": "Small",
    "host_types": ["lxc", "kvm"],
    "vcpus": 1,
    "memory_mib": 1024,
    "disk_gib": 20,
    "price_monthly": "4.9",
    "price_hourly": "0.008",
}


def test_a_plan_is_made_with_prices_as_decimal_strings(admin_api, viewer_api):
    response = admin_api.post("/plans", NEW)
    assert response.status_code == 201, response.content
    body = response.json()
    assert response["Location"] == f"/api/v1/plans/{body['id']}"
    assert (body["price_monthly"], body["price_hourly"], body["currency"]) == ("4.90", "0.008000", "EUR")
    assert body["host_types"] == ["kvm", "lxc"]
    assert (body["bandwidth_mbit_per_s"], body["bandwidth_required"], body["max_processes"]) == (None, False, 0)
    assert (body["sold"], body["archived_at"]) == (False, None)
    for reference in ("small", body["id"]):
        assert viewer_api.get(f"/plans/{reference}").json() == body
    assert [p["slug"] for p in viewer_api.get("/plans").json()["results"]] == ["small"]
    assert AuditEntry.objects.get(action="plan.created").changes["price_monthly"] == [None, "4.90"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"slug": "Not A Slug"}, "slug"),
        ({"host_types": []}, "host_types"),
        ({"host_types": ["vmware"]}, "host_types.0"),
        ({"vcpus": 0}, "vcpus"),
        ({"memory_mib": 31}, "memory_mib"),
        ({"disk_gib": 10**12}, "disk_gib"),
        ({"price_monthly": "-1"}, "price_monthly"),
        ({"price_monthly": "1.999"}, "price_monthly"),
        ({"price_hourly": "NaN"}, "price_hourly"),
        ({"currency": "euro"}, "currency"),
        ({"bandwidth_required": True}, "bandwidth_required"),
        ({"sold": True}, "sold"),
    ],
)
def test_a_wrong_plan_is_refused(admin_api, change, field):
    problem(admin_api.post("/plans", NEW | change), 400, "invalid_input", field)
    assert Plan.objects.count() == 0


def test_slugs_are_unique(admin_api):
    assert admin_api.post("/plans", NEW).status_code == 201
    problem(admin_api.post("/plans", NEW), 400, "invalid_input", "slug")
    other = plan_make()
    problem(admin_api.patch(f"/plans/{other.pk}", {"slug": "small"}), 400, "invalid_input", "slug")


def test_only_administrators_make_edit_and_archive_plans(operator_api, billing_api, owner_api, anonymous):
    plan = plan_make()
    for api in (operator_api, billing_api, owner_api):
        assert api.get("/plans").status_code == 200
        problem(api.post("/plans", NEW), 403, "permission_denied")
        problem(api.patch(f"/plans/{plan.pk}", {"name": "x"}), 403, "permission_denied")
        problem(api.post(f"/plans/{plan.pk}/actions/archive"), 403, "permission_denied")
    problem(anonymous.get("/plans"), 401, "not_authenticated")


def test_a_plan_is_edited_until_it_is_sold(admin_api, customer):
    plan = plan_make()
    response = admin_api.patch(f"/plans/{plan.slug}", {"price_monthly": "5.90", "vcpus": 2})
    assert (response.status_code, response.json()["price_monthly"], response.json()["vcpus"]) == (200, "5.90", 2)
    problem(admin_api.patch(f"/plans/{plan.slug}", {"vcpus": 3}, headers={"If-Match": '"1"'}), 412, "version_mismatch")
    Plan.objects.filter(pk=plan.pk).update(sold_at="2026-11-01T00:00:00Z")
    body = problem(admin_api.patch(f"/plans/{plan.slug}", {"price_monthly": "1"}), 409, "invalid_state")
    assert body["detail"] == "This plan has been sold. Archive it and add a new one."
    assert str(Plan.objects.get(pk=plan.pk).price_monthly) == "5.90"


def test_an_archived_plan_is_gone_for_customers_who_do_not_have_it(
    admin_api, billing_api, owner_api, stranger_api, customer
):
    plan, kept = plan_make(), plan_make()
    Subscription.objects.create(customer=customer, plan=plan)
    for _ in range(2):
        assert admin_api.post(f"/plans/{plan.slug}/actions/archive").status_code == 200
    assert AuditEntry.objects.filter(action="plan.archived").count() == 1
    for api in (owner_api, stranger_api, billing_api, admin_api):
        assert [p["slug"] for p in api.get("/plans").json()["results"]] == [kept.slug]
    assert [p["slug"] for p in billing_api.get("/plans", archived="true").json()["results"]] == [plan.slug]
    assert owner_api.get("/plans", archived="true").json()["results"] == []
    assert owner_api.get(f"/plans/{plan.slug}").status_code == 200
    problem(stranger_api.get(f"/plans/{plan.slug}"), 404, "not_found")
    problem(admin_api.patch(f"/plans/{plan.slug}", {"name": "x"}), 409, "invalid_state")


def test_plans_are_filtered_by_host_type_and_paged(viewer_api):
    for slug, types in (("a", ["kvm"]), ("b", ["lxc"]), ("c", ["kvm", "lxc"])):
        plan_make(slug=slug, host_types=types)
    assert [p["slug"] for p in viewer_api.get("/plans", host_type="lxc").json()["results"]] == ["b", "c"]
    first = viewer_api.get("/plans", limit=2, sort="-slug").json()
    assert [p["slug"] for p in first["results"]] == ["c", "b"]
    rest = viewer_api.get("/plans", limit=2, sort="-slug", cursor=first["next"]).json()
    assert [p["slug"] for p in rest["results"]] == ["a"]
