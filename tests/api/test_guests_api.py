"""Guests through the API: what is shown, to whom, and what may be asked."""

import uuid
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from panel.core.models import Job
from tests import factories, stock
from tests.client import problem, queries_of
from tests.simulated_fleet import jobs_run
from vms.models import Guest, GuestSecret
from vms.services import suspension
from vms.services.demo_fleet import demo_fleet_make

pytestmark = pytest.mark.django_db(transaction=True)
BODY = {"name": "web-1", "host_type": "kvm", "vcpus": 1, "memory_mib": 256, "disk_gib": 2, "image": "micro"}


def ids_of(answer) -> list[str]:
    return [row["id"] for row in answer.json()["results"]]


@pytest.fixture
def guest(one_host, admin_api, customer) -> dict:
    """A running guest of ``customer``, as the API shows it."""
    made = admin_api.post("/guests", {**BODY, "customer": str(customer.pk), "ssh_keys": [factories.ED25519]})
    assert made.status_code == 202, made.content
    jobs_run()
    return admin_api.get(f"/guests/{made.json()['guest']['id']}").json()


def test_create_answers_with_guest_job_and_addresses(one_host, admin_api, customer):
    answer = admin_api.post("/guests", {**BODY, "customer": str(customer.pk), "ssh_keys": [factories.ED25519]})
    assert answer.status_code == 202
    body = answer.json()
    assert answer["Location"] == f"/api/v1/jobs/{body['job']['id']}"
    assert "root_password" not in body or body["root_password"] is None
    assert body["subscription"] is None
    shown = body["guest"]
    assert (shown["status"], shown["lifecycle"], shown["active_job"]) == ("creating", "provisioning", body["job"]["id"])
    assert [(a["address"], a["family"]) for a in shown["addresses"]] == [("10.77.0.2", 4), ("fd00:77::2", 6)]
    assert {a["mac"][:8] for a in shown["addresses"]} == {"52:54:00"}
    assert body["job"]["resources"] == [{"type": "guest", "id": shown["id"], "name": "web-1"}]


def test_password_is_in_the_first_answer_and_in_no_replay(one_host, admin_api):
    factories.house_make()
    headers = {"Idempotency-Key": "order-0001"}
    first = admin_api.post("/guests", BODY, headers=headers).json()
    again = admin_api.post("/guests", BODY, headers=headers)
    assert len(first["root_password"]) == 20
    assert again["Idempotent-Replayed"] == "true"
    assert again.status_code == 202
    assert (again.json()["root_password"], again.json()["root_password_shown"]) == (None, True)
    assert Guest.objects.count() == 1


def test_running_guest(guest):
    assert (guest["status"], guest["power_state"], guest["power_wanted"]) == ("running", "running", "on")
    allowed = {support["action"]: support["allowed"] for support in guest["supports"]}
    assert allowed == {
        "start": False, "shutdown": True, "stop": True, "reboot": True, "reset": True, "reset-root-password": True,
        "rebuild": True, "resize": False, "delete": True,
    }  # fmt: skip


@pytest.mark.parametrize("action", ["shutdown", "stop", "reboot", "reset", "rebuild", "reset-root-password"])
def test_each_action_is_accepted_and_does_its_work(guest, member_api, action):
    answer = member_api.post(f"/guests/{guest['id']}/actions/{action}")
    assert answer.status_code == 202, answer.content
    assert answer.json()["job"]["action"] == f"guest.{action}"
    (job,) = jobs_run()
    assert job.status == "success"


def test_a_rebuild_names_what_is_wrong_with_its_image(guest, member_api, admin_api):
    path, before = f"/guests/{guest['id']}/actions/rebuild", Guest.objects.values().get()
    stock.image_make(slug="box", host_types=["lxc"])
    stock.image_make(slug="gone", state="retired")
    for api, image, sentence in (
        (member_api, "none", "There is no image none."),
        (member_api, str(uuid.uuid4()), None),
        (member_api, "no such/thing", "There is no image no such/thing."),
        (member_api, "gone", "There is no image gone."),
        (admin_api, "gone", "The image gone cannot be ordered."),
        (member_api, "box", "The image box does not run on KVM."),
    ):
        answer = problem(api.post(path, {"image": image}), 400, "invalid_input", "image")
        assert answer["detail"] == (sentence or f"There is no image {image}.")
    assert Guest.objects.values().get() == before
    assert Job.objects.exclude(action="guest.create").count() == 0


def test_stopped_guest_starts(guest, member_api):
    member_api.post(f"/guests/{guest['id']}/actions/stop")
    jobs_run()
    problem(member_api.post(f"/guests/{guest['id']}/actions/stop"), 409, "invalid_state")
    assert member_api.post(f"/guests/{guest['id']}/actions/start").status_code == 202
    jobs_run()
    assert member_api.get(f"/guests/{guest['id']}").json()["power_state"] == "running"


