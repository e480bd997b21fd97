"""What happens to a subscription, on a simulated host: suspend, unsuspend, change-plan, terminate, delete."""

import pytest
from django.db import connection

from billing.models import Subscription
from hosts.drivers.simulated import FaultKind
from hosts.models import Host, HostConnection, Image, IPAddress
from panel.core.models import AuditEntry, Job, JobStatus
from tests import factories
from tests.client import problem
from tests.simulated_fleet import jobs_run
from tests.stock import plan_make
from vms.models import Guest

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop(api_of, one_host):
    """A billing system with a running server that it sold: ``shop.path`` is its subscription."""
    client = factories.client_make()
    api = api_of(client)
    api.customer = factories.customer_make(client=client, external_id="c-1")
    api.owner = api_of(factories.member_make(api.customer))
    plan_make(slug="small", memory_mib=256, disk_gib=2)
    plan_make(slug="large", vcpus=2, memory_mib=512, disk_gib=4, price_monthly="9.90")
    guest = {"name": "web-1", "host_type": "kvm", "image": "micro", "ssh_keys": [factories.ED25519]}
    body = {"customer_external_id": "c-1", "plan": "small", "external_id": "o-1", "guest": guest}
    made = api.post("/subscriptions", body).json()
    api.path, api.guest_id = f"/subscriptions/{made['subscription']['id']}", made["guest"]["id"]
    assert [job.status for job in jobs_run()] == [JobStatus.SUCCESS]
    return api


def act(api, verb, body=None, status=202):
    response = api.post(f"{api.path}/actions/{verb}", body or {})
    assert response.status_code == status, response.content
    return response.json()


def guest_of(api) -> Guest:
    return Guest.objects.get(pk=api.guest_id)


def stop(api) -> None:
    assert api.owner.post(f"/guests/{api.guest_id}/actions/stop").status_code == 202
    assert [job.status for job in jobs_run()] == [JobStatus.SUCCESS]


# ── suspend, unsuspend ──────────────────────────────────────────────────────────────────────────────
def test_suspending_stops_the_server_and_its_owner_cannot_start_it(shop):
    body = act(shop, "suspend", {"reason": "payment", "note": "invoice 7"})
    assert (body["subscription"]["status"], body["subscription"]["suspensions"]) == ("suspended", ["payment"])
    assert body["job"]["action"] == "guest.suspend"
    again = act(shop, "suspend", {"reason": "payment"}, 200)
    assert again["job"]["id"] == body["job"]["id"]
    assert [job.status for job in jobs_run()] == [JobStatus.SUCCESS]
    assert guest_of(shop).power_state == "shutoff"
    assert act(shop, "suspend", {"reason": "payment"}, 200)["job"] is None
    assert shop.owner.get(f"/guests/{shop.guest_id}").json()["status"] == "suspended"
    for verb in ("start", "rebuild"):
        problem(shop.owner.post(f"/guests/{shop.guest_id}/actions/{verb}"), 409, "invalid_state")
    body = problem(shop.owner.delete(f"/guests/{shop.guest_id}"), 409, "invalid_state")
    assert body["detail"] == "The server is suspended."
    assert shop.get("/subscriptions", status="suspended").json()["results"][0]["suspensions"] == ["payment"]
    assert shop.get("/subscriptions", status="active").json()["results"] == []


def test_reasons_are_a_set_and_only_what_ran_starts_again(shop):
    act(shop, "suspend", {"reason": "payment"})
    jobs_run()
    act(shop, "suspend", {"reason": "abuse"})
    jobs_run()
    body = act(shop, "unsuspend", {"reason": "payment"}, 200)
    assert (body["subscription"]["suspensions"], body["job"]) == (["abuse"], None)
    body = act(shop, "unsuspend", {"reason": "abuse"})
    assert (body["subscription"]["status"], body["job"]["action"]) == ("active", "guest.unsuspend")
    assert act(shop, "unsuspend", {"reason": "abuse"}, 200)["job"]["id"] == body["job"]["id"]
    jobs_run()
    assert guest_of(shop).power_state == "running"
    assert act(shop, "unsuspend", {}, 200)["job"] is None

    stop(shop)
    act(shop, "suspend", {"reason": "payment"})
    jobs_run()
    assert act(shop, "unsuspend", {}, 200)["job"] is None
    assert guest_of(shop).power_state == "shutoff"


