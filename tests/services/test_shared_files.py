"""Files that more than one needs: deleting a server, or releasing a volume, takes them from nobody."""

import uuid

import pytest

from hosts.drivers.simulated import FaultKind
from hosts.drivers.types import HostType, KernelSpec, PoolSpec, VolumeFormat, VolumeRef
from hosts.models import Host, ImageFile, Volume
from panel.core.errors import HostUnreachableError, InvalidStateError
from panel.core.models import AuditEntry
from panel.core.units import GIB, MIB
from tests.faults.deeds import Deeds
from tests.services.comparing import look_once
from tests.services.guests import order
from tests.services.shared_files import QCOW2, THEIRS, Scene
from tests.simulated_fleet import jobs_run
from vms.models import Difference, Guest
from vms.services.reconcile.actions import difference_release

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def scene(fleet, one_host: Host, customer, monkeypatch) -> Scene:
    made = Scene(deeds=Deeds(fleet, one_host, customer, monkeypatch), host=one_host, customer=customer)
    made.driver.pool_ensure(THEIRS)
    return made


def left_where_it_is(scene: Scene, guest: Guest, disk: VolumeRef, *, needed_by: str) -> None:
    """Delete a server, and assert that its disk stays, and that everybody is told."""
    job = scene.delete(guest)
    assert (job.status, job.error_message) == ("success", "")
    said = f"Used by others on the host, and so left where it is: {disk.name}."
    assert [step["note"] for step in job.steps if step["note"]] == [said]
    assert scene.has(disk)
    assert not Volume.objects.filter(name=disk.name).exists()
    assert Guest.objects.get(pk=guest.pk).lifecycle == "deleted"
    (entry,) = AuditEntry.objects.filter(action="guest.delete.disk_left")
    assert entry.changes == {"disk": [f"{disk.pool}/{disk.name}", None], "needed_by": [None, needed_by]}
    assert [kind for kind, _, _ in look_once(scene.host) if kind.startswith("volume")] == []


@pytest.mark.parametrize("host_type", [HostType.KVM, HostType.LXC])
def test_a_disk_that_another_domain_uses_stays(scene: Scene, host_type):
    """Whichever hypervisor of the host it is of, and though it is off."""
    guest, disk = scene.taken_over()
    scene.other(disk, host_type=host_type)
    left_where_it_is(scene, guest, disk, needed_by="other")


def test_a_disk_below_that_of_another_domain_stays(scene: Scene):
    guest, disk = scene.taken_over()
    elsewhere = PoolSpec(name="elsewhere", path="/srv/elsewhere")
    scene.driver.pool_ensure(elsewhere)
    scene.other(scene.overlay(scene.overlay(disk, pool=elsewhere.name), pool=elsewhere.name))
    left_where_it_is(scene, guest, disk, needed_by="other")


def test_a_disk_below_an_overlay_that_no_domain_has_stays(scene: Scene):
    """In a pool of the host's that the panel does not know."""
    guest, disk = scene.taken_over()
    elsewhere = PoolSpec(name="elsewhere", path="/srv/elsewhere")
    scene.driver.pool_ensure(elsewhere)
    overlay = scene.overlay(disk, pool=elsewhere.name)
    left_where_it_is(scene, guest, disk, needed_by=f"{elsewhere.path}/{overlay.name}")


def test_a_disk_below_that_of_another_server_that_was_taken_over_stays(scene: Scene):
    guest, disk = scene.taken_over()
    row = scene.deeds.found(pool=THEIRS.name)
    over = VolumeRef(**row.found["disks"][0]["volume"])
    scene.driver.volume_delete(over)
    scene.driver.volume_create(over, format=QCOW2, capacity_bytes=GIB, backing=disk, backing_format=QCOW2)
    second, _ = scene.take(row)
    left_where_it_is(scene, guest, disk, needed_by=row.label)
    assert scene.delete(second).status == "success"
    assert (scene.has(over), scene.has(disk)) == (False, True)  # the panel has forgotten the one below


def test_a_disk_that_nobody_else_needs_goes(scene: Scene):
    guest, disk = scene.taken_over()
    scene.other(VolumeRef(THEIRS.name, f"{disk.name}.bak"))
    job = scene.delete(guest)
    assert (job.status, [step["note"] for step in job.steps if step["note"]]) == ("success", [])
    assert not scene.has(disk)
    assert not AuditEntry.objects.filter(action="guest.delete.disk_left").exists()