def test_second_action_is_refused_and_changes_nothing(guest, member_api):
    first = member_api.post(f"/guests/{guest['id']}/actions/reboot").json()
    body = problem(member_api.post(f"/guests/{guest['id']}/actions/stop"), 409, "resource_busy")
    assert body["job_id"] == first["job"]["id"]
    assert Job.objects.count() == 2
    assert Guest.objects.get().power_wanted == "on"


def test_strangers_see_nothing_and_viewers_change_nothing(guest, api_of, viewer_api):
    stranger = api_of(factories.member_make(factories.customer_make()))
    path = f"/guests/{guest['id']}"
    assert stranger.get("/guests").json()["results"] == []
    for answer in (stranger.get(path), stranger.patch(path, {"name": "x"}), stranger.delete(path),
                   stranger.post(f"{path}/actions/stop"), stranger.post(f"{path}/actions/rebuild")):  # fmt: skip
        problem(answer, 404, "not_found")
    assert viewer_api.get(path).status_code == 200
    for answer in (viewer_api.patch(path, {"name": "x"}), viewer_api.delete(path),
                   viewer_api.post(f"{path}/actions/stop")):  # fmt: skip
        problem(answer, 403, "permission_denied")
    assert Job.objects.exclude(action="guest.create").count() == 0


def test_customers_do_not_see_the_host(guest, owner_api):
    shown = owner_api.get(f"/guests/{guest['id']}").json()
    assert (shown["host"], shown["host_name"], guest["host"] is not None) == (None, None, True)
    problem(owner_api.get("/guests", host=guest["host"]), 403, "permission_denied")


def test_suspended_guest_is_seen_but_not_touched(guest, owner_api):
    staff = factories.actor_make(factories.staff_make())
    suspension.guest_suspend(actor=staff, guest=Guest.objects.get(), reason="payment")
    jobs_run()
    shown = owner_api.get(f"/guests/{guest['id']}").json()
    assert (shown["status"], shown["suspensions"], shown["power_state"]) == ("suspended", ["payment"], "shutoff")
    assert not any(support["allowed"] for support in shown["supports"])
    for action in ("start", "rebuild", "reset-root-password"):
        problem(owner_api.post(f"/guests/{guest['id']}/actions/{action}"), 409, "invalid_state")
    problem(owner_api.delete(f"/guests/{guest['id']}"), 409, "invalid_state")


def test_rename_with_etag(guest, member_api):
    path = f"/guests/{guest['id']}"
    tag = member_api.get(path)["ETag"]
    renamed = member_api.call("PATCH", path, {"name": "web-2", "labels": {"team": "a"}}, headers={"If-Match": tag})
    assert (renamed.status_code, renamed.json()["name"], renamed.json()["labels"]) == (200, "web-2", {"team": "a"})
    problem(member_api.call("PATCH", path, {"name": "web-3"}, headers={"If-Match": tag}), 412, "version_mismatch")
    problem(member_api.patch(path, {"name": "Not A Host"}), 400, "invalid_input", "name")
    problem(member_api.patch(path, {"power_state": "running"}), 400, "invalid_input", "power_state")
    assert Guest.objects.get().name == "web-2"


def test_own_password_is_taken_and_not_shown(guest, member_api):
    path = f"/guests/{guest['id']}/actions/reset-root-password"
    answer = member_api.post(path, {"root_password": "correct horse battery"})
    assert (answer.status_code, answer.json()["root_password"]) == (202, None)
    assert GuestSecret.objects.get().root_password_hash.startswith("$6$")
    jobs_run()
    assert GuestSecret.objects.count() == 0
    made = member_api.post(path).json()["root_password"]
    assert len(made) == 20
    problem(member_api.post(path, {"root_password": "short"}), 400, "invalid_input", "root_password")


def test_deleted_guest_is_shown_as_deleted_and_leaves_the_lists(guest, owner_api):
    answer = owner_api.delete(f"/guests/{guest['id']}")
    assert answer.status_code == 202
    assert owner_api.delete(f"/guests/{guest['id']}").json()["job"]["id"] == answer.json()["job"]["id"]
    assert owner_api.get(f"/guests/{guest['id']}").json()["status"] == "deleting"
    jobs_run()
    shown = owner_api.get(f"/guests/{guest['id']}").json()
    assert (shown["lifecycle"], shown["addresses"]) == ("deleted", [])
    assert owner_api.get("/guests").json()["results"] == []
    assert [g["id"] for g in owner_api.get("/guests", lifecycle="deleted").json()["results"]] == [guest["id"]]
    problem(owner_api.delete(f"/guests/{guest['id']}"), 404, "not_found")


