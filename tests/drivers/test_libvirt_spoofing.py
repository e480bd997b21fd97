"""Nothing that a guest sends under another's address arrives, from the first packet after boot.

The same guest without the rules shows that the test would see it.
"""

import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hosts.drivers.libvirt import LibvirtDriver
from hosts.drivers.types import (
    AddressSpec,
    DiskSpec,
    DomainSpec,
    HostType,
    KernelSpec,
    NicSpec,
    VolumeFormat,
    VolumeRef,
)
from lab.namespaces import address_add, cable, netns_make, netns_remove
from lab.processes import call, in_netns
from panel.core.units import MIB
from tests.drivers.checks import wait_for_ready
from tests.drivers.real_host import BRIDGE, RealHost
from tests.drivers.spoofing_guest import (
    MARK,
    OWN_MAC,
    OWN_V4,
    OWN_V6,
    VICTIM_MAC,
    VICTIM_V4,
    VICTIM_V6,
    container_root,
    honest_frames,
    initrd,
    sniffer,
    stolen_frames,
)

WIRE = "wire"


def names_in(lines: list[str]) -> set[str]:
    """Return the names of the guest's frames among those that arrived."""
    frames = [bytes.fromhex(line) for line in lines]
    return {frame.partition(MARK)[2].partition(b"|")[0].decode() for frame in frames if MARK in frame}


@pytest.fixture
def victim(real_host: RealHost) -> Iterator[str]:
    """A neighbour on the same bridge; the name of its namespace."""
    name, port = f"{real_host.name}v", f"{WIRE}p"
    netns_make(name)
    cable((real_host.netns, port), (name, WIRE))
    call(["ip", "link", "set", port, "master", BRIDGE, "up"], netns=real_host.netns)
    call(["ip", "link", "set", WIRE, "address", VICTIM_MAC], netns=name)
    address_add(WIRE, f"{VICTIM_V4}/24", f"{VICTIM_V6}/64", netns=name)
    yield name
    # A namespace takes its interfaces with it only some time after its name is gone.
    call(["ip", "link", "delete", port], netns=real_host.netns)
    netns_remove(name)


@contextmanager
def listening(victim: str) -> Iterator[list[str]]:
    """Collect what arrives at the victim."""
    lines: list[str] = []
    command = in_netns(victim, ["python3", "-c", sniffer(WIRE, 600)])
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "listening\n"
        try:
            yield lines
        finally:
            process.terminate()
            lines += [line.strip() for line in process.stdout]


def make_spec(driver: LibvirtDriver, host: RealHost, scratch: Path, *, anti_spoofing: bool) -> DomainSpec:
    root, kernel = VolumeRef(host.pool.name, f"spoofer-{driver.host_type}"), None
    if driver.host_type is HostType.LXC:
        driver.volume_upload(root, source=container_root(scratch), format=VolumeFormat.RAW)
    else:
        driver.volume_create(root, format=VolumeFormat.RAW, capacity_bytes=MIB)
        image = VolumeRef(host.pool.name, "spoofer-initrd")
        base = host.images / host.manifest["files"]["initrd"]["file"]
        driver.volume_upload(image, source=initrd(scratch, base), format=VolumeFormat.RAW)
        kernel = KernelSpec(kernel=host.kernel(driver).kernel, initrd=image, arguments="console=ttyS0 quiet")
    addresses = (AddressSpec(address=OWN_V4, prefix=24), AddressSpec(address=OWN_V6, prefix=64))
    nic = NicSpec(mac=OWN_MAC, bridge=BRIDGE, addresses=addresses, anti_spoofing=anti_spoofing)
    return DomainSpec(
        id=uuid.uuid4(),
        name="spoofer",
        host_type=driver.host_type,
        vcpus=1,
        memory_mib=128,
        disks=(DiskSpec(volume=root, format=VolumeFormat.RAW),),
        nics=(nic,),
        kernel=kernel,
        init="/init",
        emulated=driver.facts().emulated,
    )


def arrived(driver: LibvirtDriver, victim: str, spec: DomainSpec) -> set[str]:
    """Let the guest send, and return what reached the victim."""
    driver.domain_define(spec)
    with listening(victim) as lines:
        driver.domain_start(spec.id)
        wait_for_ready(driver, spec.id, 120)
    driver.domain_destroy(spec.id)
    driver.domain_undefine(spec.id)
    assert list(driver.leftovers(spec.id)) == []
    driver.volume_delete(spec.disks[0].volume)
    if spec.kernel is not None:
        driver.volume_delete(spec.kernel.initrd)
    return names_in(lines)


@pytest.mark.parametrize(
    "host_type", [pytest.param(HostType.KVM, marks=pytest.mark.kvm), pytest.param(HostType.LXC, marks=pytest.mark.lxc)]
)
@pytest.mark.parametrize("anti_spoofing", [True, False])
def test_nothing_stolen_arrives(host_type, anti_spoofing, real_host, victim, tmp_path):
    driver = real_host.driver(host_type)
    driver.pool_ensure(real_host.pool)
    spec = make_spec(driver, real_host, tmp_path, anti_spoofing=anti_spoofing)

    names = arrived(driver, victim, spec)

    honest, stolen = set(honest_frames()), set(stolen_frames())
    assert names == (honest if anti_spoofing else honest | stolen)
    driver.close()