def test_a_reason_is_a_word(shop):
    for body in ({}, {"reason": ""}, {"reason": "Not Paid"}, {"reason": "x" * 33}, {"reason": "a", "why": "b"}):
        problem(shop.post(f"{shop.path}/actions/suspend", body), 400, "invalid_input")
    assert guest_of(shop).suspensions.count() == 0


# ── change-plan ─────────────────────────────────────────────────────────────────────────────────────
def test_a_stopped_server_changes_its_plan(shop, one_host):
    problem(shop.post(f"{shop.path}/actions/change-plan", {"plan": "large"}), 409, "invalid_state")
    assert shop.get(shop.path).json()["plan"] == "small"
    stop(shop)
    body = act(shop, "change-plan", {"plan": "large"})
    assert (body["subscription"]["plan"], body["subscription"]["price_monthly"]) == ("large", "9.90")
    assert (body["guest"]["plan"], body["guest"]["vcpus"], body["guest"]["memory_mib"]) == ("large", 2, 512)
    assert act(shop, "change-plan", {"plan": "large"}, 200)["job"]["id"] == body["job"]["id"]
    assert [job.status for job in jobs_run()] == [JobStatus.SUCCESS]
    assert act(shop, "change-plan", {"plan": "large"}, 200)["job"] is None
    one_host.refresh_from_db()
    assert (one_host.used_vcpus, one_host.used_memory_mib, one_host.pools.get().used_gib) == (2, 512, 4)
    entry = AuditEntry.objects.get(action="subscription.plan-changed")
    assert entry.changes == {"plan": ["small", "large"]}


def test_a_failed_change_gives_the_old_plan_back_to_guest_and_subscription(shop, fleet, one_host):
    stop(shop)
    fleet.admin.set_fault(one_host.name, "volume_resize", kind=FaultKind.ERROR)
    act(shop, "change-plan", {"plan": "large"})
    assert [job.status for job in jobs_run()] == [JobStatus.ERROR]
    assert guest_of(shop).plan_slug == "small"
    assert shop.get(shop.path).json()["plan"] == "small"
    assert act(shop, "change-plan", {"plan": "large"})["job"]["status"] == "queued"


def test_a_plan_that_does_not_fit_is_refused(shop):
    stop(shop)
    plan_make(slug="thin", memory_mib=256, disk_gib=1)
    plan_make(slug="containers", host_types=["lxc"])
    plan_make(slug="old", archived_at="2026-11-01T00:00:00Z")
    plan_make(slug="shaped", memory_mib=256, disk_gib=2, bandwidth_mbit_per_s=100, bandwidth_required=True)
    HostConnection.objects.update(capabilities=[{"capability": "bandwidth", "available": False, "reason": "No."}])
    for plan, sentence in {
        "thin": "A disk cannot shrink: this server has 2 GiB.",
        "containers": "The plan containers is not for KVM.",
        "old": "The plan old is no longer sold.",
        "none": "There is no plan none.",
        "shaped": "The plan shaped needs a limit of traffic, which this server's host cannot give.",
    }.items():
        body = problem(
            shop.post(f"{shop.path}/actions/change-plan", {"plan": plan}), 400, "invalid_input", "plan"
        )  # fmt: skip
        assert body["detail"] == sentence
    assert shop.get(shop.path).json()["plan"] == "small"
    assert Job.objects.filter(action="guest.resize").count() == 0


