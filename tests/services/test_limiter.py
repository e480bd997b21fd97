"""What the panel does by itself touches at most 1 % of the fleet in ten minutes, whatever it is."""

import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from hosts.drivers.simulated import FaultKind
from hosts.models import HostConnection
from hosts.registry import driver_of
from panel.core.actors import SYSTEM
from panel.core.models import Job, JobStatus
from tests.client import problem
from tests.services.guests import order
from tests.services.watching import Looking
from tests.simulated_fleet import jobs_run
from vms.models import Difference, Guest, GuestSuspension
from vms.operations.survey import compare_connection
from vms.services.guests import guest_delete
from vms.services.limiter import WINDOW, limit
from vms.services.reconcile.stopped import stopped_tell
from vms.services.suspension import ENFORCE_AGAIN_AFTER, guest_suspend, suspensions_enforce
from vms.services.unfinished import AGAIN_AFTER, ASKED_LATELY, deletions_go_on

pytestmark = pytest.mark.django_db(transaction=True)
Make = Callable[..., list[Guest]]


@pytest.fixture
def running(one_host, customer) -> Make:
    """Make so many running servers."""

    def make(count: int, name: str = "web") -> list[Guest]:
        made = [order(customer, name=f"{name}-{number}").guest for number in range(count)]
        jobs_run()
        return made

    return make


@pytest.fixture
def suspended(running, kvm) -> Make:
    """Make so many servers that were suspended yesterday, and are seen running."""

    def make(count: int, name: str = "late") -> list[Guest]:
        made = running(count, name)
        for guest in made:
            guest_suspend(actor=SYSTEM, guest=guest, reason="payment")
        jobs_run()
        yesterday()
        for guest in made:
            driver_of(kvm).domain_start(guest.pk)
        return made

    return make


@pytest.fixture
def undeleted(running, one_host, fleet) -> Make:
    """Make so many servers whose deletion has failed a while ago."""

    def make(count: int, name: str = "old") -> list[Guest]:
        made = running(count, name)
        fleet.admin.set_fault(one_host.name, "domain_undefine", FaultKind.ERROR, times=0)
        for guest in made:
            guest_delete(actor=SYSTEM, guest=guest)
        assert {job.status for job in jobs_run()} == {JobStatus.ERROR}
        fleet.admin.clear_faults(one_host.name)
        Job.objects.update(finished_at=timezone.now() - AGAIN_AFTER)
        Guest.objects.filter(pk__in=[g.pk for g in made]).update(deletion_requested_at=timezone.now() - ASKED_LATELY)
        return made

    return make


def yesterday() -> None:
    """Everything so far was yesterday."""
    GuestSuspension.objects.update(created_at=timezone.now() - timedelta(days=1))
    Job.objects.update(created_at=timezone.now() - timedelta(days=1))


def window_passes() -> None:
    Job.objects.update(created_at=timezone.now() - WINDOW)


def strangers(count: int) -> None:
    """Make the fleet larger by servers that are on no host."""
    first = Guest.objects.all()[0]
    Guest.objects.bulk_create(
        Guest(pk=uuid.uuid4(), name=f"s-{n}", hostname="s", customer=first.customer, image=first.image, host_type="kvm",
              vcpus=1, memory_mib=1, disk_gib=1, lifecycle="active")
        for n in range(count)
    )  # fmt: skip


def ran() -> list[str]:
    return [job.action for job in jobs_run()]


def tick(kvm: HostConnection) -> list[str]:
    """Do what a collector does every 15 s. Returns what was done, with those who asked for it."""
    Looking(kvm.pk).look()
    deletions_go_on([kvm.host_id])
    stopped_tell()
    return [f"{job.action} by {job.actor_kind}" for job in jobs_run()]


def told() -> Difference | None:
    return Difference.objects.filter(kind="automatic-stopped", state="open").first()


