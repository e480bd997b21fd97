"""After a restart of its host a guest runs again when it should, and only then."""

from datetime import timedelta

import pytest
from django.utils import timezone

from hosts.drivers.simulated import FaultKind
from hosts.drivers.types import PowerState
from hosts.models import Host, HostConnection
from hosts.services.hosts import host_maintenance_enter, host_maintenance_leave
from panel.core.actors import SYSTEM
from panel.core.errors import DriverError
from panel.core.jobs import job_claim
from panel.core.models import AuditEntry, Job
from tests.concurrency.http import at_once
from tests.services.guests import act, order
from tests.services.watching import Looking
from tests.simulated_fleet import jobs_run
from vms.models import Guest
from vms.services import boot
from vms.services.suspension import guest_suspend
from vms.states import GuestAction

pytestmark = pytest.mark.django_db(transaction=True)
HOST_TYPES = ("kvm", "lxc")


@pytest.fixture
def look(one_host: Host):
    """Look at all of the host once."""

    def once() -> None:
        for connection in HostConnection.objects.filter(host=one_host).order_by("host_type"):
            Looking(connection.pk).look()

    return once


@pytest.fixture
def three(one_host, customer, look) -> list[Guest]:
    """Three running guests, the oldest first, the second a container."""
    made = [order(customer, name=f"web-{n}", host_type=kind).guest for n, kind in enumerate(("kvm", "lxc", "kvm"))]
    jobs_run()
    look()
    return list(Guest.objects.filter(pk__in=[one.pk for one in made]).order_by("created_at"))


def states(fleet, host: Host) -> dict[str, PowerState]:
    return {one.spec.name: one.state for one in fleet.admin.dump_host(host.name).domains.values()}


def test_guests_run_again_after_their_host_has_restarted(three, one_host, fleet, look):
    fleet.admin.reboot_host(one_host.name)
    assert set(states(fleet, one_host).values()) == {PowerState.SHUTOFF}
    look()
    queued = list(Job.objects.filter(status="queued"))
    assert {(job.action, job.actor_kind, job.slot_kind) for job in queued} == {("guest.start", "system", "boot")}
    assert [job.status for job in jobs_run()] == ["success"] * 3
    assert set(states(fleet, one_host).values()) == {PowerState.RUNNING}
    assert {(one.power_state, one.power_wanted) for one in Guest.objects.all()} == {("running", "on")}
    audited = AuditEntry.objects.filter(action="guest.start.requested")
    assert {(entry.object_id, entry.actor_label) for entry in audited} == {(one.pk, "system") for one in three}
    look()
    assert Job.objects.filter(status="queued").count() == 0


def test_the_oldest_comes_first_and_only_a_few_at_once(one_host, customer, fleet, look):
    made = [order(customer, name=f"web-{n}").guest for n in range(5)]
    jobs_run()
    look()
    fleet.admin.reboot_host(one_host.name)
    look()
    queued = Job.objects.filter(status="queued").order_by("created_at")
    assert [job.resources.get().resource_id for job in queued] == [guest.pk for guest in made]
    claimed = [job for job in (job_claim(job.pk, worker="test") for job in queued) if job is not None]
    assert [job.resources.get().resource_id for job in claimed] == [guest.pk for guest in made[:3]]


def test_who_should_not_run_stays_off(three, one_host, fleet, look):
    inside, suspended, stopped = three
    fleet.admin.guest_poweroff(one_host.name, inside.pk)
    look()
    Guest.objects.filter(pk=inside.pk).update(off_since=timezone.now() - timedelta(seconds=61))
    look()
    guest_suspend(actor=SYSTEM, guest=suspended, reason="payment")
    jobs_run()
    act(stopped, GuestAction.STOP)
    fleet.admin.reboot_host(one_host.name)
    for _ in range(2):
        look()
    assert Job.objects.filter(status="queued").count() == 0
    assert set(states(fleet, one_host).values()) == {PowerState.SHUTOFF}


def test_a_guest_that_went_off_under_the_present_boot_is_not_started(three, one_host, fleet, look):
    fleet.admin.guest_poweroff(one_host.name, three[0].pk)
    fleet.admin.guest_crash(one_host.name, three[2].pk)
    look()
    assert Job.objects.filter(status="queued").count() == 0


def test_nothing_starts_where_the_boot_is_not_known_or_the_host_is_silent(three, one_host, fleet, look):
    fleet.admin.reboot_host(one_host.name)
    fleet.admin.set_fault(one_host.name, "boot_id", FaultKind.ERROR, error=DriverError, times=2)
    look()
    fleet.admin.set_fault(one_host.name, "domain_list", FaultKind.ERROR, error=DriverError, times=2)
    look()
    assert Job.objects.filter(status="queued").count() == 0
    look()
    assert Job.objects.filter(status="queued").count() == 3


def test_a_host_in_maintenance_waits(three, one_host, fleet, look):
    host_maintenance_enter(actor=SYSTEM, host=one_host)
    fleet.admin.reboot_host(one_host.name)
    look()
    assert Job.objects.filter(status="queued").count() == 0
    host_maintenance_leave(actor=SYSTEM, host=Host.objects.get(pk=one_host.pk))
    look()
    assert [job.status for job in jobs_run()] == ["success"] * 3


def test_two_collectors_start_each_guest_once(three, one_host, fleet, look, monkeypatch):
    fleet.admin.reboot_host(one_host.name)
    monkeypatch.setattr(boot, "power_restore", lambda **_: [])
    look()
    monkeypatch.undo()
    boot_id = Host.objects.get(pk=one_host.pk).boot_id
    kinds = [kind for kind in HOST_TYPES for _ in range(4)]
    submitted = at_once(
        len(kinds), lambda n: boot.power_restore(host_id=one_host.pk, host_type=kinds[n], boot_id=boot_id)
    )
    assert sorted(job.resources.get().resource_id for jobs in submitted for job in jobs) == sorted(g.pk for g in three)
    assert [job.status for job in jobs_run()] == ["success"] * 3
    assert [domain.starts for domain in fleet.admin.dump_host(one_host.name).domains.values()] == [2, 2, 2]


def test_a_start_that_fails_is_tried_again_later_and_not_for_ever(three, one_host, fleet, look):
    fleet.admin.reboot_host(one_host.name)
    fleet.admin.set_fault(one_host.name, "domain_start", FaultKind.ERROR, times=99, domain=three[0].pk)
    look()
    assert sorted(job.status for job in jobs_run()) == ["error", "success", "success"]
    look()
    assert Job.objects.filter(status="queued").count() == 0
    for _ in range(4):
        Job.objects.update(created_at=timezone.now() - boot.AGAIN_AFTER)
        look()
        jobs_run()
    ran = Job.objects.filter(resources__resource_id=three[0].pk, action="guest.start")
    assert [job.status for job in ran] == ["error"] * boot.TRIES
