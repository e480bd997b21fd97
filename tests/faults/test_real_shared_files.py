"""A server with a disk that others need is taken over on a real host and deleted: nobody else loses anything."""

import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import libvirt
import pytest

from hosts.drivers.types import HostType
from hosts.models import StoragePool
from panel.core.models import Customer
from tests.drivers.real_host import RealHost
from tests.faults.real_fleet import BRIDGE, RealDeeds, RealFleet
from tests.services.comparing import look_once
from tests.simulated_fleet import jobs_run
from vms.models import Difference, Guest
from vms.services.guests import guest_delete
from vms.services.reconcile.actions import difference_release

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.kvm]
MAC = "52:54:00:aa:01:01"
XML = """<domain type="qemu"><name>{name}</name><uuid>{uuid}</uuid><memory unit="MiB">64</memory>
<os><type arch="x86_64">hvm</type>{os}</os><devices><disk type="file" device="disk"><driver name="qemu" type="qcow2"/>
<source file="{disk}"/><target dev="vda" bus="virtio"/></disk>{nic}</devices></domain>"""
NIC = f'<interface type="bridge"><mac address="{MAC}"/><source bridge="{BRIDGE}"/><model type="virtio"/></interface>'


@pytest.fixture
def deeds(real_host: RealHost, customer: Customer, monkeypatch: pytest.MonkeyPatch) -> Iterator[RealDeeds]:
    fleet = RealFleet(real_host, monkeypatch)
    deeds = RealDeeds(fleet, customer, monkeypatch, HostType.KVM)
    yield deeds
    for name in StoragePool.objects.filter(for_new_guests=False).values_list("name", flat=True):
        fleet.driver("kvm").pool_remove(name)
    fleet.clear()


@pytest.fixture
def conn(real_host: RealHost) -> Iterator[Any]:
    """A connection to the host, of somebody without the panel."""
    conn = libvirt.open(real_host.uri(HostType.KVM))
    yield conn
    for domain in conn.listAllDomains():
        if domain.name().startswith("theirs-"):
            domain.undefine()
    conn.close()


@pytest.fixture
def disk(deeds: RealDeeds, conn: Any) -> Path:
    """The disk of a domain that is off, beside other files of its owner's."""
    folder = deeds.real.containers / "legacy"
    folder.mkdir(mode=0o711)
    disk = folder / "web.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(disk), "64M"], check=True)
    (folder / "notes.txt").write_text("theirs")
    conn.defineXML(XML.format(name="legacy", uuid=uuid.uuid4(), os="", disk=disk, nic=NIC))
    return disk


def overlay(deeds: RealDeeds, disk: Path) -> Path:
    """Make an overlay of a disk in a directory that is no pool."""
    folder = deeds.real.containers / "elsewhere"
    folder.mkdir(mode=0o711)
    made = folder / "over.qcow2"
    command = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", str(disk), str(made)]
    subprocess.run(command, check=True)
    return made


def linked(deeds: RealDeeds, disk: Path) -> Path:
    """Give its directory another name."""
    folder = deeds.real.containers / "links"
    folder.mkdir(mode=0o711)
    (folder / "link").symlink_to(disk.parent)
    return folder / "link" / disk.name


@pytest.mark.parametrize("of", ["same", "overlay", "link", "none"])
def test_a_disk_that_others_need_outlives_the_server_that_was_taken_over(deeds, conn, disk: Path, of: str):
    path = {"same": lambda *_: disk, "overlay": overlay, "link": linked}.get(of, lambda *_: disk.with_name("x"))
    conn.defineXML(XML.format(name=f"theirs-{of}", uuid=uuid.uuid4(), os="", disk=path(deeds, disk), nic=""))
    job = deeds.take("legacy", MAC)
    assert [one.error_message for one in jobs_run()] == [""]
    guest = Guest.objects.get(pk=job.resources.get(type="guest").resource_id)
    assert "volume-without-owner" not in {kind for kind, _, _ in look_once(deeds.host)}
    guest_delete(actor=deeds.staff, guest=guest)
    (deleted,) = jobs_run()
    assert (deleted.status, deleted.error_message) == ("success", "")
    said = "Used by others on the host, and so left where it is: web.qcow2."
    assert [step["note"] for step in deleted.steps if step["note"]] == ([] if of == "none" else [said])
    assert disk.exists() is (of != "none")
    assert (disk.parent / "notes.txt").read_text() == "theirs"
    assert "legacy" not in {domain.name() for domain in conn.listAllDomains()}


def test_a_kernel_that_a_domain_boots_from_is_not_released(deeds, conn, disk: Path):
    kernel = Path(deeds.pool.path, "vmlinuz")
    kernel.write_bytes(b"kernel")
    look_once(deeds.host)
    row = Difference.objects.get(kind="volume-without-owner", label="vmlinuz")
    boots = conn.defineXML(
        XML.format(name="theirs-boots", uuid=uuid.uuid4(), os=f"<kernel>{kernel}</kernel>", disk="/nonexistent", nic="")
    )
    difference_release(actor=deeds.staff, difference=row, confirm="vmlinuz")
    assert [job.error_message for job in jobs_run()] == ["The volume is used by a domain of the host."]
    assert kernel.exists()
    assert "vmlinuz" not in {label for _, label, _ in look_once(deeds.host)}
    boots.undefine()
    look_once(deeds.host)
    row = Difference.objects.get(kind="volume-without-owner", label="vmlinuz", state="open")
    difference_release(actor=deeds.staff, difference=row, confirm="vmlinuz")
    assert [job.error_message for job in jobs_run()] == [""]
    assert not kernel.exists()
    conn.lookupByName("legacy").undefine()
