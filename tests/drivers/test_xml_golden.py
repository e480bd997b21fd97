"""Every shape of XML the driver writes, compared with a file. GOLDEN_REGENERATE=1 writes the files anew."""

import os
from dataclasses import replace
from pathlib import Path
from uuid import UUID
from xml.etree import ElementTree as ET

import pytest

from hosts.drivers.libvirt.places import CONSOLE_DIRECTORY, CONSOLE_POOL
from hosts.drivers.libvirt.xml.common import HostPaths, volumes_of
from hosts.drivers.libvirt.xml.domain import domain_xml
from hosts.drivers.libvirt.xml.edit import edited, is_kept, same
from hosts.drivers.libvirt.xml.metadata import qualified
from hosts.drivers.libvirt.xml.probe import question_element
from hosts.drivers.libvirt.xml.storage import pool_element, volume_element
from hosts.drivers.types import (
    AddressSpec,
    DiskSpec,
    DomainSpec,
    HostType,
    KernelSpec,
    NicSpec,
    VolumeFormat,
    VolumeRef,
    XenMode,
)
from panel.core.errors import DriverError, VolumeNotFoundError

GOLDEN = Path(__file__).parent / "golden"
GUEST_ID = UUID("3b0c6c0e-8a4f-4c53-9d5c-0a7c1f2e4b6d")


def make_spec(**changes) -> DomainSpec:
    """A KVM guest with one disk, a seed and a nic with both families."""
    nic = NicSpec(
        mac="52:54:00:12:34:56",
        bridge="ink0",
        addresses=(
            AddressSpec(address="10.90.0.7", prefix=24, gateway="10.90.0.1"),
            AddressSpec(address="fd00:90::7", prefix=64, gateway="fd00:90::1"),
        ),
    )
    spec = DomainSpec(
        id=GUEST_ID,
        name='web <1> & "co"',
        host_type=HostType.KVM,
        vcpus=2,
        memory_mib=512,
        disks=(DiskSpec(volume=VolumeRef("guests", "root.qcow2"), format=VolumeFormat.QCOW2),),
        nics=(nic,),
        seed=VolumeRef("guests", "seed"),
        owner="9d2cf7f4-7c1a-4f3d-8f3b-4dc8c4b3a111",
        labels={"plan": "small", "comment": "]]><disk/>"},
    )
    return replace(spec, **changes)


def paths_for(spec: DomainSpec) -> HostPaths:
    """Where the volumes of a spec would be on a host."""
    volumes = {volume: f"/srv/{volume.pool}/{volume.name}" for volume in volumes_of(spec)}
    return HostPaths(volumes=volumes, console_log=f"{CONSOLE_DIRECTORY}/{spec.domain_name}.log")


def raw_disks() -> tuple[DiskSpec, ...]:
    return (DiskSpec(volume=VolumeRef("guests", "root"), format=VolumeFormat.RAW),)


def kernel() -> KernelSpec:
    return KernelSpec(
        kernel=VolumeRef("images", "micro.vmlinuz"),
        initrd=VolumeRef("images", "micro.initrd"),
        arguments="root=LABEL=root rw console=ttyS0",
    )


def nics(**changes) -> tuple[NicSpec, ...]:
    return tuple(replace(nic, **changes) for nic in make_spec().nics)