def test_nothing_is_deleted_while_a_hypervisor_of_the_host_cannot_be_asked(scene: Scene):
    guest, disk = scene.taken_over()
    scene.other(disk, host_type=HostType.LXC)
    admin = scene.deeds.fleet.admin
    admin.set_fault(scene.host.name, "file_uses", FaultKind.ERROR, error=HostUnreachableError, times=99)
    job = scene.delete(guest)
    assert (job.status, job.error_code) == ("error", "host_unreachable")
    assert scene.has(disk)
    assert Volume.objects.filter(name=disk.name, owner_id=guest.pk).exists()
    admin.clear_faults(scene.host.name)
    left_where_it_is(scene, guest, disk, needed_by="other")


def test_what_the_panel_made_stays_too_where_somebody_elses_domain_is_on_it(scene: Scene, one_host):
    guest = order(scene.customer, name="ours").guest
    assert [job.status for job in jobs_run()] == ["success"]
    pool = one_host.pools.get(for_new_guests=True).name
    root, seed = (VolumeRef(pool, f"guest-{guest.pk}-{name}") for name in ("root.qcow2", "seed.iso"))
    scene.other(scene.overlay(root))
    look_once(scene.host)
    assert scene.delete(guest).status == "success"
    there = {one.ref.name for one in scene.driver.volume_list(pool)}
    assert (root.name in there, seed.name in there) == (True, False)


def test_hosts_with_the_panels_own_domains_alone_are_not_asked(scene: Scene):
    guest = order(scene.customer, name="ours").guest
    assert [job.status for job in jobs_run()] == ["success"]
    assert scene.delete(guest).status == "success"
    assert scene.deeds.fleet.admin.calls(host=scene.host.name, call="file_uses") == []


def test_others_files_beside_a_disk_that_was_taken_over_are_no_volumes_without_owner(scene: Scene):
    scene.taken_over()
    raw, lost = VolumeFormat.RAW, f"guest-{uuid.uuid4()}-root.qcow2"
    for name in ("kernel", "notes.txt", "installer.iso"):
        scene.driver.volume_create(VolumeRef(THEIRS.name, name), format=raw, capacity_bytes=MIB)
    assert look_once(scene.host) == []
    scene.driver.volume_create(VolumeRef(THEIRS.name, lost), format=QCOW2, capacity_bytes=MIB)
    assert look_once(scene.host) == [("volume-without-owner", lost, "open")]  # of a panel, perhaps this one restored


def test_what_was_taken_over_and_nobody_owns_any_more_stays_listed(scene: Scene):
    guest, disk = scene.taken_over()
    scene.taken_over()
    Guest.objects.filter(pk=guest.pk).update(lifecycle="deleted")
    scene.deeds.fleet.admin.drop_domain(scene.host.name, guest.pk)
    assert ("volume-without-owner", disk.name, "open") in look_once(scene.host)


@pytest.fixture
def stray(scene: Scene, one_host) -> VolumeRef:
    """A file in the panel's own pool that nobody owns."""
    volume = VolumeRef(one_host.pools.get(for_new_guests=True).name, "vmlinuz")
    scene.driver.volume_create(volume, format=VolumeFormat.RAW, capacity_bytes=MIB)
    return volume


def test_a_kernel_that_a_domain_boots_from_is_in_use(scene: Scene, stray: VolumeRef):
    def kernel(**fields) -> KernelSpec:
        return KernelSpec(**{"kernel": VolumeRef("x", "k"), "initrd": VolumeRef("x", "i"), "arguments": "", **fields})

    assert look_once(scene.host) == [("volume-without-owner", "vmlinuz", "open")]
    row = Difference.objects.get(label="vmlinuz")
    for fields in ({"kernel": stray}, {"initrd": stray}):
        domain = scene.other(kernel=kernel(**fields))
        difference_release(actor=scene.deeds.staff, difference=row, confirm="vmlinuz")  # from before
        assert [job.error_message for job in jobs_run()] == ["The volume is used by a domain of the host."]
        assert ("volume-without-owner", "vmlinuz", "open") not in look_once(scene.host)
        scene.deeds.fleet.admin.drop_domain(scene.host.name, domain)
        look_once(scene.host)
        row = Difference.objects.get(label="vmlinuz", state="open")
    assert scene.driver.volume_info(stray).ref == stray
    difference_release(actor=scene.deeds.staff, difference=row, confirm="vmlinuz")
    assert [job.status for job in jobs_run()] == ["success"]


def test_an_image_of_the_panels_is_nobodys_disk(scene: Scene):
    row = scene.deeds.found(pool=THEIRS.name)
    image = ImageFile.objects.all()[0].volume_name
    row.found["disks"][0]["path"] = f"{THEIRS.path}/{image}"
    row.save()
    with pytest.raises(InvalidStateError, match=f"Its disk {image} is an image of the panel's"):
        scene.take(row)
    assert not Guest.objects.filter(pk=row.about_id).exists()
