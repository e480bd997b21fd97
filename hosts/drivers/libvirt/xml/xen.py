"""Xen domains: PV, PVH and HVM."""

from hosts.drivers.libvirt.xml.common import HostPaths, append_direct_boot, append_life_cycle, domain_element
from hosts.drivers.libvirt.xml.devices import append_disks, append_nic, append_seed
from hosts.drivers.libvirt.xml.elements import Element, child
from hosts.drivers.types import DomainSpec, XenMode

# (text of <type>, machine) as libvirt names them; https://libvirt.org/formatdomain.html#operating-system-booting
_TYPES = {
    XenMode.PV: ("linux", "xenpv"),
    XenMode.PVH: ("xenpvh", "xenpvh"),
    XenMode.HVM: ("hvm", "xenfv"),
}

# Where a guest without a kernel of the host's boots by itself: GRUB as the kernel, from Debian's grub-xen-host. It
# reads the guest's disk inside the guest, unlike pygrub, which parses it as root in dom0.
_BOOT_LOADERS = {
    XenMode.PV: "/usr/lib/grub-xen/grub-x86_64-xen.bin",
    XenMode.PVH: "/usr/lib/grub-xen/grub-i386-xen_pvh.bin",
}


def xen_element(spec: DomainSpec, paths: HostPaths) -> Element:
    """Build the domain of a Xen guest."""
    domain = domain_element(spec, domain_type="xen")
    text, machine = _TYPES[spec.xen_mode]
    os = child(domain, "os")
    child(os, "type", text, arch="x86_64", machine=machine)
    append_direct_boot(os, spec, paths)
    if spec.kernel is None and spec.xen_mode in _BOOT_LOADERS:
        child(os, "kernel", _BOOT_LOADERS[spec.xen_mode])
    elif spec.kernel is None:
        child(os, "boot", dev="hd")
    hvm = spec.xen_mode is XenMode.HVM
    if hvm:
        features = child(domain, "features")
        for name in ("acpi", "apic", "pae"):
            child(features, name)
    append_life_cycle(domain)
    _append_devices(child(domain, "devices"), spec, paths, hvm=hvm)
    return domain


def _append_devices(devices: Element, spec: DomainSpec, paths: HostPaths, *, hvm: bool) -> None:
    # An HVM guest's firmware boots from an emulated disk; its own drivers take it over as xvda later.
    prefix, bus = ("hd", "ide") if hvm else ("xvd", "xen")
    append_disks(devices, spec, paths, prefix=prefix, bus=bus)
    append_seed(devices, spec, paths, prefix="xvd", bus="xen")
    for nic in spec.nics:
        append_nic(devices, nic, model="netfront" if hvm else None)
    if hvm:
        child(child(devices, "serial", type="pty"), "target", port=0)
        graphics = child(devices, "graphics", type="vnc", port=-1, autoport="yes", listen="127.0.0.1")
        child(graphics, "listen", type="address", address="127.0.0.1")
    else:
        child(child(devices, "console", type="pty"), "target", type="xen", port=0)
