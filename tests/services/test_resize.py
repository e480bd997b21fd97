"""Resizing: room that is given up stays the guest's until the job has succeeded."""

import pytest

from hosts.drivers.simulated import FaultKind
from hosts.models import Host
from hosts.services.capacity import host_take
from panel.core.cancelling import job_cancel
from panel.core.models import Customer, JobStatus
from tests import factories
from tests.services.guests import act
from tests.simulated_fleet import jobs_run
from vms.models import Guest
from vms.services.resize import guest_resize
from vms.states import GuestAction

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def stopped(guest: Guest, one_host: Host, customer: Customer) -> Guest:
    """A stopped guest of 2 vCPUs, 512 MiB and 4 GiB."""
    act(guest, GuestAction.STOP)
    resize(guest, 2, 512, 4)
    assert jobs_run()[0].status == JobStatus.SUCCESS
    guest.refresh_from_db()
    return guest


def resize(guest: Guest, vcpus: int, memory_mib: int, disk_gib: int):
    staff = factories.actor_make(factories.staff_make())
    return guest_resize(actor=staff, guest=guest, vcpus=vcpus, memory_mib=memory_mib, disk_gib=disk_gib)


def used(host: Host, customer: Customer) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What host and pool, and the customer's quota, count as used."""
    host.refresh_from_db()
    customer.refresh_from_db()
    return (host.used_vcpus, host.used_memory_mib, host.pools.get().used_gib), (
        customer.used_vcpus,
        customer.used_memory_mib,
        customer.used_disk_gib,
    )


def test_smaller_size_is_given_back_when_the_job_has_succeeded(stopped, one_host, customer):
    resize(stopped, 1, 1024, 4)
    assert used(one_host, customer) == ((2, 1024, 4), (2, 1024, 4))
    assert jobs_run()[0].status == JobStatus.SUCCESS
    assert used(one_host, customer) == ((1, 1024, 4), (1, 1024, 4))


def test_failed_resize_needs_no_room_that_others_took_meanwhile(stopped, one_host, customer, fleet):
    fleet.admin.set_fault(one_host.name, "domain_define", kind=FaultKind.ERROR)
    resize(stopped, 1, 256, 6)
    one_host.refresh_from_db()
    left = {
        "vcpus": one_host.limit_vcpus - one_host.used_vcpus,
        "memory_mib": one_host.limit_memory_mib - one_host.used_memory_mib,
    }
    assert host_take(host=one_host, **left)
    (job,) = jobs_run()
    assert (job.status, job.error_code) == (JobStatus.ERROR, "driver_failed")
    stopped.refresh_from_db()
    assert (stopped.vcpus, stopped.memory_mib, stopped.disk_gib) == (2, 512, 4)
    host, quota = used(one_host, customer)
    assert (host, quota) == ((one_host.limit_vcpus, one_host.limit_memory_mib, 4), (2, 512, 4))


def test_resize_cancelled_before_its_first_attempt_gives_all_back(stopped, one_host, customer):
    job = resize(stopped, 4, 256, 8)
    assert used(one_host, customer) == ((4, 512, 8), (4, 512, 8))
    job_cancel(job_id=job.pk)
    assert jobs_run()[0].status == JobStatus.CANCELLED
    stopped.refresh_from_db()
    assert (stopped.vcpus, stopped.memory_mib, stopped.disk_gib) == (2, 512, 4)
    assert used(one_host, customer) == ((2, 512, 4), (2, 512, 4))
