"""Health: each thing that can be wrong is one sentence with its time, its meaning and a link; nothing wrong says so."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from hosts.models import HostConnection, IPAddress, StoragePool
from panel.core import health
from panel.core.models import Job, JobAttempt, JobStatus, PanelBackup, PanelProcess
from tests import factories
from tests.api.looking_at_health import backup, items, only, process
from tests.client import problem, queries_of
from tests.services.watching import Looking
from vms.models import Comparison, Difference, Guest

pytestmark = pytest.mark.django_db
NOW = timezone.now


def test_nothing_wrong_is_an_empty_list(well, operator_api):
    body = operator_api.get("/health").json()
    assert (body["status"], body["items"]) == ("ok", [])
    assert {row["kind"] for row in body["processes"]} == {"web", "worker", "builder", "collector"}
    assert body["last_backup_at"]


def test_health_is_for_staff(owner_api, billing_api, anonymous, operator_api):
    problem(owner_api.get("/health"), 403, "permission_denied")
    problem(billing_api.get("/health"), 403, "permission_denied")
    problem(anonymous.get("/health"), 401, "not_authenticated")
    problem(operator_api.get("/health", quick="1"), 400, "invalid_input", "quick")


def test_a_silent_host_says_since_when_and_why(well, admin_api):
    since = NOW() - timedelta(minutes=20)
    well.connections.update(last_seen_at=since, last_error="connection refused")
    found = only(admin_api)
    assert (found["severity"], found["code"], found["subject"]) == ("critical", "host_silent", well.name)
    assert found["sentence"] == f"Host {well.name} has not been seen for 20 minutes. It says: connection refused."
    assert found["since"] == f"{since:%Y-%m-%dT%H:%M:%S.%fZ}"
    assert found["link"] == f"/hosts/{well.pk}"
    HostConnection.objects.filter(host=well, host_type="lxc").update(last_seen_at=NOW(), last_error="")
    assert only(admin_api)["sentence"].startswith(f"KVM on host {well.name} has not been seen for 20 minutes.")
    well.connections.update(last_seen_at=None, last_error="")
    assert only(admin_api)["sentence"] == f"Host {well.name} was never seen."


def test_a_host_that_was_silent_at_the_last_look_is_told_at_once(well, admin_api, fleet):
    well.connections.update(last_seen_at=NOW() - timedelta(seconds=17))
    assert items(admin_api) == []
    fleet.admin.set_reachable(well.name, False)
    for one in well.connections.all():
        Looking(one.pk).look()
    found = only(admin_api)
    assert (found["severity"], found["code"], found["subject"]) == ("critical", "host_silent", well.name)
    assert found["sentence"].startswith(f"Host {well.name} has not been seen for 1")
    assert found["sentence"].endswith(" seconds. It says: The host does not answer.")
    assert admin_api.get(f"/hosts/{well.pk}").json()["answers"] is False
    HostConnection.objects.filter(host=well, host_type="lxc").update(last_seen_at=NOW(), last_error="")
    assert only(admin_api)["sentence"].startswith(f"KVM on host {well.name} has not been seen for ")
    well.connections.update(last_seen_at=NOW(), last_error="")
    assert items(admin_api) == []


def test_jobs_that_nobody_takes_say_how_long_and_why(well, admin_api):
    for age_s in (240, 90, 70, 10):
        job = factories.job_make(action="guest.start")
        Job.objects.filter(pk=job.pk).update(created_at=NOW() - timedelta(seconds=age_s))
    found = only(admin_api)
    assert (found["severity"], found["code"]) == ("warning", "jobs_waiting")
    assert found["sentence"] == ("3 jobs have waited longer than 1 minute; the oldest 4 minutes: all workers are busy.")
    PanelProcess.objects.filter(kind="worker").delete()
    codes = {one["code"]: one for one in items(admin_api)}
    assert set(codes) == {"jobs_waiting", "no_worker"}
    assert codes["jobs_waiting"]["severity"] == "critical"
    assert codes["jobs_waiting"]["sentence"].endswith("the oldest 4 minutes: no worker is answering.")


def test_failing_jobs_are_told_by_action(well, admin_api):
    for status in (JobStatus.ERROR, JobStatus.SUCCESS, JobStatus.SUCCESS):
        factories.job_make(action="guest.create", status=status)
    old = factories.job_make(action="guest.stop", status=JobStatus.ERROR)
    Job.objects.filter(pk=old.pk).update(finished_at=NOW() - timedelta(hours=2))
    found = only(admin_api)
    assert (found["severity"], found["subject"]) == ("warning", "guest.create")
    assert found["sentence"] == "1 of 3 jobs “create guest” of the last hour failed."
    assert found["link"] == "/jobs?status=error&action=guest.create"
    assert found["hint"].startswith("It says what happened, ")
    for _ in range(5):
        factories.job_make(action="guest.create", status=JobStatus.ERROR)
    assert only(admin_api)["severity"] == "critical"
    assert only(admin_api)["hint"].startswith("Each of them says what happened, ")


def test_jobs_that_lost_their_worker_lately(well, admin_api):
    job = factories.job_make(action="guest.start", status=JobStatus.SUCCESS)
    for number, ago in ((1, timedelta(hours=2)), (2, timedelta(minutes=5))):
        JobAttempt.objects.create(
            job=job, number=number, worker="w", outcome="lost", started_at=NOW() - ago, ended_at=NOW() - ago
        )
    found = only(admin_api)
    assert (found["code"], found["severity"]) == ("leases_lost", "notice")
    assert found["sentence"] == "1 job lost its worker in the last hour and was taken over."
    assert found["link"] == f"/jobs/{job.pk}"


def test_a_backup_is_missed_and_grows_old(well, admin_api):
    PanelBackup.objects.all().delete()
    assert only(admin_api)["code"] == "no_backup"
    backup(ago=timedelta(days=9, hours=1))
    found = only(admin_api)
    assert found["sentence"] == "The last backup of the panel is 9 days old."
    assert found["since"] is not None


def test_pools_and_networks_that_are_full(well, admin_api):
    StoragePool.objects.filter(host=well).update(capacity_bytes=1000, available_bytes=140)
    assert (only(admin_api)["code"], only(admin_api)["severity"]) == ("pool_full", "warning")
    assert only(admin_api)["sentence"].endswith("is 86 % full.")
    StoragePool.objects.filter(host=well).update(available_bytes=40, used_gib=900)
    assert [one["code"] for one in items(admin_api)] == ["pool_full", "pool_sold"]
    assert [one["severity"] for one in items(admin_api)] == ["critical", "notice"]
    StoragePool.objects.filter(host=well).update(available_bytes=1000, used_gib=0)
    IPAddress.objects.filter(family=4).update(owner_id=well.pk)
    found = only(admin_api)
    assert (found["code"], found["link"][:10]) == ("network_used_up", "/networks/")


def test_guests_in_trouble(well, admin_api, customer):
    from tests.services.guests import order

    guest = order(customer).guest
    Job.objects.all().delete()
    for fields, code, severity in (
        ({"lifecycle": "error"}, "guests_failed", "warning"),
        ({"lifecycle": "deleting", "error_message": "No."}, "guests_not_deleted", "warning"),
        ({"lifecycle": "active", "power_state": "paused", "state_reason": "disk_full"}, "guests_paused_disk_full",
         "critical"),
    ):  # fmt: skip
        Guest.objects.filter(pk=guest.pk).update(**fields)
        assert (only(admin_api)["code"], only(admin_api)["severity"]) == (code, severity)
        assert only(admin_api)["sentence"].startswith("1 guest ")
    Guest.objects.update(observed_at=NOW() - timedelta(seconds=settings.OBSERVED_STALE_S + 1))
    assert items(admin_api) == []  # nobody has looked since: it may have been mended


def test_a_host_that_could_not_be_compared_is_told(well, admin_api):
    kvm = well.connections.get(host_type="kvm")
    row = Comparison.objects.create(connection=kvm, error="The host did not answer in time.")
    found = only(admin_api)
    assert (found["code"], found["subject"], found["link"]) == ("comparison_failed", well.name, f"/hosts/{well.pk}")
    assert found["sentence"] == f"Host {well.name} could not be compared with the panel: {row.error}"
    kvm.last_error = "The host does not answer."
    kvm.save()  # which is said of it already
    assert "comparison_failed" not in [one["code"] for one in items(admin_api)]


def test_worst_first_then_oldest(well, admin_api):
    well.connections.update(last_seen_at=NOW() - timedelta(minutes=2))
    PanelBackup.objects.all().delete()
    PanelProcess.objects.filter(kind="collector").update(seen_at=NOW() - timedelta(hours=3))
    StoragePool.objects.filter(host=well).update(used_gib=900)
    assert [one["code"] for one in items(admin_api)] == ["no_collector", "host_silent", "no_backup", "pool_sold"]
    assert admin_api.get("/health").json()["status"] == "critical"


def test_many_of_a_kind_are_counted(well, admin_api, fleet, monkeypatch):
    monkeypatch.setattr(health, "MOST", 1)
    for _ in range(2):
        fleet.host()
    found = items(admin_api)
    assert [one["code"] for one in found] == ["host_silent", "hosts_silent"]
    assert found[1]["sentence"] == "The same is true of 1 more."


def test_it_costs_the_same_whatever_is_wrong(well, admin_api, fleet):
    admin_api.get("/health")
    few = queries_of(lambda: items(admin_api))
    for _ in range(4):
        fleet.host()
        factories.job_make(action="guest.start", status=JobStatus.ERROR)
        process("worker", ago_s=300, machine="m9")
    assert queries_of(lambda: items(admin_api)) == few + 1  # which hypervisors the silent hosts have


def test_a_look_that_fails_does_not_silence_the_others(well, admin_api, monkeypatch):
    def broken_part(now):
        with connection.cursor() as cursor:
            cursor.execute("SELECT nonsense")

    monkeypatch.setattr(health, "_looks", [*health._looks, broken_part])
    well.connections.update(last_seen_at=NOW() - timedelta(minutes=2))
    assert [one["code"] for one in items(admin_api)] == ["host_silent", "look_failed"]


def test_what_does_not_agree_is_one_line_by_the_worst_of_it(well, operator_api):
    def difference(number: int, **fields) -> Difference:
        values = {
            "kind": "wrong-size",
            "severity": "medium",
            "object_type": "guest",
            "label": "web-1",
            "last_seen_at": NOW(),
        }
        return Difference.objects.create(key=f"k{number}", **{**values, **fields})

    for number, state in enumerate(("suspected", "ignored", "closed")):
        difference(number, state=state)
    assert items(operator_api) == []
    oldest = difference(3, severity="high")
    difference(4, severity="high")
    found = only(operator_api)
    assert (found["code"], found["severity"]) == ("differences_high", "critical")
    assert found["sentence"] == "There are 2 differences between what the panel has and what is there: 2 high."
    assert found["link"] == "/differences?severity=high&state=open"
    difference(5)
    difference(6, severity="low")
    found = only(operator_api)
    assert (found["code"], found["severity"]) == ("differences_high", "critical")
    assert found["sentence"] == (
        "There are 4 differences between what the panel has and what is there: 2 high, 1 medium, 1 low."
    )
    assert found["hint"].startswith("Nothing is deleted because of them. Look at each, ")
    assert found["link"] == "/differences?state=open"
    assert found["since"] == f"{oldest.created_at:%Y-%m-%dT%H:%M:%S.%fZ}"
    Difference.objects.exclude(key="k6").update(state="closed")
    found = only(operator_api)
    assert (found["code"], found["severity"]) == ("differences_low", "notice")
    assert found["sentence"] == "There is 1 difference between what the panel has and what is there: 1 low."
    assert found["hint"].startswith("Nothing is deleted because of it. Look at it, ")


@pytest.mark.parametrize(
    ("fields", "one", "many"),
    [
        ({"lifecycle": "error"},
         "Its page says why. Try the job again, or delete the guest: until then it holds its place.",
         "Their pages say why. Try the jobs again, or delete the guests: until then they hold their places."),
        ({"lifecycle": "deleting", "error_message": "No."},
         "Its page says why. It is tried again by itself as soon as its host answers.",
         "Their pages say why. They are tried again by themselves as soon as their hosts answer."),
    ],
    ids=["failed", "not deleted"],
)  # fmt: skip
def test_what_a_line_means_is_said_of_one_and_of_many(well, admin_api, customer, fields, one, many):
    from tests.services.guests import order

    for number, hint in ((1, one), (2, many)):
        order(customer, name=f"web-{number}")
        Job.objects.all().delete()
        Guest.objects.update(**fields)
        assert only(admin_api)["hint"] == hint
        assert only(admin_api)["sentence"].startswith("1 guest " if number == 1 else "2 guests ")
