"""Disks and network interfaces."""

import ipaddress
from string import ascii_lowercase

from hosts.drivers.libvirt.xml.common import HostPaths
from hosts.drivers.libvirt.xml.elements import Element, child
from hosts.drivers.types import AddressSpec, DiskSpec, DomainSpec, NicSpec, VolumeFormat
from panel.core.errors import DriverError

# The seed takes the last letter, so that a disk added later changes no target that exists.
_DISK_LETTERS, _SEED_LETTER = ascii_lowercase[:-1], ascii_lowercase[-1]

# libvirt counts kilobytes of 1000 bytes a second (https://libvirt.org/formatnetwork.html#quality-of-service).
_KILOBYTES_PER_MBIT = 125


def append_disks(devices: Element, spec: DomainSpec, paths: HostPaths, *, prefix: str, bus: str) -> None:
    """Append the disks in order. ``prefix`` of the target names: ``vd``, ``xvd``, ``hd``."""
    if len(spec.disks) > len(_DISK_LETTERS):
        raise DriverError("A server cannot have that many disks.")
    for letter, disk in zip(_DISK_LETTERS, spec.disks, strict=False):
        _append_disk(devices, disk, path=paths.of(disk.volume), target=f"{prefix}{letter}", bus=bus)


def append_seed(devices: Element, spec: DomainSpec, paths: HostPaths, *, prefix: str, bus: str) -> None:
    """Append the seed, where there is one, as a read-only raw disk."""
    if spec.seed is None:
        return
    seed = DiskSpec(volume=spec.seed, format=VolumeFormat.RAW, read_only=True)
    _append_disk(devices, seed, path=paths.of(spec.seed), target=f"{prefix}{_SEED_LETTER}", bus=bus)


def _append_disk(devices: Element, disk: DiskSpec, *, path: str, target: str, bus: str) -> None:
    made = child(devices, "disk", type="file", device="disk")
    if disk.read_only:
        child(made, "driver", name="qemu", type=disk.format)
    elif bus == "virtio":
        # enospace: a full host pauses the guest instead of handing it write errors that it cannot mend.
        child(made, "driver", name="qemu", type=disk.format, error_policy="enospace", discard="unmap")
    else:
        child(made, "driver", name="qemu", type=disk.format)
    child(made, "source", file=path)
    child(made, "target", dev=target, bus=bus)
    if disk.read_only:
        child(made, "readonly")


def append_nic(devices: Element, nic: NicSpec, *, model: str | None) -> Element:
    """Append a nic on a bridge, with the interface's name on the host fixed by its MAC."""
    interface = child(devices, "interface", type="bridge")
    child(interface, "mac", address=nic.mac)
    child(interface, "source", bridge=nic.bridge)
    child(interface, "target", dev=nic.device)
    if model is not None:
        child(interface, "model", type=model)
    if nic.mtu != 1500:
        child(interface, "mtu", size=nic.mtu)
    if nic.bandwidth_mbit_per_s is not None:
        bandwidth = child(interface, "bandwidth")
        average = nic.bandwidth_mbit_per_s * _KILOBYTES_PER_MBIT
        child(bandwidth, "inbound", average=average)
        child(bandwidth, "outbound", average=average)
    return interface


def append_addresses(interface: Element, addresses: tuple[AddressSpec, ...]) -> None:
    """Append static addresses and default routes (containers only: libvirt sets them inside)."""
    for address in addresses:
        child(interface, "ip", address=address.address, family=_family(address.address), prefix=address.prefix)
    for address in addresses:
        if address.gateway:
            family = _family(address.gateway)
            default = "0.0.0.0" if family == "ipv4" else "::"  # noqa: S104
            child(interface, "route", family=family, address=default, prefix=0, gateway=address.gateway)


def _family(address: str) -> str:
    return f"ipv{ipaddress.ip_address(address).version}"
