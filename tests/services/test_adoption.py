"""A domain that the panel has not made becomes a guest, running on; what cannot is refused and nothing changes."""

import uuid
from collections.abc import Callable
from dataclasses import replace

import pytest

from billing.models import Subscription
from billing.services.adoption import adopt
from hosts.drivers.simulated import FaultKind
from hosts.drivers.types import PoolSpec, PowerState
from hosts.models import Host, HostConnection, IPAddress, StoragePool, Volume
from hosts.registry import driver_of
from hosts.services.hosts import host_check
from panel.core.errors import CapacityError, DriverError, InvalidInputError, InvalidStateError, QuotaExceededError
from panel.core.models import Customer, Job
from panel.core.retry import job_retry
from tests import stock
from tests.faults.deeds import Deeds
from tests.services.adopting import counts, fails, refused, used_and_deleted
from tests.services.comparing import look_once
from tests.services.guests import act, forgotten, order
from tests.simulated_fleet import jobs_run
from vms.models import Difference, Guest
from vms.operations.survey import compare_connection
from vms.services.adoption import AdoptRequest, guest_adopt
from vms.services.adoption_nics import NicRequest
from vms.services.guests import guest_delete
from vms.services.reconcile.compare import panel_compare
from vms.services.resize import guest_resize
from vms.states import NOT_TAKEN_OVER, GuestAction

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def found(deeds: Deeds) -> Difference:
    return deeds.found()


@pytest.fixture
def take(deeds: Deeds, customer, found) -> Callable[..., Guest]:
    """Take the found domain over."""

    def now(**fields) -> Guest:
        request = AdoptRequest(**{"customer": customer, **fields})
        guest, _ = guest_adopt(actor=deeds.staff, difference=found, request=request)
        assert [job.error_message for job in jobs_run()] == [""]
        return Guest.objects.get(pk=guest.pk)

    return now


def test_a_running_domain_becomes_a_guest_and_is_not_stopped(one_host, fleet, found, take, customer):
    before = fleet.admin.dump_host(one_host.name).domains[found.object_id]
    guest = take(name="legacy")
    after = fleet.admin.dump_host(one_host.name).domains[guest.pk]
    assert (after.state, after.starts, after.name) == (before.state, before.starts, before.name)
    assert (guest.lifecycle, guest.power_state, guest.power_wanted) == ("active", "running", "on")
    assert (guest.name, guest.domain_name, guest.disk_gib) == ("legacy", before.name, 1)
    assert (after.spec.owner, after.spec.nics[0].anti_spoofing) == (str(customer.pk), True)
    address = IPAddress.objects.get(owner_id=guest.pk)
    assert address.address == found.found["nics"][0]["addresses"][0]
    assert counts(one_host, customer) == (1, 256, 1, 1, 1)
    found.refresh_from_db()
    assert (found.state, found.closed_how) == ("closed", "adopted")
    connection = HostConnection.objects.get(host=one_host, host_type="kvm")
    compare_connection(driver_of(connection), connection, anew=True)
    panel_compare()
    assert list(Difference.objects.exclude(state="closed")) == []


@pytest.mark.parametrize(("source", "place"), [("block", "/dev/vg0"), ("network", "rbd://ceph1:6789/vms")])
def test_disks_that_are_no_files_are_taken_over_and_left_alone(one_host, fleet, customer, deeds, source, place):
    theirs = PoolSpec(name="theirs", path=place)  # stands for the host's own: the panel knows of no such pool
    driver = driver_of(HostConnection.objects.get(host=one_host, host_type="kvm"))
    driver.pool_ensure(theirs)
    row = deeds.found(pool=theirs.name)
    (disk,) = row.found["disks"]
    assert (disk["source"], disk["volume"], disk["path"].startswith(f"{place}/")) == (source, None, True)
    guest, _ = guest_adopt(actor=deeds.staff, difference=row, request=AdoptRequest(customer=customer))
    assert [job.error_message for job in jobs_run()] == [""]
    pool = StoragePool.objects.get(host=one_host, path=place)
    assert (pool.used_gib, pool.limit_gib, pool.for_new_guests) == (1, 1, False)
    assert look_once(one_host) == []  # nobody asks the host for a pool of them
    host_check(actor=deeds.staff, host=one_host)
    assert [job.error_message for job in jobs_run()] == [""]
    guest = Guest.objects.get(pk=guest.pk)
    used_and_deleted(deeds, guest)
    assert disk["path"].rpartition("/")[2] in fleet.admin.dump_host(one_host.name).directories[place].volumes
    assert list(Volume.objects.filter(owner_id=guest.pk)) == []
    pool.refresh_from_db()
    assert pool.used_gib == 0
    assert look_once(one_host) == []


