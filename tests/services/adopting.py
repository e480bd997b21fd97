"""What taking a domain over counts, and what a refusal leaves."""

from typing import Any

import pytest

from hosts.drivers.simulated import FaultKind
from hosts.drivers.types import PowerState
from hosts.models import Host, IPAddress, Volume
from panel.core.errors import DriverError, InvalidInputError
from panel.core.models import Customer
from tests.faults.deeds import Deeds
from tests.services.guests import act
from tests.simulated_fleet import jobs_run
from vms.models import Difference, Guest
from vms.services.adoption import AdoptRequest, guest_adopt
from vms.services.guests import guest_delete
from vms.services.resize import guest_resize
from vms.states import GuestAction


def counts(host: Host, customer: Customer) -> tuple[int, ...]:
    """Return what is counted of the host, its pool for new guests, and the customer."""
    host.refresh_from_db()
    customer.refresh_from_db()
    pool = host.pools.get(for_new_guests=True)
    return (host.used_vcpus, host.used_memory_mib, pool.used_gib, customer.used_guests, customer.used_addresses)


def refused(
    host: Host,
    customer: Customer,
    found: Difference,
    deeds: Deeds,
    error: type[Exception],
    said: str | None,
    **fields: Any,
) -> None:
    """Ask for a take-over that must be refused, and assert that nothing was taken for it."""
    before = counts(host, customer)
    request = AdoptRequest(customer=customer, **fields)
    with pytest.raises(error, match=said):
        guest_adopt(actor=deeds.staff, difference=found, request=request)
    assert counts(host, customer) == before
    assert not Guest.objects.filter(pk=found.about_id).exists()
    assert not IPAddress.objects.filter(owner_id=found.object_id).exists()
    assert not Volume.objects.filter(owner_id=found.object_id).exists()


def used_and_deleted(deeds: Deeds, guest: Guest) -> None:
    """Give one whose disk is left alone another size, in vain a larger disk, and delete it after it has worked."""
    assert act(guest, GuestAction.STOP).status == "success"
    with pytest.raises(InvalidInputError, match="which the panel does not grow"):
        guest_resize(actor=deeds.staff, guest=guest, vcpus=1, memory_mib=256, disk_gib=guest.disk_gib + 1)
    guest_resize(actor=deeds.staff, guest=guest, vcpus=2, memory_mib=512, disk_gib=guest.disk_gib)
    assert [job.error_message for job in jobs_run()] == [""]
    assert act(guest, GuestAction.START).status == "success"
    assert act(guest, GuestAction.REPAIR).status == "success"
    guest_delete(actor=deeds.staff, guest=guest)
    assert [job.error_message for job in jobs_run()] == [""]


def fails(customer: Customer, found: Difference, deeds: Deeds) -> None:
    """Have a take-over fail, and assert that all is as it was."""
    host, admin = deeds.host, deeds.fleet.admin
    before = counts(host, customer)
    admin.set_fault(host.name, "domain_info", FaultKind.ERROR, error=DriverError)
    guest_adopt(actor=deeds.staff, difference=found, request=AdoptRequest(customer=customer))
    assert [job.status for job in jobs_run()] == ["error"]
    domain = admin.dump_host(host.name).domains[found.about_id]
    assert (domain.spec, domain.state, domain.starts) == (None, PowerState.RUNNING, 0)
    assert counts(host, customer) == before
    assert not Guest.objects.filter(pk=found.about_id).exists()
    assert not Volume.objects.filter(owner_id=found.about_id).exists()