def test_suspended_servers_that_run_are_stopped_at_the_limiter_s_pace(suspended, kvm):
    suspended(3)
    for waiting in (2, 1, 0):
        assert tick(kvm) == ["guest.suspend by system"]
        assert tick(kvm) == []
        assert Guest.objects.filter(power_state="running").count() == waiting
        row = told()
        assert (row.found["suspend"] if row else 0) == waiting
        window_passes()
    assert Difference.objects.count() == 1  # one and the same all the time
    assert tick(kvm) == []


def test_deletions_that_failed_go_on_at_the_limiter_s_pace(undeleted, kvm, one_host, fleet):
    undeleted(3)
    for left in (2, 1, 0):
        assert tick(kvm) == ["guest.delete by system"]
        assert tick(kvm) == []
        assert len(fleet.admin.dump_host(one_host.name).domains) == left
        row = told()
        assert (row.found["delete"] if row else 0) == left
        window_passes()


def test_all_kinds_count_together(suspended, undeleted, running, kvm, one_host, fleet):
    undeleted(2)
    suspended(2)
    for guest in running(2):
        fleet.admin.drop_rules(one_host.name, guest.pk)

    def everything() -> list[str]:
        compare_connection(driver_of(kvm), kvm, anew=True)
        return [*ran(), *tick(kvm)]

    Job.objects.update(finished_at=timezone.now() - AGAIN_AFTER)
    assert everything() == ["guest.repair"]
    assert everything() == []
    row = told()
    assert row is not None
    assert row.expected == {"at_most": 1, "minutes": 10}
    names = row.found.pop("names")
    assert row.found == {"done": 1, "waiting": 5, "repair": 1, "suspend": 2, "delete": 2}
    assert len(names) == 5
    done = []
    for _ in range(6):
        window_passes()
        done.append(everything())
    assert sorted(done) == [[], *[["guest.delete by system"]] * 2, ["guest.repair"], *[["guest.suspend by system"]] * 2]
    assert told() is None


def test_one_percent_of_a_larger_fleet(suspended, kvm):
    suspended(4)
    strangers(296)
    assert limit() == 3
    assert tick(kvm) == ["guest.suspend by system"] * 3
    assert tick(kvm) == []


def test_one_server_that_is_touched_again_counts_once_and_need_not_wait(suspended, kvm, one_host, fleet):
    first, second = suspended(2)
    fleet.admin.set_fault(one_host.name, "domain_destroy", FaultKind.ERROR, times=2)
    fleet.admin.set_fault(one_host.name, "domain_shutdown", FaultKind.ERROR, times=2)
    touched = set()
    for _ in range(3):
        assert tick(kvm) == ["guest.suspend by system"]
        touched |= set(Job.objects.filter(params__automatic=True).values_list("resources__resource_id", flat=True))
        Job.objects.update(created_at=timezone.now() - ENFORCE_AGAIN_AFTER)
    assert touched <= {first.pk, second.pk}
    assert len(touched) == 1
    assert Guest.objects.filter(power_state="shutoff").count() == 1


def test_one_that_cannot_be_stopped_does_not_keep_the_place_from_others(suspended, kvm, one_host, fleet):
    made = suspended(2)
    fleet.admin.set_fault(one_host.name, "domain_destroy", FaultKind.ERROR, times=0)
    fleet.admin.set_fault(one_host.name, "domain_shutdown", FaultKind.ERROR, times=0)
    for _ in made:
        assert tick(kvm) == ["guest.suspend by system"]
        new = Job.objects.filter(created_at__gt=timezone.now() - ENFORCE_AGAIN_AFTER)
        new.update(created_at=F("created_at") - ENFORCE_AGAIN_AFTER)
        assert tick(kvm) == ["guest.suspend by system"]  # the same one again, which takes no place of its own
        Job.objects.update(created_at=F("created_at") - WINDOW)
    marked = Job.objects.filter(params__automatic=True)
    assert sorted(marked.values_list("resources__resource_id", flat=True)) == sorted(guest.pk for guest in made)


