"""Nothing that a guest sends under another's address arrives, from the first packet after boot.

The same guest without the rules shows that the test would see it.
"""

import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
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
from panel.core.units import MIB
from tests.drivers.checks import wait_for_ready
from tests.drivers.real_host import BRIDGE, RealHost
from tests.drivers.spoofing_guest import (
    INTERFACE_MAC,
    OWN_V4,
    OWN_V6,
    STOLEN_MAC,
    STOLEN_V4,
    STOLEN_V6,
    VICTIM_MAC,
    VICTIM_V4,
    VICTIM_V6,
    container_root,
    initrd,
    sniffer,
)

WIRE = "wire"


class Frames:
    """What arrived on the bridge, as the victim sees it."""

    def __init__(self, lines: list[str]) -> None:
        self.frames = [bytes.fromhex(line) for line in lines]

    def from_mac(self, mac: str) -> int:
        return sum(frame[6:12] == bytes.fromhex(mac.replace(":", "")) for frame in self.frames)

    def from_address(self, address: str) -> int:
        """IPv4, IPv6 and ARP senders."""
        packed = ip_address(address).packed
        places = {(4, b"\x08\x00"): 26, (4, b"\x08\x06"): 28, (16, b"\x86\xdd"): 22}
        return sum(
            frame[12:14] == kind and frame[at : at + size] == packed
            for (size, kind), at in places.items()
            if size == len(packed)
            for frame in self.frames
        )

    def advertised(self, address: str, *, sender: str) -> int:
        """Neighbour advertisements of ``sender`` for ``address``."""
        source, target = ip_address(sender).packed, ip_address(address).packed
        advertisements = [f for f in self.frames if f[12:14] == b"\x86\xdd" and f[20] == 58 and f[54] == 136]
        return sum(frame[22:38] == source and frame[62:78] == target for frame in advertisements)


@pytest.fixture
def victim(real_host: RealHost) -> Iterator[None]:
    """A neighbour on the same bridge with a namespace of its own."""
    name = f"{real_host.name}v"
    commands = [
        f"ip netns add {name}",
        f"ip -n {real_host.netns} link add {WIRE}p type veth peer name {WIRE} netns {name}",
        f"ip -n {real_host.netns} link set {WIRE}p master {BRIDGE} up",
        f"ip -n {name} link set {WIRE} address {VICTIM_MAC}",
        f"ip -n {name} addr add {VICTIM_V4}/24 dev {WIRE}",
        f"ip -n {name} addr add {VICTIM_V6}/64 dev {WIRE} nodad",
        f"ip -n {name} link set {WIRE} up",
    ]
    for command in commands:
        subprocess.run(command.split(), check=True)
    yield
    subprocess.run(["ip", "netns", "del", name], check=True)


@contextmanager
def listening(host: RealHost) -> Iterator[list[str]]:
    """Collect what arrives at the victim."""
    lines: list[str] = []
    command = ["ip", "netns", "exec", f"{host.name}v", "python3", "-c", sniffer(WIRE, 600)]
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
    nic = NicSpec(mac=INTERFACE_MAC, bridge=BRIDGE, addresses=addresses, anti_spoofing=anti_spoofing)
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


def run(driver: LibvirtDriver, host: RealHost, spec: DomainSpec) -> Frames:
    """Let the guest lie, and ask it for the stolen address meanwhile."""
    victim = ["ip", "netns", "exec", f"{host.name}v"]
    driver.domain_define(spec)
    with listening(host) as lines:
        driver.domain_start(spec.id)
        wait_for_ready(driver, spec.id, 120)
        for address in (STOLEN_V6, OWN_V6):
            subprocess.run([*victim, "ping", "-c", "1", "-W", "1", address], check=False, capture_output=True)
        time.sleep(1.5)
    driver.domain_destroy(spec.id)
    driver.domain_undefine(spec.id)
    assert list(driver.leftovers(spec.id)) == []
    driver.volume_delete(spec.disks[0].volume)
    if spec.kernel is not None:
        driver.volume_delete(spec.kernel.initrd)
    return Frames(lines)


@pytest.mark.parametrize(
    "host_type", [pytest.param(HostType.KVM, marks=pytest.mark.kvm), pytest.param(HostType.LXC, marks=pytest.mark.lxc)]
)
def test_nothing_stolen_arrives(host_type, real_host, victim, tmp_path):
    driver = real_host.driver(host_type)
    driver.pool_ensure(real_host.pool)
    for anti_spoofing in (True, False):
        scratch = tmp_path / str(anti_spoofing)
        scratch.mkdir()
        frames = run(driver, real_host, make_spec(driver, real_host, scratch, anti_spoofing=anti_spoofing))
        stolen = {
            "v4": frames.from_address(STOLEN_V4),
            "v6": frames.from_address(STOLEN_V6),
            "mac": frames.from_mac(STOLEN_MAC),
            "advertised": frames.advertised(STOLEN_V6, sender=OWN_V6),
        }
        assert frames.from_address(OWN_V4) > 0
        assert frames.from_address(OWN_V6) > 0
        if anti_spoofing:
            assert stolen == {"v4": 0, "v6": 0, "mac": 0, "advertised": 0}
        else:
            assert min(stolen.values()) > 0, stolen
    driver.close()