def test_the_directory_of_one_that_was_deleted_may_go_and_come_again(one_host, customer, deeds):
    theirs = PoolSpec(name="theirs", path="/srv/theirs")
    driver = driver_of(HostConnection.objects.get(host=one_host, host_type="kvm"))
    for _ in range(2):
        driver.pool_ensure(theirs)
        row = deeds.found(pool=theirs.name)
        guest, _ = guest_adopt(actor=deeds.staff, difference=row, request=AdoptRequest(customer=customer))
        assert [job.error_message for job in jobs_run()] == [""]
        pool = StoragePool.objects.get(host=one_host, path=theirs.path)
        assert (pool.name, pool.left_alone, pool.used_gib) == (theirs.name, False, 1)
        guest_delete(actor=deeds.staff, guest=Guest.objects.get(pk=guest.pk))
        assert [job.error_message for job in jobs_run()] == [""]
        pool.refresh_from_db()
        assert (pool.left_alone, pool.used_gib) == (True, 0)
        driver.pool_remove(theirs.name)
        assert look_once(one_host) == []  # nobody asks for it
        asked = len(deeds.fleet.admin.calls(host=one_host.name, call="pool_ensure"))
        host_check(actor=deeds.staff, host=one_host)
        assert [job.error_message for job in jobs_run()] == [""]
        more = deeds.fleet.admin.calls(host=one_host.name, call="pool_ensure")[asked:]
        assert len(more) == 2  # the host's own pool, by each of its hypervisors


def test_it_works_like_any_other_afterwards(one_host, fleet, take, customer, deeds):
    guest = take()
    assert act(guest, GuestAction.REBOOT).status == "success"
    assert act(guest, GuestAction.STOP).status == "success"
    guest_resize(actor=deeds.staff, guest=guest, vcpus=2, memory_mib=512, disk_gib=3)
    assert [job.status for job in jobs_run()] == ["success"]
    volume = Volume.objects.get(owner_id=guest.pk)
    assert volume.capacity_bytes == 3 * 1024**3
    assert act(guest, GuestAction.START).status == "success"
    domain = fleet.admin.dump_host(one_host.name).domains[guest.pk]
    assert (domain.name, domain.spec.vcpus, domain.state) == (guest.domain_name, 2, PowerState.RUNNING)
    guest_delete(actor=deeds.staff, guest=guest)
    assert [job.status for job in jobs_run()] == ["success"]
    state = fleet.admin.dump_host(one_host.name)
    assert guest.pk not in state.domains
    assert volume.name not in {name for one in state.directories.values() for name in one.volumes}
    assert counts(one_host, customer) == (0, 0, 0, 0, 0)


