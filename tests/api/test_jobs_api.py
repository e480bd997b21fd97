"""``/jobs``: who sees which, filters, cancelling, trying again."""

import uuid
from typing import Any

import pytest

from panel.core import retry
from panel.core.models import AuditEntry, Job, JobResource, JobStatus
from tests import factories, stock
from tests.client import problem, queries_of

pytestmark = pytest.mark.django_db
FAILED: dict[str, Any] = {
    "status": JobStatus.ERROR,
    "error_code": "host_timeout",
    "error_message": "The host took too long.",
}


def ids(response) -> set[str]:
    assert response.status_code == 200, response.content
    return {row["id"] for row in response.json()["results"]}


def test_a_job_says_what_the_design_promises(owner_api, customer):
    guest_id = uuid.uuid4()
    job = factories.job_make(customer=customer, guest_id=guest_id, action="guest.start", progress_percent=40)
    response = owner_api.get(f"/jobs/{job.pk}")
    body = response.json()
    assert set(body) >= {
        *("id", "action", "status", "progress_percent", "step", "steps", "attempt", "error", "resources"),
        *("created_at", "started_at", "finished_at"),
    }
    assert (body["action"], body["status"], body["progress_percent"], body["error"]) == (
        "guest.start",
        "queued",
        40,
        None,
    )
    assert body["resources"] == [{"type": "guest", "id": str(guest_id), "name": ""}]  # there is no such guest
    assert response["ETag"] == f'"{body["version"]}"'


def test_the_raw_error_and_who_of_the_staff_asked_are_for_staff(owner_api, operator_api, billing_api, customer):
    admin = factories.staff_make(email="root@house.example")
    asked: dict[str, Any] = {"actor_kind": "person", "actor_user": admin, "actor_label": admin.email}
    job = factories.job_make(customer=customer, error_detail="host-7: qemu said no", **asked, **FAILED)
    plain = {"code": "host_timeout", "message": "The host took too long."}
    shown = owner_api.get(f"/jobs/{job.pk}").json()
    assert (shown["error"], shown["actor"]) == (plain, "hosting company")
    assert billing_api.get(f"/jobs/{job.pk}").json()["error"] == plain
    shown = operator_api.get(f"/jobs/{job.pk}").json()
    assert (shown["error"], shown["actor"]) == ({**plain, "detail": "host-7: qemu said no"}, "root@house.example")


def test_jobs_name_also_what_has_no_row_of_its_own(admin_api, customer):
    host, image = stock.host_make(name="fsn-01"), stock.image_make(name="Debian 12")
    params = {"host": str(host.pk), "image": str(image.pk), "host_type": "kvm"}
    copy = factories.job_make(action="image.copy", params=params)
    JobResource.objects.create(job=copy, type="host-image", resource_id=uuid.uuid4(), slot="holding")
    adopt = factories.job_make(
        customer=customer, guest_id=uuid.uuid4(), action="guest.adopt", params={"asked": {"name": "erp"}}, **FAILED
    )
    for job, name in ((copy, "Debian 12 (KVM) → fsn-01"), (adopt, "erp")):
        assert [one["name"] for one in admin_api.get(f"/jobs/{job.pk}").json()["resources"]] == [name]
    bare = factories.job_make(action="image.copy")
    JobResource.objects.create(job=bare, type="host-image", resource_id=uuid.uuid4(), slot=None)
    assert admin_api.get(f"/jobs/{bare.pk}").json()["resources"][0]["name"] == ""


def test_jobs_name_what_they_work_on_in_the_same_number_of_queries_for_any_number(owner_api, customer):
    def get() -> None:
        assert owner_api.get("/jobs").status_code == 200

    guests = [stock.guest_make(customer, name=f"web-{number}") for number in range(6)]
    factories.job_make(customer=customer, guest_id=guests[0].pk)
    get()
    one = queries_of(get)
    for guest in guests[1:]:
        job = factories.job_make(customer=customer, guest_id=guest.pk)
    assert queries_of(get) == one
    names = {row["resources"][0]["name"] for row in owner_api.get("/jobs").json()["results"]}
    assert names == {guest.name for guest in guests}
    assert owner_api.get(f"/jobs/{job.pk}").json()["resources"][0]["name"] == "web-5"


