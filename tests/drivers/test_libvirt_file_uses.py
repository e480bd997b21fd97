"""Files that domains of somebody else's need, on a real host: disks below disks, kernels, firmware, media."""

import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import libvirt
import pytest

from hosts.drivers.libvirt import LibvirtDriver
from hosts.drivers.libvirt.named_files import named_files
from hosts.drivers.libvirt.xml.elements import from_text
from hosts.drivers.types import HostType
from tests.drivers.real_host import RealHost

DISK = """<disk type="file" device="disk"><driver name="qemu" type="qcow2"/><source file="{path}"/>
<target dev="vd{letter}" bus="virtio"/></disk>"""
XML = """<domain type="qemu" xmlns:qemu="http://libvirt.org/schemas/domain/qemu/1.0"><name>{name}</name>
<memory unit="MiB">64</memory><os><type arch="x86_64">hvm</type>{os}</os><devices>{devices}</devices></domain>"""
EVERYTHING = """
<domain type="qemu" xmlns:qemu="http://libvirt.org/schemas/domain/qemu/1.0"><name>all</name><title>/no/title</title>
  <description>see /no/notes</description><memory>65536</memory>
  <os><type>hvm</type><loader readonly="yes">/f/loader</loader><nvram template="/f/template">/f/nvram</nvram>
    <kernel>/f/kernel</kernel><initrd>/f/initrd</initrd><dtb>/f/dtb</dtb><cmdline>root=/no,x</cmdline>
    <acpi><table type="slic">/f/slic</table></acpi></os>
  <devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type="file"><source file="/f//disk, one.qcow2"/><backingStore type="file"><source file="/f/below"/>
      <backingStore type="file"><source file="/f/x/../lowest"/></backingStore></backingStore><target dev="vda"/></disk>
    <disk type="file" device="cdrom"><source file="/f/installer.iso"/><target dev="sda"/></disk>
    <disk type="file" device="floppy"><source file="/f/floppy"/><target dev="fda"/></disk>
    <filesystem type="file"><source file="/f/image"/><target dir="/no/inside"/></filesystem>
    <filesystem type="mount"><source dir="/f/shared/"/><target dir="tag"/></filesystem>
    <interface type="user"><rom file="/f/rom"/></interface>
  </devices>
  <qemu:commandline><qemu:arg value="-drive"/><qemu:arg value="if=none,file=/f/drive,id=x"/>
    <qemu:arg value="file:/f/url"/></qemu:commandline>
</domain>"""
NAMES = (
    "loader", "template", "nvram", "kernel", "initrd", "dtb", "slic", "disk, one.qcow2", "below", "lowest",
    "installer.iso", "floppy", "image", "shared", "rom", "drive", "url",
)  # fmt: skip


def test_whatever_file_a_configuration_names_is_found():
    found = named_files(from_text(EVERYTHING))
    assert {f"/f/{name}" for name in NAMES} <= found
    assert {path for path in found if path.startswith("/no")} <= {"/no"}  # of what the kernel is told


@pytest.fixture
def driver(real_host: RealHost) -> Iterator[LibvirtDriver]:
    driver = real_host.driver(HostType.KVM)
    driver.pool_ensure(real_host.pool)
    yield driver
    driver.close()


@pytest.fixture
def define(real_host: RealHost) -> Iterator[Callable[..., Any]]:
    """Define domains with virsh's means."""
    conn = libvirt.open(real_host.uri(HostType.KVM))
    made = []

    def one(*disks: Path, os: str = "", more: str = "") -> Any:
        devices = "".join(DISK.format(path=path, letter="abc"[number]) for number, path in enumerate(disks)) + more
        made.append(conn.defineXML(XML.format(name=f"theirs-{uuid.uuid4().hex[:6]}", os=os, devices=devices)))
        return made[-1]

    yield one
    for domain in made:
        if domain.isActive():
            domain.destroy()
        domain.undefine()
    conn.close()