@pytest.mark.parametrize("action", list(NOT_TAKEN_OVER))
def test_what_cannot_work_says_why(take, action, admin_api):
    guest = take()
    shown = admin_api.get(f"/guests/{guest.pk}").json()
    support = next(one for one in shown["supports"] if one["action"] == action.verb)
    assert (support["allowed"], support["reason"]) == (False, NOT_TAKEN_OVER[action])
    answer = admin_api.post(f"/guests/{guest.pk}/actions/{action.verb}", {})
    assert (answer.status_code, answer.json()["detail"]) == (409, NOT_TAKEN_OVER[action])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"persistent": False}, "no persistent configuration"),
        ({"disks": []}, "has no disk that"),
        ({"nics": []}, "has no nic"),
    ],
)
def test_what_cannot_be_taken_over_is_refused(one_host, customer, found, deeds, change, said):
    Difference.objects.filter(pk=found.pk).update(found={**found.found, **change})
    refused(one_host, customer, found, deeds, InvalidStateError, said)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"source": "volume"}, "no file, no block device and no network disk"),
        ({"source": "block"}, "no file, no block device and no network disk"),
        ({"source": "network", "capacity_bytes": 0}, "only while the domain runs"),
        ({"format": "vmdk"}, "only qcow2 and raw"),
        ({"capacity_bytes": 0}, "how large"),
        ({"read_only": True}, "no disk that it can write to"),
    ],
)
def test_disks_that_cannot_be_taken_over_are_refused(one_host, customer, found, deeds, change, said):
    disk = {**found.found["disks"][0], **change}
    Difference.objects.filter(pk=found.pk).update(found={**found.found, "disks": [disk]})
    refused(one_host, customer, found, deeds, InvalidStateError, said)


@pytest.mark.parametrize(
    ("addresses", "said"),
    [
        (("10.99.0.9",), "not in the network"),
        (("10.77.0.1",), "gateway"),
        (("10.77.0.9", "10.77.0.9"), "twice"),
    ],
)
def test_addresses_that_do_not_fit_are_refused(one_host, customer, found, deeds, addresses, said):
    nics = (NicRequest(mac=found.found["nics"][0]["mac"], addresses=addresses),)
    refused(one_host, customer, found, deeds, InvalidInputError, said, nics=nics)


def test_an_address_of_another_server_is_refused(one_host, customer, found, deeds):
    address = found.found["nics"][0]["addresses"][0]
    IPAddress.objects.filter(address=address).update(owner_id=uuid.uuid4())
    refused(one_host, customer, found, deeds, InvalidInputError, "belongs to another server")


def test_a_nic_without_addresses_or_network_is_refused(one_host, customer, found, deeds):
    nic = found.found["nics"][0]
    Difference.objects.filter(pk=found.pk).update(found={**found.found, "nics": [{**nic, "addresses": []}]})
    refused(one_host, customer, found, deeds, InvalidInputError, "State its addresses")
    Difference.objects.filter(pk=found.pk).update(found={**found.found, "nics": [{**nic, "bridge": "virbr0"}]})
    refused(one_host, customer, found, deeds, InvalidInputError, "virbr0")


def test_a_quota_and_a_full_host_refuse_unless_staff_say_otherwise(one_host, customer, found, deeds, take):
    Customer.objects.filter(pk=customer.pk).update(quota_guests=0)
    refused(one_host, Customer.objects.get(pk=customer.pk), found, deeds, QuotaExceededError, "quota")
    Customer.objects.filter(pk=customer.pk).update(quota_guests=None)
    Host.objects.filter(pk=one_host.pk).update(limit_memory_mib=0)
    refused(one_host, customer, found, deeds, CapacityError, "not enough room")
    Customer.objects.filter(pk=customer.pk).update(quota_guests=0)
    take(over_limit=True)
    assert counts(one_host, customer) == (1, 256, 1, 1, 1)


def test_a_take_over_that_fails_leaves_everything_as_it_was(one_host, customer, fleet, found, deeds, take):
    fails(customer, found, deeds)
    found.refresh_from_db()
    assert found.state == "open"
    assert take().lifecycle == "active"


