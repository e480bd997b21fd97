"""Taking over and letting go of a domain, on libvirt's own test driver: a libvirt without a hypervisor."""

import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import libvirt
import pytest

from hosts.drivers.libvirt import adoption, describe
from hosts.drivers.libvirt.connection import Session
from hosts.drivers.libvirt.profiles import KVM
from hosts.drivers.libvirt.xml.edit import edited
from hosts.drivers.libvirt.xml.elements import from_text
from hosts.drivers.libvirt.xml.metadata import NAMESPACE
from hosts.drivers.types import AddressSpec, DomainSpec, HostType, NicSpec

IDENTITY = uuid.UUID("11111111-2222-3333-4444-555555555555")
MAC = "52:54:00:0d:ad:01"
XML = f"""
<domain type="test"><name>legacy_web.01</name><uuid>{IDENTITY}</uuid><memory unit="MiB">256</memory><vcpu>1</vcpu>
  <os><type arch="x86_64">hvm</type></os><devices>
  <disk type="file" device="disk"><driver name="qemu" type="qcow2"/><source file="/default-pool/web.qcow2"/>
    <target dev="vda" bus="virtio"/></disk>
  <disk type="file" device="cdrom"><target dev="sda" bus="sata"/><readonly/></disk>
  <disk type="block" device="disk"><source dev="/dev/sdz"/><target dev="vdc" bus="virtio"/></disk>
  <interface type="bridge"><mac address="{MAC}"/><source bridge="br0"/><model type="virtio"/></interface>
  <watchdog model="i6300esb" action="reset"/>
</devices></domain>
"""
SPEC = DomainSpec(
    id=IDENTITY, name="legacy", host_type=HostType.KVM, vcpus=1, memory_mib=256, disks=(), owner="somebody",
    nics=(NicSpec(mac=MAC, bridge="br0", addresses=(AddressSpec(address="10.9.0.1", prefix=24),)),),
)  # fmt: skip


@pytest.fixture
def session() -> Iterator[Session]:
    conn = libvirt.open("test:///default")
    yield Session(conn=conn, sockets=[], pid=0)
    conn.close()


@pytest.fixture
def domain(session: Session) -> Iterator[Any]:
    """A running domain that the panel has not made."""
    made = session.conn.defineXML(XML)
    made.create()
    yield made
    made.destroy()
    made.undefine()