def test_an_owner_resizes_by_plan_and_not_by_numbers(shop, admin_api):
    path = f"/guests/{shop.guest_id}/actions/resize"
    stop(shop)
    problem(shop.owner.post(path, {"vcpus": 8}), 400, "invalid_input", "vcpus")
    problem(shop.owner.post(path, {}), 400, "invalid_input", "plan")
    problem(shop.post(path, {"plan": "large"}), 403, "permission_denied")
    body = shop.owner.post(path, {"plan": "large"})
    assert (body.status_code, body.json()["guest"]["plan"]) == (202, "large")
    jobs_run()
    problem(shop.owner.post(path, {"plan": "large"}), 409, "invalid_state")
    assert shop.get(shop.path).json()["plan"] == "large"
    body = admin_api.post(path, {"vcpus": 4})
    assert (body.status_code, body.json()["guest"]["vcpus"], body.json()["guest"]["plan"]) == (202, 4, "large")


def test_no_size_is_less_than_the_image_needs(shop, admin_api):
    stop(shop)
    plan_make(slug="thin", memory_mib=128, disk_gib=4)
    Image.objects.update(min_memory_mib=300, min_disk_gib=6)
    path, used = f"/guests/{shop.guest_id}/actions/resize", list(Host.objects.values("used_memory_mib", "used_vcpus"))
    for api, there, body, field, sentence in (
        (shop, f"{shop.path}/actions/change-plan", {"plan": "thin"}, "plan", "at least 300 MiB of memory."),
        (shop.owner, path, {"plan": "thin"}, "plan", "at least 300 MiB of memory."),
        (admin_api, path, {"memory_mib": 299}, "memory_mib", "at least 300 MiB of memory."),
        (admin_api, path, {"disk_gib": 5}, "disk_gib", "a disk of at least 6 GiB."),
    ):
        answer = problem(api.post(there, body), 400, "invalid_input", field)
        assert [row["message"] for row in answer["errors"]] == [f"The image micro needs {sentence}"]
    assert list(Host.objects.values("used_memory_mib", "used_vcpus")) == used
    assert (Job.objects.filter(action="guest.resize").count(), guest_of(shop).plan_slug) == (0, "small")
    # What a server has had since before the image needed more stays.
    assert admin_api.post(path, {"vcpus": 2}).status_code == 202


def test_staff_put_a_server_on_no_plan_only_on_one_that_is_sold_for_its_type(shop, admin_api):
    stop(shop)
    Subscription.objects.update(guest=None)
    plan_make(slug="containers", host_types=["lxc"], memory_mib=256, disk_gib=2)
    plan_make(slug="old", archived_at="2026-11-01T00:00:00Z", memory_mib=256, disk_gib=2)
    plan_make(slug="fast", memory_mib=256, disk_gib=2, bandwidth_mbit_per_s=100)
    path = f"/guests/{shop.guest_id}/actions/resize"
    for plan, sentence in {
        "containers": "The plan containers is not for KVM.",
        "old": "The plan old is no longer sold.",
    }.items():
        assert problem(admin_api.post(path, {"plan": plan}), 400, "invalid_input", "plan")["detail"] == sentence
    assert (Job.objects.filter(action="guest.resize").count(), guest_of(shop).plan_slug) == (0, "small")
    assert admin_api.post(path, {"plan": "fast"}).json()["guest"]["plan"] == "fast"
    assert guest_of(shop).bandwidth_mbit_per_s == 100