def test_a_take_over_that_failed_is_tried_again_as_it_was_asked_for(one_host, customer, fleet, found, deeds):
    plan = stock.plan_make(vcpus=1, memory_mib=256, disk_gib=1)
    fleet.admin.set_fault(one_host.name, "domain_info", FaultKind.ERROR, error=DriverError, times=1)
    (nic,) = found.found["nics"]
    network = one_host.networks.get(bridge=nic["bridge"])
    address = IPAddress.objects.filter(network=network, family=4, owner_id=None).order_by("order")[3].address
    nics = (NicRequest(mac=nic["mac"], network=network, addresses=(address,)),)
    request = AdoptRequest(
        customer=customer, name="moved", nics=nics, plan_slug=plan.slug, params={"plan": str(plan.pk)}
    )
    guest, failed = adopt(actor=deeds.staff, difference=found, request=request, plan=plan)
    assert [job.status for job in jobs_run()] == ["error"]
    job_retry(actor=deeds.staff, job=Job.objects.get(pk=failed.pk))
    assert [(job.action, job.status) for job in jobs_run()] == [("guest.adopt", "success")]
    taken = Guest.objects.get(pk=guest.pk)
    assert (taken.name, taken.customer, taken.plan_slug) == ("moved", customer, plan.slug)
    assert list(IPAddress.objects.filter(owner_id=taken.pk).values_list("address", flat=True)) == [address]
    assert Subscription.objects.get(guest=taken).plan == plan
    with pytest.raises(InvalidStateError, match="The difference is closed"):
        job_retry(actor=deeds.staff, job=Job.objects.get(pk=failed.pk))


def test_a_domain_that_has_changed_since_is_not_taken_over(one_host, customer, fleet, found, deeds):
    state = fleet.admin.dump_host(one_host.name).domains[found.object_id]
    changed = replace(state.found, memory_mib=4096)
    fleet.admin.make_foreign_domain(one_host.name, found.object_id, name=state.name, found=changed)
    guest_adopt(actor=deeds.staff, difference=found, request=AdoptRequest(customer=customer))
    (job,) = jobs_run()
    assert (job.status, job.error_detail) == ("error", "memory_mib")


def test_a_plan_of_its_size_makes_a_subscription(one_host, customer, found, deeds):
    small = stock.plan_make(vcpus=1, memory_mib=256, disk_gib=1)
    large = stock.plan_make(vcpus=2, memory_mib=256, disk_gib=1)
    request = AdoptRequest(customer=customer, plan_slug=small.slug, params={"plan": str(small.pk)})
    with pytest.raises(InvalidInputError, match="choose a plan of that size"):
        adopt(actor=deeds.staff, difference=found, request=request, plan=large)
    guest, _ = adopt(actor=deeds.staff, difference=found, request=request, plan=small)
    assert not Subscription.objects.filter(guest=guest).exists()
    assert [job.status for job in jobs_run()] == ["success"]
    assert Subscription.objects.get(guest=guest).plan == small


@pytest.mark.parametrize("host_type", ["kvm", "lxc"])
def test_a_server_that_a_restored_panel_does_not_know_is_taken_back(one_host, customer, fleet, deeds, host_type):
    lost = order(customer, name="newer", host_type=host_type).guest
    jobs_run()
    before = fleet.admin.dump_host(one_host.name).domains[lost.pk]
    addresses = list(IPAddress.objects.filter(owner_id=lost.pk).values_list("address", flat=True))
    mac = lost.nics.get().mac
    forgotten(lost)
    connection = HostConnection.objects.get(host=one_host, host_type=host_type)
    compare_connection(driver_of(connection), connection, anew=True)
    row = Difference.objects.get(kind="domain-without-guest")
    assert (row.severity, row.found["ours"], row.found["nics"][0]["mac"]) == ("medium", True, mac)
    guest_adopt(actor=deeds.staff, difference=row, request=AdoptRequest(customer=customer))
    assert [job.error_message for job in jobs_run()] == [""]
    after = fleet.admin.dump_host(one_host.name).domains[lost.pk]
    assert (after.state, after.starts) == (before.state, before.starts)
    assert list(IPAddress.objects.filter(owner_id=lost.pk).values_list("address", flat=True)) == addresses
    assert act(Guest.objects.get(pk=lost.pk), GuestAction.REBOOT).status == "success"
    assert {kind for kind, _, _ in look_once(one_host)} == set()
    guest_delete(actor=deeds.staff, guest=Guest.objects.get(pk=lost.pk))
    assert [job.status for job in jobs_run()] == ["success"]
    left = driver_of(connection).volume_list(one_host.pools.get().name)
    assert [one.ref.name for one in left if str(lost.pk) in one.ref.name] == []
