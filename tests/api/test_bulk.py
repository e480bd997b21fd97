"""Power for many guests in one request."""

import uuid

import pytest

from panel.core.models import AuditEntry, Job, JobStatus
from panel.core.parents import parent_recompute
from tests import factories, stock
from tests.client import problem, queries_of
from vms.models import Guest

pytestmark = pytest.mark.django_db


def ask(api, verb: str, *guests: Guest, **more):
    return api.post(f"/guests/actions/{verb}", {"guests": [str(guest.pk) for guest in guests]}, **more)


@pytest.fixture
def guests(customer) -> list[Guest]:
    """Three that are off."""
    host = stock.host_make()
    return [stock.guest_make(customer, host=host, pool=host.pools.get(), name=f"web-{n}") for n in range(3)]


def end(job: Job, status: str) -> None:
    Job.objects.filter(pk=job.pk).update(status=status, finished_at=job.created_at)
    job.resources.update(slot=None)
    assert job.parent_id
    parent_recompute(job.parent_id)


def test_one_job_shows_those_that_it_is_made_of(member_api, guests):
    response = ask(member_api, "start", *guests)
    body = response.json()
    assert response.status_code == 202
    assert response["Location"] == f"/api/v1/jobs/{body['job']['id']}"
    assert body["refused"] == []
    parent = body["job"]
    assert (parent["action"], parent["status"], parent["resources"]) == ("guests.start", "running", [])
    none = {"running": 0, "success": 0, "error": 0, "cancelled": 0}
    assert parent["children"] == {"total": 3, "queued": 3, **none}
    children = member_api.get("/jobs", parent=parent["id"]).json()["results"]
    assert {child["action"] for child in children} == {"guest.start"}
    assert {child["resources"][0]["name"] for child in children} == {"web-0", "web-1", "web-2"}
    assert {child["parent"] for child in children} == {parent["id"]}
    assert [row["id"] for row in member_api.get("/jobs", top="true").json()["results"]] == [parent["id"]]
    assert set(Guest.objects.values_list("power_wanted", flat=True)) == {"on"}
    assert AuditEntry.objects.filter(action="guest.start.requested").count() == 3


def test_the_parent_follows_its_children(member_api, guests):
    parent_id = ask(member_api, "start", *guests).json()["job"]["id"]
    one, two, three = Job.objects.filter(parent=parent_id)

    def shown() -> tuple:
        job = member_api.get(f"/jobs/{parent_id}").json()
        return job["status"], job["progress_percent"], job["error"] and job["error"]["message"]

    end(one, JobStatus.SUCCESS)
    assert shown() == ("running", 33, None)
    end(two, JobStatus.ERROR)
    end(three, JobStatus.CANCELLED)
    assert shown() == ("error", 100, "1 of 3 failed.")


def test_those_that_cannot_do_it_now_are_left_out_and_named(member_api, guests):
    Guest.objects.filter(pk=guests[0].pk).update(power_state="running")
    factories.job_make(guest_id=guests[1].pk, action="guest.resize")
    body = ask(member_api, "start", *guests).json()
    assert {one["name"]: one["code"] for one in body["refused"]} == {"web-0": "invalid_state", "web-1": "resource_busy"}
    assert body["job"]["children"]["total"] == 1
    assert AuditEntry.objects.filter(action="guest.start.requested").count() == 1
    assert set(Guest.objects.filter(power_wanted="on")) == {guests[2]}


def test_when_all_are_left_out_nothing_happens(member_api, guests):
    Guest.objects.update(power_state="running")
    error = problem(ask(member_api, "start", *guests), 409, "invalid_state")
    assert "web-0: This cannot be done while the server is running." in error["detail"]
    assert Job.objects.count() == AuditEntry.objects.filter(object_type="guest").count() == 0


def test_who_may(viewer_api, stranger_api, operator_api, admin_api, guests):
    problem(ask(viewer_api, "stop", *guests), 403, "permission_denied")
    problem(ask(operator_api, "stop", *guests), 403, "permission_denied")
    problem(ask(stranger_api, "stop", guests[0]), 400, "invalid_input", "guests")
    assert Job.objects.count() == 0
    elsewhere = stock.guest_make(power_state="running")
    Guest.objects.update(power_state="running")
    body = ask(admin_api, "stop", *guests, elsewhere).json()
    assert (body["job"]["children"]["total"], body["job"]["customer"]) == (4, None)


def test_of_several_customers_one_asks_for_each(api_of, customer, guests):
    owner = factories.member_make(customer)
    other = factories.customer_make()
    factories.Membership.objects.create(user=owner, customer=other, role="owner")
    problem(ask(api_of(owner), "start", guests[0], stock.guest_make(other)), 400, "invalid_input", "guests")
    assert Job.objects.count() == 0


@pytest.mark.parametrize("body", [{}, {"guests": []}, {"guests": ["x"]}, {"guests": [str(uuid.uuid4())]}])
def test_bad_input_is_named(member_api, body):
    problem(member_api.post("/guests/actions/start", body), 400, "invalid_input")


def test_more_than_100_are_refused(member_api):
    problem(
        member_api.post("/guests/actions/start", {"guests": [str(uuid.uuid4()) for _ in range(101)]}),
        400,
        "invalid_input",
    )


def test_the_same_guest_twice_is_one(member_api, guests):
    assert ask(member_api, "start", guests[0], guests[0]).json()["job"]["children"]["total"] == 1


def test_cancelling_asks_every_child_to_stop(member_api, viewer_api, guests):
    parent = ask(member_api, "start", *guests).json()["job"]
    assert parent["can_cancel"] is True
    problem(viewer_api.post(f"/jobs/{parent['id']}/actions/cancel"), 403, "permission_denied")
    one, *rest = Job.objects.filter(parent=parent["id"]).order_by("pk")
    end(one, JobStatus.SUCCESS)
    assert member_api.post(f"/jobs/{parent['id']}/actions/cancel").json()["job"]["cancel_requested"] is True
    assert all(Job.objects.get(pk=job.pk).cancel_requested_at for job in rest)
    assert Job.objects.get(pk=one.pk).cancel_requested_at is None
    for job in rest:
        end(job, JobStatus.CANCELLED)
    ended = member_api.get(f"/jobs/{parent['id']}").json()
    assert (ended["status"], ended["error"]["message"]) == ("cancelled", "2 of 3 were cancelled.")


def test_trying_again_asks_for_those_that_failed(member_api, guests):
    parent = ask(member_api, "start", *guests).json()["job"]
    for job, status in zip(Job.objects.filter(parent=parent["id"]), ("success", "error", "cancelled"), strict=True):
        end(job, status)
    assert member_api.get(f"/jobs/{parent['id']}").json()["can_retry"] is True
    again = member_api.post(f"/jobs/{parent['id']}/actions/retry").json()["job"]
    assert (again["action"], again["children"]["total"], again["status"]) == ("guests.start", 2, "running")


def test_a_list_of_jobs_of_many_costs_the_same_number_of_queries(member_api, guests):
    def get() -> None:
        assert member_api.get("/jobs").status_code == 200

    ask(member_api, "start", guests[0])
    get()
    one = queries_of(get)
    ask(member_api, "start", *guests[1:])
    assert queries_of(get) == one