def test_one_may_ask_for_the_jobs_that_one_asked_for(api_of, billing_api, customer):
    owner = factories.member_make(customer, "owner")
    owner_api = api_of(owner)
    asked: dict[str, Any] = {"customer": customer, "actor_kind": "person", "actor_user": owner}
    mine = factories.job_make(**asked)
    other = factories.job_make(customer=customer)
    assert ids(owner_api.get("/jobs", mine="true")) == {str(mine.pk)}
    assert {row["id"]: row["mine"] for row in owner_api.get("/jobs").json()["results"]} == {
        str(mine.pk): True,
        str(other.pk): False,
    }
    assert ids(billing_api.get("/jobs", mine="true")) == set()
    problem(owner_api.get("/jobs", mine="yes"), 400, "invalid_input", "mine")


def test_everybody_sees_their_customers_jobs(owner_api, stranger_api, operator_api, billing_api, customer):
    ours, fleet = factories.job_make(customer=customer), factories.job_make()
    assert ids(owner_api.get("/jobs")) == {str(ours.pk)}
    assert ids(stranger_api.get("/jobs")) == set()
    assert ids(operator_api.get("/jobs")) == {str(ours.pk), str(fleet.pk)}
    assert ids(billing_api.get("/jobs")) == {str(ours.pk)}
    problem(stranger_api.get(f"/jobs/{ours.pk}"), 404, "not_found")
    problem(owner_api.get(f"/jobs/{fleet.pk}"), 404, "not_found")
    problem(billing_api.get(f"/jobs/{fleet.pk}"), 404, "not_found")


def test_filters(operator_api, customer):
    guest_id, host_id = uuid.uuid4(), uuid.uuid4()
    one = factories.job_make(customer=customer, guest_id=guest_id, action="guest.start")
    two = factories.job_make(guest_id=guest_id, host_id=host_id, action="guest.stop", **FAILED)
    three = factories.job_make(parent=one)
    for query, expected in (
        ({"guest": guest_id}, {one, two}),
        ({"status": "error"}, {two}),
        ({"action": "guest.start"}, {one}),
        ({"customer": customer.pk}, {one}),
        ({"host": host_id}, {two}),
        ({"parent": one.pk}, {three}),
        ({"active": "true"}, {one, three}),
        ({"guest": guest_id, "status": "queued"}, {one}),
        ({"guest": uuid.uuid4()}, set()),
    ):
        assert ids(operator_api.get("/jobs", **query)) == {str(job.pk) for job in expected}, query
    for name, value in (("guest", "x"), ("status", "failed"), ("active", "yes"), ("colour", "red"), ("action", "a\0")):
        problem(operator_api.get("/jobs", **{name: value}), 400, "invalid_input", name)


def test_wait_is_checked_also_without_the_asgi_server(owner_api, customer):
    job = factories.job_make(customer=customer, **FAILED)
    assert owner_api.get(f"/jobs/{job.pk}", wait=25).status_code == 200
    for wrong in ("26", "-1", "x", "1.5"):
        problem(owner_api.get(f"/jobs/{job.pk}", wait=wrong), 400, "invalid_input", "wait")


def test_cancelling(member_api, viewer_api, stranger_api, customer):
    job = factories.job_make(customer=customer)
    path = f"/jobs/{job.pk}/actions/cancel"
    problem(viewer_api.post(path), 403, "permission_denied")
    problem(stranger_api.post(path), 404, "not_found")
    job.refresh_from_db()
    assert job.cancel_requested_at is None
    response = member_api.post(path)
    assert (response.status_code, response.json()["job"]["cancel_requested"]) == (202, True)
    ended = factories.job_make(customer=customer, **FAILED)
    problem(member_api.post(f"/jobs/{ended.pk}/actions/cancel"), 409, "invalid_state")