def test_what_was_asked_for_just_now_does_not_wait(running, kvm, one_host, fleet):
    made = running(3)
    fleet.admin.set_fault(one_host.name, "domain_destroy", FaultKind.ERROR, times=0)
    fleet.admin.set_fault(one_host.name, "domain_shutdown", FaultKind.ERROR, times=0)
    for guest in made:
        guest_suspend(actor=SYSTEM, guest=guest, reason="payment")
    assert {job.status for job in jobs_run()} == {JobStatus.ERROR}
    fleet.admin.clear_faults(one_host.name)
    Job.objects.update(created_at=timezone.now() - ENFORCE_AGAIN_AFTER)
    assert tick(kvm) == ["guest.suspend by system"] * 3
    assert (told(), set(Guest.objects.values_list("power_state", flat=True))) == (None, {"shutoff"})


def test_deletions_asked_for_in_the_last_hour_do_not_wait(undeleted, kvm, one_host, fleet):
    made = undeleted(3)
    lately = timezone.now() - ASKED_LATELY + timedelta(minutes=5)
    Guest.objects.filter(pk__in=[guest.pk for guest in made]).update(deletion_requested_at=lately)
    assert tick(kvm) == ["guest.delete by system"] * 3
    assert (told(), len(fleet.admin.dump_host(one_host.name).domains)) == (None, 0)


def test_what_somebody_tries_again_is_not_the_panel_s_own_doing(undeleted, kvm, one_host, fleet, admin_api):
    undeleted(2)
    fleet.admin.set_fault(one_host.name, "domain_undefine", FaultKind.ERROR, times=0)
    assert tick(kvm) == ["guest.delete by system"]
    failed = Job.objects.get(params__automatic=True)
    assert failed.status == "error"
    window_passes()
    fleet.admin.clear_faults(one_host.name)
    answer = admin_api.post(f"/jobs/{failed.pk}/actions/retry")
    assert answer.status_code == 202
    assert "automatic" not in Job.objects.get(pk=answer.json()["job"]["id"]).params
    assert ran() == ["guest.delete"]
    assert tick(kvm) == ["guest.delete by system"]


def test_staff_let_everything_go_on(suspended, undeleted, kvm, admin_api, operator_api):
    undeleted(2)
    late = suspended(2)
    assert len(tick(kvm)) == 1
    row = told()
    assert row is not None
    assert row.found["waiting"] == 3
    path = f"/differences/{row.pk}/actions/repair"
    problem(operator_api.post(path), 403, "permission_denied")
    answer = admin_api.post(path)
    assert answer.status_code == 202
    assert answer.json()["difference"]["state"] == "closed"
    assert sorted((job.action, job.actor_kind, job.status) for job in jobs_run()) == [
        ("guest.delete", "person", "success"),
        ("guest.delete", "person", "success"),
        ("guest.suspend", "person", "success"),
    ]
    assert set(Guest.objects.filter(pk__in=[guest.pk for guest in late]).values_list("power_state", flat=True)) == {
        "shutoff"
    }
    assert Guest.objects.filter(lifecycle="deleted").count() == 2
    problem(admin_api.post(path), 409, "invalid_state")


def test_an_ignored_notice_changes_nothing_of_the_pace(suspended, kvm, admin_api):
    suspended(2)
    assert len(tick(kvm)) == 1
    row = told()
    assert row is not None
    assert admin_api.post(f"/differences/{row.pk}/actions/ignore", {"reason": "seen"}).status_code == 200
    assert tick(kvm) == []
    assert told() is None
    window_passes()
    assert tick(kvm) == ["guest.suspend by system"]


def test_health_says_what_waits(suspended, undeleted, kvm, admin_api):
    undeleted(1)
    suspended(2)
    suspensions_enforce([kvm.host_id])
    tick(kvm)
    found = {one["code"]: one for one in admin_api.get("/health").json()["items"]}
    said = found["automatic_stopped"]
    row = told()
    assert row is not None
    assert said["sentence"].startswith(f"The panel has stopped acting by itself: {row.found['waiting']} guests wait (")
    assert said["link"] == "/differences?kind=automatic-stopped"
    assert "differences_high" not in found