# ── the end ─────────────────────────────────────────────────────────────────────────────────────────
def test_terminating_deletes_the_server_and_repeating_it_is_no_error(shop, one_host):
    body = act(shop, "terminate")
    assert (body["subscription"]["status"], body["job"]["action"]) == ("terminated", "guest.delete")
    assert act(shop, "terminate", status=200)["job"]["id"] == body["job"]["id"]
    assert [job.status for job in jobs_run()] == [JobStatus.SUCCESS]
    last = act(shop, "terminate", status=200)
    assert (last["job"], last["guest"]["lifecycle"]) == (None, "deleted")
    assert last["subscription"]["terminated_at"] == body["subscription"]["terminated_at"]
    one_host.refresh_from_db()
    assert (one_host.used_vcpus, one_host.used_memory_mib) == (0, 0)
    assert IPAddress.objects.filter(owner_id__isnull=False).count() == 0
    assert AuditEntry.objects.filter(action="subscription.terminated").count() == 1
    for verb, more in (("suspend", {"reason": "payment"}), ("unsuspend", {}), ("change-plan", {"plan": "large"})):
        problem(shop.post(f"{shop.path}/actions/{verb}", more), 409, "invalid_state")
    assert shop.get("/subscriptions", status="terminated").json()["results"][0]["external_id"] == "o-1"
    problem(shop.owner.delete(f"/guests/{shop.guest_id}"), 404, "not_found")


def test_a_suspended_server_is_terminated_too(shop):
    act(shop, "suspend", {"reason": "payment"})
    jobs_run()
    act(shop, "terminate")
    assert [job.status for job in jobs_run()] == [JobStatus.SUCCESS]
    assert guest_of(shop).lifecycle == "deleted"


def test_a_termination_does_not_wait_to_count(shop):
    assert shop.owner.post(f"/guests/{shop.guest_id}/actions/reboot").status_code == 202
    body = act(shop, "terminate")
    assert body["guest"]["status"] == "deleting"
    ended = {job.action: job.status for job in jobs_run()}
    assert ended == {"guest.reboot": JobStatus.CANCELLED, "guest.delete": JobStatus.SUCCESS}


def test_a_failed_deletion_is_started_again_by_the_next_termination(shop, fleet, one_host):
    fleet.admin.set_fault(one_host.name, "domain_undefine", kind=FaultKind.ERROR)
    act(shop, "terminate")
    assert [job.status for job in jobs_run()] == [JobStatus.ERROR]
    act(shop, "terminate")
    assert [job.status for job in jobs_run()] == [JobStatus.SUCCESS]
    assert Subscription.objects.get().status == "terminated"


def test_deleting_the_guest_ends_its_subscription(shop, api_of):
    member = api_of(factories.member_make(shop.customer, "member"))
    problem(member.delete(f"/guests/{shop.guest_id}"), 403, "permission_denied")
    stale = shop.owner.delete(f"/guests/{shop.guest_id}", headers={"If-Match": '"999"'})
    problem(stale, 412, "version_mismatch")
    response = shop.owner.delete(f"/guests/{shop.guest_id}")
    assert (response.status_code, list(response.json())) == (202, ["job"])
    assert shop.owner.delete(f"/guests/{shop.guest_id}").json()["job"]["id"] == response.json()["job"]["id"]
    assert shop.get(shop.path).json()["status"] == "terminated"
    jobs_run()
    assert guest_of(shop).lifecycle == "deleted"


def test_only_billing_and_administrators_act_on_subscriptions(shop, operator_api, stranger_api, admin_api):
    for verb, body in (
        ("suspend", {"reason": "payment"}),
        ("unsuspend", {}),
        ("change-plan", {"plan": "large"}),
        ("terminate", {}),
    ):
        path = f"{shop.path}/actions/{verb}"
        for api in (shop.owner, operator_api):
            problem(api.post(path, body), 403, "permission_denied")
        problem(stranger_api.post(path, body), 404, "not_found")
    assert shop.get(shop.path).json()["status"] == "active"
    assert admin_api.post(f"{shop.path}/actions/suspend", {"reason": "abuse"}).status_code == 202


def test_the_database_keeps_plan_and_guest_in_step_only_while_the_contract_runs(shop):
    Subscription.objects.update(status="terminated")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE vms_guest SET plan_slug = 'large'")
    assert Subscription.objects.get().plan.slug == "small"
