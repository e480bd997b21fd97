"""QEMU domains, with hardware virtualization or emulated."""

from hosts.drivers.libvirt.xml.common import HostPaths, append_direct_boot, append_life_cycle, domain_element
from hosts.drivers.libvirt.xml.devices import append_disks, append_nic, append_seed
from hosts.drivers.libvirt.xml.elements import Element, child
from hosts.drivers.types import DomainSpec

MACHINE = "q35"
_BALLOON_STATS_PERIOD_S = 10


def kvm_element(spec: DomainSpec, paths: HostPaths) -> Element:
    """Build the domain of a KVM (or emulated) guest."""
    domain = domain_element(spec, domain_type="qemu" if spec.emulated else "kvm")
    os = child(domain, "os")
    child(os, "type", "hvm", arch="x86_64", machine=MACHINE)
    append_direct_boot(os, spec, paths)
    if spec.kernel is None:
        child(os, "boot", dev="hd")
    features = child(domain, "features")
    child(features, "acpi")
    child(features, "apic")
    # Emulated: everything the emulator can do, so that distributions built for newer CPUs boot. Hardware: the
    # host's model by name, so that a guest can move to another host that has it.
    child(domain, "cpu", mode="maximum" if spec.emulated else "host-model")
    append_life_cycle(domain)
    _append_devices(child(domain, "devices"), spec, paths)
    return domain


def _append_devices(devices: Element, spec: DomainSpec, paths: HostPaths) -> None:
    append_disks(devices, spec, paths, prefix="vd", bus="virtio")
    append_seed(devices, spec, paths, prefix="vd", bus="virtio")
    child(devices, "controller", type="usb", model="none")
    for nic in spec.nics:
        append_nic(devices, nic, model="virtio")
    serial = child(devices, "serial", type="pty")
    child(serial, "log", file=paths.console_log, append="off")
    child(serial, "target", type="isa-serial", port=0)
    channel = child(devices, "channel", type="unix")
    child(channel, "target", type="virtio", name="org.qemu.guest_agent.0")
    graphics = child(devices, "graphics", type="vnc")
    child(graphics, "listen", type="socket")
    child(child(devices, "video"), "model", type="vga", vram=16384, heads=1, primary="yes")
    balloon = child(devices, "memballoon", model="virtio")
    child(balloon, "stats", period=_BALLOON_STATS_PERIOD_S)
    child(child(devices, "rng", model="virtio"), "backend", "/dev/urandom", model="random")
