"""A domain of somebody else's is the same one, whether it runs, and whichever pools its host has of its directory."""

import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import libvirt
import pytest

from hosts.drivers.types import HostType, PoolSpec
from tests.drivers.real_host import RealHost
from vms.operations.adopt import differs
from vms.services.reconcile.guest_checks import domain_json
from vms.services.reconcile.record import plain

POOL = "found-again"
XML = """
<domain type="qemu"><name>found-again</name><uuid>{uuid}</uuid><memory unit="MiB">64</memory><vcpu>1</vcpu>
  <os><type arch="x86_64">hvm</type></os><devices>
  <disk type="file" device="disk"><driver name="qemu" type="qcow2"/><source file="{folder}/web.qcow2"/>
    <target dev="vda" bus="virtio"/></disk>
  <disk type="file" device="disk"><driver name="qemu" type="raw"/><source file="{folder}/data.raw"/>
    <target dev="vdb" bus="virtio"/></disk>
</devices></domain>
"""


@pytest.fixture
def folder(real_host: RealHost) -> Path:
    """A directory with an overlay, and a raw disk whose length is no whole number of sectors."""
    folder = Path(real_host.directory) / "found-again"
    folder.mkdir(mode=0o755)
    for words in (["base.qcow2", "64M"], ["-b", "base.qcow2", "-F", "qcow2", "web.qcow2", "1G"]):
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *words], cwd=folder, check=True)
    (folder / "data.raw").write_bytes(b"\0" * 1_000_001)
    for file in folder.iterdir():
        file.chmod(0o666)
    return folder


@pytest.fixture
def domain(real_host: RealHost, folder: Path) -> Iterator[Any]:
    conn = libvirt.open(real_host.uri(HostType.KVM))
    domain = conn.defineXML(XML.format(uuid=uuid.uuid4(), folder=folder))
    yield domain
    if domain.isActive():
        domain.destroy()
    domain.undefine()
    conn.close()


@pytest.mark.kvm
def test_a_domain_agrees_with_itself_off_and_on_in_a_pool_and_in_none(real_host: RealHost, folder: Path, domain: Any):
    driver = real_host.driver(HostType.KVM)
    seen = []
    for running in (False, True):
        if running:
            domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
        for in_pool in (False, True):
            if in_pool:
                driver.pool_ensure(PoolSpec(name=POOL, path=str(folder)))
            found = driver.domain_describe(uuid.UUID(domain.UUIDString()))
            assert [disk.volume is not None for disk in found.disks] == [in_pool] * 2
            seen.append(found)
            driver.pool_remove(POOL)
    driver.close()
    assert {bool(one.disks[0].backing_paths) for one in seen} == {False, True}
    assert [differs(plain(domain_json(one)), other) for one in seen for other in seen] == [[]] * 16