def test_failed_create_can_be_tried_again(one_host, admin_api, fleet):
    factories.house_make()
    fleet.admin.set_fault(one_host.name, "domain_start", kind="error")
    made = admin_api.post("/guests", BODY).json()
    (job,) = jobs_run()
    assert admin_api.get(f"/guests/{made['guest']['id']}").json()["status"] == "error"
    again = admin_api.post(f"/jobs/{job.pk}/actions/retry")
    assert again.status_code == 202, again.content
    jobs_run()
    shown = admin_api.get(f"/guests/{made['guest']['id']}").json()
    assert (shown["status"], shown["status_reason"]) == ("running", "")
    problem(admin_api.post(f"/jobs/{again.json()['job']['id']}/actions/retry"), 409, "invalid_state")


def test_what_nobody_has_looked_at_for_two_minutes_is_unknown_with_when_it_was_seen(guest, admin_api, settings):
    """No collector lives, so nobody writes down that its host is silent."""
    path = f"/guests/{guest['id']}"
    rows = Guest.objects.filter(pk=guest["id"])
    rows.update(observed_at=timezone.now() - timedelta(seconds=settings.OBSERVED_STALE_S - 10))
    assert admin_api.get(path).json()["status"] == "running"
    assert ids_of(admin_api.get("/guests", power_state="running")) == [guest["id"]]
    seen = timezone.now() - timedelta(seconds=settings.OBSERVED_STALE_S + 1)
    rows.update(observed_at=seen)
    shown = admin_api.get(path).json()
    assert (shown["status"], shown["power_state"], shown["power_wanted"]) == ("unknown", "unknown", "on")
    assert shown["status_reason"].startswith(f"The panel has not looked at it lately; last seen {seen:%H:%M} UTC")
    assert datetime.fromisoformat(shown["observed_at"]) == seen
    assert shown in admin_api.get("/guests").json()["results"]
    assert ids_of(admin_api.get("/guests", power_state="unknown")) == [guest["id"]]
    assert ids_of(admin_api.get("/guests", power_state="running")) == []
    long_ago = timezone.now() - timedelta(days=3)
    rows.update(observed_at=long_ago)
    why = admin_api.get(path).json()["status_reason"]
    assert why.endswith(f"last seen {long_ago:%H:%M} UTC on {long_ago:%Y-%m-%d}.")
    # What is offered is what is done.
    assert {one["action"]: one["allowed"] for one in shown["supports"]}["start"]
    assert admin_api.post(f"{path}/actions/start").status_code == 202
    (job,) = jobs_run()
    assert (job.status, admin_api.get(path).json()["status"]) == ("success", "running")


def test_whether_it_was_seen_lately_goes_by_the_database_s_clock(guest, admin_api, monkeypatch):
    right = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: right() + timedelta(hours=1))
    assert admin_api.get(f"/guests/{guest['id']}").json()["status"] == "running"


@pytest.fixture
def many(db) -> None:
    """A made-up fleet of 120 guests."""
    demo_fleet_make(hosts=4, guests=120, customers=3)


def test_list_costs_the_same_queries_for_ten_rows_and_a_hundred(many, admin_api):
    admin_api.get("/guests", limit=1)

    def get(limit: int) -> None:
        assert len(admin_api.get("/guests", limit=limit).json()["results"]) == limit

    assert queries_of(lambda: get(10)) == queries_of(lambda: get(100)) <= 8


def test_pages_follow_each_other_without_gap_or_repetition(many, admin_api):
    for sort in ("-created_at", "name", "-name"):
        seen, cursor = [], None
        while True:
            page = admin_api.get("/guests", limit=50, sort=sort, cursor=cursor).json()
            seen += [guest["id"] for guest in page["results"]]
            cursor = page["next"]
            if cursor is None:
                break
        assert len(seen) == len(set(seen)) == 120
    first = admin_api.get("/guests", limit=50).json()["next"]
    problem(admin_api.get("/guests", cursor=first, sort="name"), 400, "cursor_mismatch")
    problem(admin_api.get("/guests", cursor="forged"), 400, "cursor_mismatch")


def test_search_and_filters(many, admin_api):
    one = admin_api.get("/guests", limit=1).json()["results"][0]
    for text in (one["id"], one["addresses"][0]["address"], one["addresses"][0]["mac"], one["name"]):
        assert [g["id"] for g in admin_api.get("/guests", search=text).json()["results"]] == [one["id"]]
    found = admin_api.get("/guests", search=one["name"][:4], limit=1000).json()["results"]
    assert found
    assert all(one["name"][:4] in guest["name"] for guest in found)
    kvm = admin_api.get("/guests", host_type="kvm", limit=1000).json()["results"]
    assert {guest["host_type"] for guest in kvm} == {"kvm"}
    assert len(admin_api.get("/guests", host=one["host"], limit=1000).json()["results"]) == 30
    problem(admin_api.get("/guests", host_type="vmware"), 400, "invalid_input", "host_type")
    problem(admin_api.get("/guests", customer="x"), 400, "invalid_input", "customer")
    problem(admin_api.get("/guests", limit="0"), 400, "invalid_input", "limit")
    problem(admin_api.get(f"/guests/{uuid.uuid4()}"), 404, "not_found")