@pytest.fixture
def folder(real_host: RealHost) -> Iterator[Path]:
    """A directory that is no pool, with a chain of three: the lowest in one beside it."""
    folder = real_host.directory / f"theirs-{uuid.uuid4().hex[:6]}"
    for sub in (folder, folder / "top", folder / "low"):
        sub.mkdir(mode=0o711)
    make = ["qemu-img", "create", "-q", "-f", "qcow2"]
    subprocess.run([*make, str(folder / "low" / "base.qcow2"), "16M"], check=True)
    below = [("low/base.qcow2", "low/mid.qcow2"), ("low/mid.qcow2", "top/over.qcow2")]
    for lower, upper in below:
        subprocess.run([*make, "-F", "qcow2", "-b", str(folder / lower), str(folder / upper)], check=True)
    yield folder
    subprocess.run(["rm", "-r", str(folder)], check=True)


@pytest.mark.kvm
@pytest.mark.parametrize("running", [False, True])
def test_the_files_below_a_disk_that_is_in_no_pool_are_told(driver, define, folder: Path, running: bool):
    domain = define(folder / "top" / "over.qcow2")
    if running:
        domain.create()
    pools = {pool.name() for pool in domain.connect().listAllStoragePools()}
    paths = {use.path for use in driver.file_uses(pools=[], files=[])}
    chain = {str(folder / name) for name in ("top/over.qcow2", "low/mid.qcow2", "low/base.qcow2")}
    assert chain <= paths
    assert "" not in paths
    assert {pool.name() for pool in domain.connect().listAllStoragePools()} == pools


@pytest.mark.kvm
def test_where_the_host_does_not_let_anybody_look_any_file_may_be_needed(driver, define, folder: Path):
    domain = define(folder / "top" / "over.qcow2")
    path = folder / "top"
    pool = domain.connect().storagePoolDefineXML(
        f"<pool type='dir'><name>off-{folder.name}</name><target><path>{path}</path></target></pool>"
    )
    try:
        assert ("", str(path)) in {(use.path, use.by) for use in driver.file_uses(pools=[], files=[])}
    finally:
        pool.undefine()
    assert "" not in {use.path for use in driver.file_uses(pools=[], files=[])}


@pytest.mark.kvm
def test_kernel_medium_and_shared_disk_are_told_also_of_what_runs_otherwise_than_it_is_configured(
    driver, define, folder: Path, real_host: RealHost
):
    base = folder / "low" / "base.qcow2"
    kernel, medium = real_host.directory / "kernel-of-theirs", folder / "medium.iso"
    kernel.write_bytes((real_host.images / real_host.manifest["files"]["kernel"]["file"]).read_bytes())
    medium.write_bytes(b"\0" * 2048)
    cdrom = (
        f'<disk type="file" device="cdrom"><source file="{medium}"/><target dev="sda" bus="sata"/><readonly/></disk>'
    )
    first = define(base, os=f"<kernel>{kernel}</kernel>", more=cdrom)
    second = define(base)
    first.create()
    xml = first.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    first.connect().defineXML(xml.replace(f"<kernel>{kernel}</kernel>", ""))  # from its next start
    uses = driver.file_uses(pools=[real_host.pool.name], files=[])
    assert {use.by for use in uses if use.path == str(base) and use.domain} == {first.name(), second.name()}
    assert {use.by for use in uses if use.path in (str(kernel), str(medium))} == {first.name()}
    assert {str(kernel), str(medium)} <= {use.path for use in uses}
    kernel.unlink()


@pytest.mark.kvm
def test_a_file_is_known_by_its_other_names(driver, define, folder: Path):
    base, hard, link = folder / "low" / "base.qcow2", folder / "hard.qcow2", folder / "link"
    hard.hardlink_to(base)
    link.symlink_to(folder / "low")
    first, second = define(hard), define(link / "mid.qcow2")
    asked = [str(base), str(folder / "low" / "mid.qcow2"), str(folder / "top" / "over.qcow2")]
    uses = driver.file_uses(pools=[], files=asked)
    users = {path: {use.by for use in uses if use.path == path and use.domain} for path in asked}
    assert users == {asked[0]: {first.name()}, asked[1]: {second.name()}, asked[2]: set()}