@pytest.mark.parametrize("action", ["guest.suspend", "guest.unsuspend", "guest.delete", "guest.scrub-seed"])
def test_what_must_be_carried_out_cannot_be_cancelled(member_api, owner_api, admin_api, customer, action):
    job = factories.job_make(customer=customer, guest_id=uuid.uuid4(), action=action)
    assert admin_api.get(f"/jobs/{job.pk}").json()["can_cancel"] is False
    path = f"/jobs/{job.pk}/actions/cancel"
    problem(admin_api.post(path), 409, "invalid_state")
    for api in (member_api, owner_api):
        assert api.post(path).status_code in (403, 409)
    job.refresh_from_db()
    assert job.cancel_requested_at is None
    assert not AuditEntry.objects.filter(action="job.cancel.requested").exists()


@pytest.mark.parametrize(
    ("action", "may"),
    [("guest.create", False), ("guest.resize", False), ("guest.start", True), ("guest.rebuild", True)],
)
def test_cancelling_needs_the_right_to_ask_for_the_action(member_api, owner_api, customer, action, may):
    job = factories.job_make(customer=customer, guest_id=uuid.uuid4(), action=action)
    path = f"/jobs/{job.pk}/actions/cancel"
    assert member_api.get(f"/jobs/{job.pk}").json()["can_cancel"] is may
    if not may:
        problem(member_api.post(path), 403, "permission_denied")
        job.refresh_from_db()
        assert job.cancel_requested_at is None
    assert owner_api.post(path).status_code == 202
    assert owner_api.post(path).status_code == 202
    entry = AuditEntry.objects.get(action="job.cancel.requested")  # once, however often it is asked
    assert (entry.object_id, entry.object_label, entry.customer_id) == (job.pk, action, customer.pk)


def test_the_fleet_s_jobs_are_cancelled_and_tried_again_by_who_manages_it(operator_api, admin_api):
    job = factories.job_make(action="host.check")
    problem(operator_api.post(f"/jobs/{job.pk}/actions/cancel"), 403, "permission_denied")
    assert admin_api.post(f"/jobs/{job.pk}/actions/cancel").status_code == 202
    failed = factories.job_make(action="host.check", **FAILED)
    new = admin_api.post(f"/jobs/{failed.pk}/actions/retry").json()["job"]
    entry = AuditEntry.objects.get(action="job.retried")
    assert (str(entry.object_id), entry.object_label) == (new["id"], "host.check")


def test_trying_again_is_up_to_the_app_behind_the_action(member_api, viewer_api, customer, monkeypatch):
    monkeypatch.setattr(retry, "_RESUBMITS", {})
    failed = factories.job_make(customer=customer, action="test.again", **FAILED)
    path = f"/jobs/{failed.pk}/actions/retry"
    assert member_api.get(f"/jobs/{failed.pk}").json()["can_retry"] is False
    problem(member_api.post(path), 409, "invalid_state")
    retry.retryable(["test.again"], lambda actor, job: factories.job_make(customer=customer, action=job.action))
    assert member_api.get(f"/jobs/{failed.pk}").json()["can_retry"] is True
    assert viewer_api.get(f"/jobs/{failed.pk}").json()["can_retry"] is False
    problem(viewer_api.post(path), 403, "permission_denied")
    response = member_api.post(path)
    new = response.json()["job"]
    assert response.status_code == 202
    assert response["Location"] == f"/api/v1/jobs/{new['id']}"
    assert (new["action"], new["status"], new["id"] != str(failed.pk)) == ("test.again", "queued", True)
    problem(member_api.post(f"/jobs/{new['id']}/actions/retry"), 409, "invalid_state")
    assert Job.objects.count() == 2
