"""Several domains of one directory, and several who ask for the same one at once."""

import uuid

import pytest

from hosts.drivers.types import AddressSpec, DiskSpec, DomainSpec, HostType, NicSpec, PoolSpec, VolumeFormat, VolumeRef
from hosts.models import HostConnection, StoragePool, Volume
from hosts.registry import driver_of
from panel.core.errors import InvalidStateError
from panel.core.models import Job
from panel.core.units import GIB
from tests.concurrency.http import at_once
from tests.faults.deeds import Deeds
from tests.services.comparing import look_once
from tests.simulated_fleet import jobs_run
from vms.models import Difference, Guest
from vms.operations.survey import compare_connection
from vms.services.adoption import AdoptRequest, guest_adopt
from vms.services.guests import guest_delete

pytestmark = pytest.mark.django_db(transaction=True)
FOLDER = "/srv/theirs"
ALREADY = "It is being taken over already."
BY_NOW = "It is a server of the panel's by now."
HAD = "The panel had a server with this domain's id: it cannot be taken over another time."


@pytest.fixture
def several(deeds: Deeds) -> list[Difference]:
    """Three running domains whose disks are files of one directory, which is no pool of the host's."""
    kvm = HostConnection.objects.get(host=deeds.host, host_type="kvm")
    driver_of(kvm).pool_ensure(PoolSpec(name="for-a-moment", path=FOLDER))
    for number in range(3):
        name = f"legacy-{number}.qcow2"
        driver_of(kvm).volume_create(VolumeRef("for-a-moment", name), format=VolumeFormat.QCOW2, capacity_bytes=GIB)
        disk = DiskSpec(volume=VolumeRef(FOLDER, name), format=VolumeFormat.QCOW2)
        address = AddressSpec(address=f"10.77.0.{200 + number}", prefix=24)
        nic = NicSpec(mac=f"52:54:00:bb:00:0{number}", bridge="ink0000", addresses=(address,))
        spec = DomainSpec(
            id=uuid.uuid4(), name="", host_type=HostType.KVM, vcpus=1, memory_mib=256, disks=(disk,), nics=(nic,)
        )
        deeds.fleet.admin.make_foreign_domain(deeds.host.name, spec.id, name=name, found=spec)
    driver_of(kvm).pool_remove("for-a-moment")
    compare_connection(driver_of(kvm), kvm, anew=True)
    rows = list(Difference.objects.filter(kind="domain-without-guest", state="open").order_by("label"))
    assert [(row.found["disks"][0]["path"], row.found["disks"][0]["volume"]) for row in rows] == [
        (f"{FOLDER}/legacy-{number}.qcow2", None) for number in range(3)
    ]
    return rows


def adopt(deeds: Deeds, row: Difference) -> None:
    guest_adopt(actor=deeds.staff, difference=row, request=AdoptRequest(customer=deeds.customer))


def all_taken_over(deeds: Deeds, rows: list[Difference]) -> None:
    pool = StoragePool.objects.get(host=deeds.host, path=FOLDER)
    assert (pool.used_gib, pool.left_alone, pool.for_new_guests) == (3, False, False)
    assert Volume.objects.filter(pool=pool).count() == 3
    assert set(Guest.objects.filter(pool=pool).values_list("lifecycle", flat=True)) == {"active"}
    assert look_once(deeds.host) == []
    for guest in Guest.objects.filter(pool=pool):
        guest_delete(actor=deeds.staff, guest=guest)
    assert [job.error_message for job in jobs_run()] == ["", "", ""]


def test_one_after_the_other_without_another_look(deeds, several):
    for row in several:
        adopt(deeds, row)
        assert [(job.error_message, job.error_detail) for job in jobs_run()] == [("", "")]
    all_taken_over(deeds, several)


def test_all_are_asked_for_before_the_first_is_taken_over(deeds, several):
    for row in several:
        adopt(deeds, row)
    assert [(job.error_message, job.error_detail) for job in jobs_run()] == [("", "")] * 3
    all_taken_over(deeds, several)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"volume": {"pool": "another", "name": "x"}}, ""),
        ({"capacity_bytes": GIB - 100}, ""),  # a file's own length, which QEMU rounds up
        ({"capacity_bytes": GIB - 8192}, "disks"),
        ({"path": f"{FOLDER}/another.qcow2"}, "disks"),
        ({"format": "raw"}, "disks"),
        ({"target": "vdb"}, "disks"),
        ({"source": "block"}, "disks"),
        ({"read_only": True}, "disks"),
    ],
)
def test_what_a_disk_is_must_be_as_it_was_found(deeds, several, change, said):
    adopt(deeds, several[0])
    job = Job.objects.get(action="guest.adopt")
    found = {**job.params["found"], "disks": [{**job.params["found"]["disks"][0], **change}]}
    Job.objects.filter(pk=job.pk).update(params={**job.params, "found": found})
    assert [job.error_detail for job in jobs_run()] == [said]


def test_who_comes_too_late_hears_what_became_of_it(deeds, several):
    row = several[0]
    adopt(deeds, row)
    with pytest.raises(InvalidStateError, match=f"^{ALREADY}$"):
        adopt(deeds, row)
    assert [job.error_message for job in jobs_run()] == [""]
    with pytest.raises(InvalidStateError, match=f"^{BY_NOW}$"):
        adopt(deeds, row)
    Difference.objects.filter(pk=row.pk).update(state="open")
    with pytest.raises(InvalidStateError, match=f"^{BY_NOW}$"):
        adopt(deeds, row)
    guest_delete(actor=deeds.staff, guest=Guest.objects.get(pk=row.about_id))
    assert [job.error_message for job in jobs_run()] == [""]
    with pytest.raises(InvalidStateError, match=f"^{HAD}$"):
        adopt(deeds, row)


def test_of_those_who_ask_at_once_one_gets_it(deeds, several):
    def one(_number: int) -> str:
        try:
            adopt(deeds, several[0])
        except InvalidStateError as error:
            return str(error)
        return "taken"

    assert sorted(at_once(6, one, threads=6)) == [ALREADY] * 5 + ["taken"]