SECOND_DISK = DiskSpec(volume=VolumeRef("guests", "data"), format=VolumeFormat.RAW)
LXC = {"host_type": HostType.LXC, "disks": raw_disks()}
XEN = {"host_type": HostType.XEN, "disks": raw_disks()}
DOMAINS = {
    "kvm-disk": make_spec(),
    "kvm-emulated-kernel": make_spec(emulated=True, kernel=kernel()),
    "kvm-two-disks-no-seed-no-nic": make_spec(disks=(*make_spec().disks, SECOND_DISK), seed=None, nics=()),
    "kvm-bandwidth-mtu-unprotected": make_spec(nics=nics(bandwidth_mbit_per_s=100, mtu=9000, anti_spoofing=False)),
    "lxc": make_spec(**LXC),
    "lxc-process-limit": make_spec(**LXC, max_processes=200, init="/init"),
    "lxc-no-seed-no-nic": make_spec(**LXC, seed=None, nics=()),
    "xen-pv": make_spec(**XEN),
    "xen-pv-kernel": make_spec(**XEN, kernel=kernel()),
    "xen-pvh": make_spec(**XEN, xen_mode=XenMode.PVH),
    "xen-pvh-kernel": make_spec(**XEN, xen_mode=XenMode.PVH, kernel=kernel()),
    "xen-hvm": make_spec(**XEN, xen_mode=XenMode.HVM),
}
OTHERS = {
    "pool-dir": pool_element(name=CONSOLE_POOL, path=CONSOLE_DIRECTORY),
    "volume-raw": volume_element(name="seed", format=VolumeFormat.RAW, capacity_bytes=1 << 20),
    "volume-overlay": volume_element(
        name="root.qcow2",
        format=VolumeFormat.QCOW2,
        capacity_bytes=10 << 30,
        backing_path="/srv/images/debian.qcow2",
        backing_format=VolumeFormat.QCOW2,
    ),
    **{
        f"question-{host_type}": question_element(
            host_type=host_type, name="innkeeper-question-1", uuid=GUEST_ID, kind="leftovers", about="innkeeper-1"
        )
        for host_type in (HostType.KVM, HostType.LXC)
    },
}


def compare_with_file(name: str, root: ET.Element) -> None:
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode") + "\n"
    path = GOLDEN / f"{name}.xml"
    if os.environ.get("GOLDEN_REGENERATE"):
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize("name", DOMAINS)
def test_domain_is_as_in_its_file(name):
    spec = DOMAINS[name]
    compare_with_file(name, domain_xml(spec, paths_for(spec)))


@pytest.mark.parametrize("name", OTHERS)
def test_other_xml_is_as_in_its_file(name):
    compare_with_file(name, OTHERS[name])


def test_every_golden_file_has_a_test():
    assert {path.stem for path in GOLDEN.glob("*.xml")} == {*DOMAINS, *OTHERS}


@pytest.mark.parametrize("spec", DOMAINS.values(), ids=DOMAINS)
def test_every_disk_states_its_format(spec):
    domain = domain_xml(spec, paths_for(spec))
    stated = [driver.get("type") for driver in domain.iterfind("devices/disk/driver")]
    assert len(stated) == len(domain.findall("devices/disk"))
    assert set(stated) <= set(VolumeFormat)


@pytest.mark.parametrize("spec", [s for s in DOMAINS.values() if s.host_type is HostType.LXC])
def test_a_container_is_never_privileged_nor_on_the_hosts_network(spec):
    domain = domain_xml(spec, paths_for(spec))
    assert domain.find("features/privnet") is not None
    assert [(e.tag, e.get("start"), e.get("target"), e.get("count")) for e in domain.iterfind("idmap/*")] == [
        ("uid", "0", "100000", "65536"),
        ("gid", "0", "100000", "65536"),
    ]


def test_a_container_that_was_taken_back_keeps_what_its_host_prepares_once():
    spec = make_spec(**LXC, max_processes=512)
    once = edited(domain_xml(spec, paths_for(spec)), replace(spec, max_processes=1024))
    assert is_kept(once)
    assert [one.get("processes") for one in once.iter(qualified("limit"))] == ["1024"]
    assert len(list(once.iter(qualified("mount")))) == 2
    assert same(edited(once, replace(spec, max_processes=1024)), once)
    unlimited = edited(once, replace(spec, max_processes=0))
    assert [one.get("processes") for one in unlimited.iter(qualified("limit"))] == ["1024"]


def test_a_volume_that_was_not_found_is_an_error():
    with pytest.raises(VolumeNotFoundError):
        domain_xml(make_spec(), HostPaths(volumes={}, console_log="/x"))


def test_more_disks_than_letters_are_refused():
    spec = make_spec(disks=make_spec().disks * 26)
    with pytest.raises(DriverError):
        domain_xml(spec, paths_for(spec))