@pytest.fixture(autouse=True)
def ready(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A hook that is installed and does all it is asked. Returns what that was."""
    asked: list[str] = []

    def ask(*_: Any, kind: str, **__: Any) -> list[str]:
        asked.append(kind)
        return []

    monkeypatch.setattr(adoption.hook, "hook_obstacle", lambda *_: "")
    monkeypatch.setattr(adoption.hook, "ask", ask)
    return asked


def kept(domain: Any) -> str:
    return str(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))


def runs_with(domain: Any) -> str:
    """Return what it runs with; libvirt leaves an empty element where metadata was."""
    return str(domain.XMLDesc()).replace("  <metadata/>\n", "")


def test_a_foreign_domain_is_described_as_it_is(session, domain):
    (found,) = describe.described(session, KVM, [domain])
    assert (found.id, found.domain_name, found.ours, found.taken_over) == (IDENTITY, "legacy_web.01", False, False)
    assert (found.vcpus, found.memory_mib, found.persistent) == (1, 256, True)
    assert {(one.target, one.kind, one.source, one.path, one.format) for one in found.disks} == {
        ("vda", "disk", "file", "/default-pool/web.qcow2", "qcow2"),
        ("vdc", "disk", "block", "/dev/sdz", "raw"),
        ("sda", "cdrom", "", "", "raw"),
    }
    (root,) = (one for one in found.disks if one.target == "vda")
    assert root.capacity_bytes > 0
    assert root.volume is not None
    (nic,) = found.nics
    assert (nic.mac, nic.bridge, nic.anti_spoofing, nic.guarded) == (MAC, "br0", False, None)


def test_taking_over_changes_our_part_alone_and_guards_the_nic_by_the_name_it_has(session, domain, ready):
    device = describe.described(session, KVM, [domain])[0].nics[0].device
    adoption.take_over(session, KVM, domain, SPEC)
    adoption.take_over(session, KVM, domain, SPEC)  # once more is success
    (found,) = describe.described(session, KVM, [domain])
    assert (found.ours, found.taken_over, found.owner, found.title) == (True, True, "somebody", "legacy")
    (nic,) = found.nics
    assert (nic.anti_spoofing, nic.guarded, nic.addresses) == (True, True, ("10.9.0.1",))
    assert "protect" in ready
    live = domain.metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, NAMESPACE, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    assert (f'device="{device}"' in live, f"device='{device}'" in live) != (False, False)
    assert "ik5254000dad01" in kept(domain)
    assert "watchdog" in kept(domain)
    assert domain.isActive()
    assert adoption.changes(domain, SPEC) == ()


def test_a_new_size_leaves_everything_else_alone(session, domain):
    adoption.take_over(session, KVM, domain, SPEC)
    before = kept(domain)
    larger = replace(SPEC, vcpus=2, memory_mib=512)
    assert adoption.changes(domain, larger) != ()
    adoption.change(session, domain, larger)
    (found,) = describe.described(session, KVM, [domain])
    assert (found.vcpus, found.memory_mib) == (2, 512)
    assert adoption.changes(domain, larger) == ()
    adoption.change(session, domain, SPEC)
    assert kept(domain) == before


def test_letting_go_leaves_no_trace(session, domain, ready):
    before, live = kept(domain), runs_with(domain)
    configuration = adoption.configuration(domain)
    adoption.take_over(session, KVM, domain, SPEC)
    adoption.let_go(session, KVM, domain, IDENTITY, configuration=configuration)
    assert (kept(domain), runs_with(domain)) == (before, live)
    assert ready[-1] == "clean"


def test_one_of_ours_that_is_let_go_is_ours_again(session, domain):
    adoption.take_over(session, KVM, domain, SPEC)
    before = kept(domain)
    configuration = adoption.configuration(domain)
    adoption.take_over(session, KVM, domain, replace(SPEC, owner="another", name="other"))
    adoption.let_go(session, KVM, domain, IDENTITY, configuration=configuration)
    assert kept(domain) == before
    assert 'owner="somebody"' in runs_with(domain)


def test_a_new_size_of_a_container_limits_it():
    """Its number of vCPUs alone limits nothing, and a limit beside its memory would count instead of that."""
    found = from_text(
        "<domain type='lxc'><name>ns</name><memory unit='KiB'>262144</memory><memtune><hard_limit unit='KiB'>262144"
        "</hard_limit></memtune><vcpu>1</vcpu><cputune><shares>512</shares></cputune></domain>"
    )
    same_size = edited(found, replace(SPEC, host_type=HostType.LXC))
    assert (same_size.find("memtune/hard_limit") is not None, same_size.find("cputune/quota")) == (True, None)
    larger = edited(found, replace(SPEC, host_type=HostType.LXC, vcpus=2, memory_mib=512))
    tune = {one.tag: one.text for one in larger.iterfind("cputune/*")}
    assert tune == {"shares": "512", "period": "100000", "quota": "200000"}
    assert (larger.findtext("memory"), larger.find("memtune")) == ("524288", None)


@pytest.mark.parametrize(
    ("idmap", "is_separate"),
    [
        ("", False),
        ("<idmap/>", False),
        ("<idmap><uid start='0' target='100000' count='65536'/></idmap>", False),
        ("<idmap><uid start='0' target='0' count='1'/><gid start='0' target='100000' count='1'/></idmap>", False),
        ("<idmap><uid start='0' target='7' count='9'/><gid start='0' target='7' count='9'/></idmap>", True),
        (
            "<idmap><uid start='0' target='7' count='9'/><uid start='9' target='0' count='1'/>"
            "<gid start='0' target='7' count='9'/></idmap>",
            False,
        ),
    ],
)
def test_whose_root_the_root_of_a_container_is(idmap, is_separate):
    assert describe.has_user_namespace(from_text(f"<domain>{idmap}</domain>")) is is_separate


@pytest.mark.parametrize(
    ("filesystem", "said"),
    [
        (
            "<filesystem type='mount'><source dir='/srv/ns/'/><target dir='/'/></filesystem>",
            ("directory", "/srv/ns", "raw"),
        ),
        ("<filesystem type='mount'><source dir='/'/><target dir='/'/></filesystem>", ("directory", "/", "raw")),
        (
            "<filesystem type='file'><driver type='nbd' format='qcow2'/><source file='/srv/ns.img'/><target dir='/'/>"
            "</filesystem>",
            ("image", "/srv/ns.img", "qcow2"),
        ),
        (
            "<filesystem type='block'><source dev='/dev/sdz'/><target dir='/'/></filesystem>",
            ("block", "/dev/sdz", "raw"),
        ),
    ],
)
def test_what_a_container_has_as_its_root(session, filesystem, said):
    domain = session.conn.defineXML(XML.replace("<interface", f"{filesystem}<interface"))
    (found,) = describe.described(session, KVM, [domain])
    domain.undefine()
    (root,) = (one for one in found.disks if one.kind == "filesystem")
    assert (root.source, root.path, root.format) == said


@pytest.mark.parametrize(
    ("disk", "said"),
    [
        ("<disk type='volume'><source pool='default-pool' volume='v.img'/>", ("file", "/default-pool/v.img", True)),
        ("<disk type='volume'><source pool='default-pool' volume='gone'/>", ("volume", "default-pool/gone", False)),
        ("<disk type='volume'><source pool='gone' volume='v.img'/>", ("volume", "gone/v.img", False)),
        (
            "<disk type='network'><source protocol='rbd' name='vms/web'><host name='ceph1' port='6789'/></source>",
            ("network", "rbd://ceph1:6789/vms/web", False),
        ),
        (
            "<disk type='network'><source protocol='nbd'><host name='fd00::1' port='10809'/></source>",
            ("network", "nbd://[fd00::1]:10809/", False),
        ),
        (
            "<disk type='network'><source protocol='nbd' name='a'><host transport='unix' socket='/run/nbd'/></source>",
            ("network", "nbd:///run/nbd/a", False),
        ),
    ],
)
def test_disks_that_are_told_by_a_pool_or_an_address(session, disk, said):
    pool = session.conn.storagePoolLookupByName("default-pool")
    pool.createXML("<volume><name>v.img</name><capacity>1048576</capacity></volume>")
    domain = session.conn.defineXML(
        XML.replace("<interface", f"{disk}<target dev='vdd' bus='virtio'/></disk><interface")
    )
    (found,) = describe.described(session, KVM, [domain])
    domain.undefine()
    (it,) = (one for one in found.disks if one.target == "vdd")
    assert (it.source, it.path, it.volume is not None) == said
    assert it.volume is None or it.capacity_bytes == 1048576
