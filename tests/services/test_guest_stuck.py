"""Guests that do not want to stop, to start, or to go."""

import pytest

from hosts.drivers.simulated import FaultKind
from hosts.drivers.types import PowerState
from hosts.registry import driver_for
from panel.core.models import Job, JobStatus
from panel.core.operations import Step
from panel.core.retry import job_retry
from tests import factories
from tests.services.guests import act
from tests.simulated_fleet import jobs_run
from vms.models import Guest
from vms.operations.power import GuestSuspend
from vms.selectors import guest_status
from vms.services import guests, suspension
from vms.states import GuestAction

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def staff(db):
    """An administrator."""
    return factories.actor_make(factories.staff_make())


@pytest.mark.parametrize("kind", [FaultKind.HANG, FaultKind.ERROR])
def test_a_guest_cannot_evade_suspension_by_how_it_takes_the_request(
    guest,
    one_host,
    fleet,
    staff,
    monkeypatch,
    kind,
):
    monkeypatch.setattr(GuestSuspend, "steps", (Step("ensure_stopped", "Stop it", deadline_s=1),))
    fleet.admin.set_fault(one_host.name, "domain_shutdown", kind=kind)
    suspension.guest_suspend(actor=staff, guest=guest, reason="abuse")
    (job,) = jobs_run()
    fleet.admin.release_hangs(one_host.name)
    guest.refresh_from_db()
    assert (job.status, guest.power_state) == (JobStatus.SUCCESS, "shutoff")
    assert job.retries == 0


def test_start_lets_a_guest_go_on_whose_host_was_full(guest, one_host, fleet):
    fleet.admin.guest_disk_full(one_host.name, guest.pk)
    Guest.objects.update(power_state="paused", state_reason="disk_full")
    fleet.admin.guest_disk_full(one_host.name, guest.pk, full=False)
    assert act(guest, GuestAction.START).status == JobStatus.SUCCESS
    assert (guest.power_state, guest_status(guest, None, [])) == ("running", ("running", ""))
    assert driver_for(one_host.pk, "kvm").domain_info(guest.pk).state is PowerState.RUNNING


def test_a_failed_delete_says_why_and_can_be_tried_again(guest, one_host, fleet, staff):
    fleet.admin.set_fault(one_host.name, "volume_delete", kind=FaultKind.ERROR, message="The disk is stuck.")
    job = guests.guest_delete(actor=staff, guest=guest)
    assert guest_status(Guest.objects.get(), job, [])[0] == "deleting"
    jobs_run()
    guest.refresh_from_db()
    assert guest.lifecycle == "deleting"
    assert guest_status(guest, None, []) == ("error", "The server could not be deleted: The disk is stuck.")

    again = job_retry(actor=staff, job=Job.objects.get(pk=job.pk))
    assert guest_status(guest, again, [])[0] == "deleting"
    (ended,) = jobs_run()
    guest.refresh_from_db()
    assert (ended.status, guest.lifecycle) == (JobStatus.SUCCESS, "deleted")
