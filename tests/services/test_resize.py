"""Resizing: room that is given up stays the guest's until the job has succeeded."""

import pytest

from billing.models import Subscription
from hosts.drivers.simulated import FaultKind
from hosts.models import Host
from hosts.services.capacity import host_take
from panel.core.cancelling import job_cancel
from panel.core.errors import CapacityError
from panel.core.models import Customer, Job, JobStatus
from panel.core.retry import job_retry
from tests import factories, stock
from tests.client import problem
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


def test_a_failed_resize_is_tried_again_and_takes_its_room_again(stopped, one_host, customer, fleet, admin_api):
    fleet.admin.set_fault(one_host.name, "domain_define", kind=FaultKind.ERROR, times=1)
    failed = resize(stopped, 4, 1024, 8)
    assert jobs_run()[0].status == JobStatus.ERROR
    assert used(one_host, customer) == ((2, 512, 4), (2, 512, 4))
    assert admin_api.get(f"/jobs/{failed.pk}").json()["can_retry"] is True
    assert admin_api.post(f"/jobs/{failed.pk}/actions/retry").status_code == 202
    assert used(one_host, customer) == ((4, 1024, 8), (4, 1024, 8))
    assert jobs_run()[0].status == JobStatus.SUCCESS
    assert used(one_host, customer) == ((4, 1024, 8), (4, 1024, 8))


def test_a_failed_resize_that_has_no_room_any_more_is_refused(stopped, one_host, customer):
    failed = resize(stopped, 4, 1024, 8)
    job_cancel(job_id=failed.pk)
    jobs_run()
    one_host.refresh_from_db()
    assert host_take(host=one_host, vcpus=one_host.limit_vcpus - one_host.used_vcpus, memory_mib=0)
    staff = factories.actor_make(factories.staff_make())
    with pytest.raises(CapacityError):
        job_retry(actor=staff, job=Job.objects.get(pk=failed.pk))
    stopped.refresh_from_db()
    assert (stopped.vcpus, Job.objects.filter(action="guest.resize").exclude(status="success").count()) == (2, 1)


def test_a_failed_change_of_plan_is_tried_again_by_its_owner_alone(
    stopped, one_host, customer, owner_api, member_api, admin_api
):
    small = stock.plan_make(slug="small-plan", vcpus=2, memory_mib=512, disk_gib=4)
    stock.plan_make(slug="large-plan", vcpus=4, memory_mib=1024, disk_gib=8)
    Guest.objects.filter(pk=stopped.pk).update(plan_slug=small.slug)
    subscription = Subscription.objects.create(customer=customer, plan=small, guest=stopped)
    asked = owner_api.post(f"/guests/{stopped.pk}/actions/resize", {"plan": "large-plan"}).json()["job"]["id"]
    job_cancel(job_id=Job.objects.get(pk=asked).pk)
    assert jobs_run()[0].status == JobStatus.CANCELLED
    subscription.refresh_from_db()
    assert subscription.plan == small
    assert member_api.get(f"/jobs/{asked}").json()["can_retry"] is False
    problem(member_api.post(f"/jobs/{asked}/actions/retry"), 403, "permission_denied")
    assert owner_api.post(f"/jobs/{asked}/actions/retry").status_code == 202
    assert jobs_run()[0].status == JobStatus.SUCCESS
    subscription.refresh_from_db()
    stopped.refresh_from_db()
    assert (subscription.plan.slug, stopped.plan_slug, stopped.vcpus) == ("large-plan", "large-plan", 4)
