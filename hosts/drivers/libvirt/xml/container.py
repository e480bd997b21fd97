"""LXC domains."""

from hosts.drivers.libvirt.places import (
    CONTAINER_EMULATOR,
    IDMAP_COUNT,
    container_root,
    container_seed,
)
from hosts.drivers.libvirt.xml.common import HostPaths, append_life_cycle, domain_element
from hosts.drivers.libvirt.xml.devices import append_addresses, append_nic
from hosts.drivers.libvirt.xml.elements import Element, child
from hosts.drivers.libvirt.xml.metadata import Mount
from hosts.drivers.types import CONTAINER_ROOT_UID, CONTAINER_SEED_DIRECTORY, DomainSpec

# Length of the window in which a container may use its vCPUs' worth of time; the kernel's own default.
_CPU_PERIOD_US = 100_000


def container_element(spec: DomainSpec, paths: HostPaths) -> Element:
    """Build the domain of a container. The hook mounts what ``mounts_of`` names before it starts."""
    domain = domain_element(spec, domain_type="lxc", mounts=mounts_of(spec, paths))
    cputune = child(domain, "cputune")
    for tag, value in cpu_time(spec).items():
        child(cputune, tag, value)
    os = child(domain, "os")
    child(os, "type", "exe", arch="x86_64")
    child(os, "init", spec.init)
    child(os, "initenv", "libvirt-lxc", name="container")
    append_idmap(domain)
    # Without privnet a container that has no nic shares the host's network.
    child(child(domain, "features"), "privnet")
    append_life_cycle(domain)
    devices = child(domain, "devices")
    child(devices, "emulator", CONTAINER_EMULATOR)
    _append_filesystem(devices, source=container_root(spec.domain_name), target="/")
    if spec.seed is not None:
        source = container_seed(spec.domain_name)
        _append_filesystem(devices, source=source, target=CONTAINER_SEED_DIRECTORY, read_only=True)
    for index, nic in enumerate(spec.nics):
        interface = append_nic(devices, nic, model=None)
        child(interface, "guest", dev=f"eth{index}")
        append_addresses(interface, nic.addresses)
    child(child(devices, "console", type="pty"), "target", type="lxc", port=0)
    return domain


def cpu_time(spec: DomainSpec) -> dict[str, int]:
    """Return what limits a container to the time of its vCPUs, by element of <cputune>."""
    return {"period": _CPU_PERIOD_US, "quota": _CPU_PERIOD_US * spec.vcpus}


def append_idmap(domain: Element) -> None:
    """Append the map that makes root inside an unprivileged user outside; no container goes without."""
    idmap = child(domain, "idmap")
    for kind in ("uid", "gid"):
        child(idmap, kind, start=0, target=CONTAINER_ROOT_UID, count=IDMAP_COUNT)


def mounts_of(spec: DomainSpec, paths: HostPaths) -> tuple[Mount, ...]:
    """Return the file systems a container needs on its host: its root, and its seed if it has one."""
    root = spec.disks[0]
    mounts = [Mount(image=paths.of(root.volume), target=container_root(spec.domain_name), read_only=root.read_only)]
    if spec.seed is not None:
        mounts.append(Mount(image=paths.of(spec.seed), target=container_seed(spec.domain_name), read_only=True))
    return tuple(mounts)


def _append_filesystem(devices: Element, *, source: str, target: str, read_only: bool = False) -> None:
    filesystem = child(devices, "filesystem", type="mount", accessmode="passthrough")
    child(filesystem, "source", dir=source)
    child(filesystem, "target", dir=target)
    if read_only:
        child(filesystem, "readonly")
