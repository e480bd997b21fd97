"""Suspension holds: what was asked for at once happens in the end, whatever fails or waits in between."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from hosts.drivers.simulated import FaultKind
from hosts.models import Host, HostConnection
from panel.core.actors import SYSTEM
from panel.core.errors import InvalidStateError
from panel.core.jobs import job_claim
from panel.core.models import AuditEntry, Job, JobStatus
from panel.core.tasks import run
from tests import factories
from tests.services.guests import act, order
from tests.services.watching import Looking
from tests.simulated_fleet import jobs_run
from vms.models import Guest
from vms.services.actions import guest_action_submit, seed_scrub
from vms.services.suspension import guest_suspend, guest_unsuspend
from vms.states import GuestAction

pytestmark = pytest.mark.django_db(transaction=True)


def suspend(guest: Guest, reason: str = "payment") -> Job | None:
    return guest_suspend(actor=SYSTEM, guest=guest, reason=reason)


def unsuspend(guest: Guest) -> Job | None:
    return guest_unsuspend(actor=SYSTEM, guest=guest)


def power(guest: Guest) -> tuple[str, str]:
    """What it is and what it should be."""
    guest.refresh_from_db()
    return guest.power_state, guest.power_wanted


def ran() -> list[tuple[str, str]]:
    """Run all jobs; return what they were and how they ended."""
    return [(job.action, job.status) for job in jobs_run()]


@pytest.fixture
def deaf(guest: Guest, one_host: Host, fleet) -> Guest:
    """A running guest whose suspension has failed."""
    fleet.admin.set_fault(one_host.name, "domain_shutdown", kind=FaultKind.ERROR)
    fleet.admin.set_fault(one_host.name, "domain_destroy", kind=FaultKind.ERROR)
    assert suspend(guest) is not None
    assert ran() == [("guest.suspend", "error")]
    return guest


def asked() -> list[str]:
    """Return what the audit trail knows of repeated requests."""
    actions = AuditEntry.objects.order_by("at").values_list("action", flat=True)
    return [action for action in actions if action.endswith("suspend.requested")]


# ── failed, and asked again ─────────────────────────────────────────────────────────────────────────
def test_failed_suspension_is_carried_out_when_it_is_asked_for_again(deaf):
    assert power(deaf) == ("running", "off")
    again = suspend(deaf)
    assert again is not None
    assert suspend(deaf) is None  # one is at work
    assert ran() == [("guest.suspend", "success")]
    assert power(deaf) == ("shutoff", "off")
    assert suspend(deaf) is None
    assert deaf.suspensions.count() == 1
    assert asked() == ["guest.suspend.requested"]


def test_failed_unsuspension_is_carried_out_when_it_is_asked_for_again(guest, one_host, fleet):
    suspend(guest)
    jobs_run()
    fleet.admin.set_fault(one_host.name, "domain_start", kind=FaultKind.ERROR)
    assert unsuspend(guest) is not None
    assert ran() == [("guest.unsuspend", "error")]
    assert power(guest) == ("shutoff", "on")
    assert unsuspend(guest) is not None
    assert unsuspend(guest) is None
    assert ran() == [("guest.unsuspend", "success")]
    assert power(guest) == ("running", "on")
    assert unsuspend(guest) is None
    assert asked() == ["guest.unsuspend.requested"]


def test_unsuspending_what_was_never_suspended_starts_nothing(guest):
    assert unsuspend(guest) is None
    act(guest, GuestAction.STOP)
    assert unsuspend(guest) is None
    assert power(guest) == ("shutoff", "off")


def test_the_collector_stops_a_suspended_guest_that_runs(deaf, one_host):
    watcher = Looking(HostConnection.objects.get(host=one_host, host_type="kvm").pk)
    watcher.look()
    assert ran() == []  # the last try was just now
    Job.objects.update(created_at=timezone.now() - timedelta(minutes=2))
    watcher.look()
    watcher.look()
    assert ran() == [("guest.suspend", "success")]
    assert power(deaf) == ("shutoff", "off")
    Job.objects.update(created_at=timezone.now() - timedelta(minutes=2))
    watcher.look()
    assert ran() == []


def test_the_collector_lets_everybody_else_run(guest, one_host):
    Looking(HostConnection.objects.get(host=one_host, host_type="kvm").pk).look()
    assert ran() == []


# ── while nobody looks ──────────────────────────────────────────────────────────────────────────────
def long_unseen(guest: Guest, power_state: str) -> None:
    long_ago = timezone.now() - timedelta(seconds=settings.OBSERVED_STALE_S + 1)
    Guest.objects.filter(pk=guest.pk).update(power_state=power_state, observed_at=long_ago)


def test_one_that_was_off_a_while_ago_starts_again_afterwards_if_it_should_run(guest):
    long_unseen(guest, "shutoff")
    suspend(guest)
    assert ran() == [("guest.suspend", "success")]
    assert unsuspend(guest) is not None
    assert ran() == [("guest.unsuspend", "success")]
    assert power(guest) == ("running", "on")


def test_a_suspended_one_that_was_off_a_while_ago_is_stopped_when_somebody_asks_again(guest):
    suspend(guest)
    jobs_run()
    assert suspend(guest) is None
    long_unseen(guest, "shutoff")
    assert suspend(guest) is not None


# ── while others work or wait ───────────────────────────────────────────────────────────────────────
def test_unsuspension_takes_the_place_of_a_suspension_that_waits(guest):
    guest_action_submit(actor=SYSTEM, guest=guest, action=GuestAction.REBOOT)
    dropped = suspend(guest)
    job = unsuspend(guest)
    assert job is not None
    assert dropped is not None
    dropped.refresh_from_db()
    assert (dropped.status, dropped.error_message) == (JobStatus.CANCELLED, "The server's suspension has ended.")
    assert ran() == [("guest.reboot", "success"), ("guest.unsuspend", "success")]
    assert power(guest) == ("running", "on")


def test_suspension_takes_the_place_of_a_start_that_waits(one_host, customer):
    guest = order(customer, ssh_keys=()).guest
    jobs_run()
    act(guest, GuestAction.STOP)
    assert seed_scrub(guest=guest) is not None
    start = guest_action_submit(actor=SYSTEM, guest=guest, action=GuestAction.START)
    assert suspend(guest) is not None
    start.refresh_from_db()
    assert (start.status, start.error_message) == (JobStatus.CANCELLED, "The server was suspended.")
    assert ran() == [("guest.scrub-seed", "success"), ("guest.suspend", "success")]
    assert power(guest) == ("shutoff", "off")
    assert unsuspend(guest) is not None  # it was about to run


def test_suspended_again_before_it_has_started_it_still_starts_in_the_end(guest):
    suspend(guest)
    jobs_run()
    unsuspend(guest)
    suspend(guest, "abuse")
    jobs_run()
    assert power(guest) == ("shutoff", "off")
    assert unsuspend(guest) is not None
    jobs_run()
    assert power(guest) == ("running", "on")


def test_changes_of_mind_while_the_suspension_runs(guest):
    job = suspend(guest)
    assert job is not None
    running = job_claim(job.pk, worker="w")
    assert running is not None
    first = unsuspend(guest)
    second = suspend(guest)
    third = unsuspend(guest)
    assert len({j.pk for j in (job, first, second, third) if j is not None}) == 4
    run(running)
    assert ran() == [("guest.unsuspend", "success")]
    assert power(guest) == ("running", "on")


# ── what ran ────────────────────────────────────────────────────────────────────────────────────────
def test_what_runs_on_against_its_owner_s_wish_runs_again_afterwards(guest, one_host, fleet, monkeypatch):
    monkeypatch.setattr("vms.operations.power.SHUTDOWN_WAIT_S", 0.2)
    fleet.admin.guest_set_ignores_shutdown(one_host.name, guest.pk)
    act(guest, GuestAction.SHUTDOWN)
    assert power(guest) == ("running", "off")
    suspend(guest)
    assert guest.suspensions.get().was_running is True
    jobs_run()
    assert unsuspend(guest) is not None
    jobs_run()
    assert power(guest) == ("running", "on")


def test_what_powered_itself_off_stays_off_afterwards(guest):
    Guest.objects.update(power_state="shutoff")
    suspend(guest)
    assert guest.suspensions.get().was_running is False
    jobs_run()
    assert unsuspend(guest) is None


@pytest.mark.parametrize(("wanted", "was_running"), [("on", True), ("off", False)])
def test_where_nobody_knows_what_was_asked_for_counts(guest, wanted, was_running):
    Guest.objects.update(power_state="unknown", power_wanted=wanted)
    suspend(guest)
    assert guest.suspensions.get().was_running is was_running


def test_suspended_and_unsuspended_while_it_is_built_it_runs_in_the_end(one_host, customer):
    guest = order(customer).guest
    suspend(guest)
    assert power(guest) == ("unknown", "off")
    assert unsuspend(guest) is not None
    assert power(guest) == ("unknown", "on")
    assert ran() == [("guest.create", "success"), ("guest.unsuspend", "success")]
    assert power(guest) == ("running", "on")


def test_suspended_while_it_is_built_it_is_never_started(one_host, customer, fleet):
    guest = order(customer).guest
    suspend(guest)
    fleet.admin.clear_calls()
    assert ran() == [("guest.create", "success"), ("guest.suspend", "success")]
    assert fleet.admin.calls(host=one_host.name, call="domain_start") == []
    assert power(guest) == ("shutoff", "off")
    with pytest.raises(InvalidStateError, match="suspended"):
        guest_action_submit(
            actor=factories.actor_make(factories.staff_make()), guest=guest, action=GuestAction.START
        )  # fmt: skip


def test_why_a_build_failed_is_still_said_after_a_suspension(one_host, customer, fleet):
    fleet.admin.set_fault(one_host.name, "domain_define", kind=FaultKind.ERROR)
    guest = order(customer).guest
    suspend(guest)
    assert ran() == [("guest.create", "error"), ("guest.suspend", "success")]
    guest.refresh_from_db()
    assert (guest.lifecycle, bool(guest.error_message)) == ("error", True)
