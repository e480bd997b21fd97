"""What every domain has, whatever runs it."""

from collections.abc import Mapping
from dataclasses import dataclass

from hosts.drivers.libvirt.xml.elements import Element, child, element
from hosts.drivers.libvirt.xml.metadata import Mount, metadata
from hosts.drivers.types import DomainSpec, VolumeRef
from panel.core.errors import VolumeNotFoundError


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPaths:
    """Where the host keeps what a domain needs, as the host itself said."""

    volumes: Mapping[VolumeRef, str]
    console_log: str

    def of(self, volume: VolumeRef) -> str:
        """Return a volume's path. Raises: VolumeNotFoundError when it was not looked up."""
        try:
            return self.volumes[volume]
        except KeyError as error:
            raise VolumeNotFoundError(detail=f"{volume.pool}/{volume.name}") from error


def volumes_of(spec: DomainSpec) -> tuple[VolumeRef, ...]:
    """Return every volume a domain refers to, in the order of its spec."""
    found = [disk.volume for disk in spec.disks]
    if spec.seed is not None:
        found.append(spec.seed)
    if spec.kernel is not None:
        found += [spec.kernel.kernel, spec.kernel.initrd]
    return tuple(found)


def domain_element(spec: DomainSpec, *, domain_type: str, mounts: tuple[Mount, ...] = ()) -> Element:
    """Make ``<domain>`` with identity, our metadata and sizes."""
    domain = element("domain", type=domain_type)
    child(domain, "name", spec.domain_name)
    child(domain, "uuid", str(spec.id))
    # libvirt refuses line breaks in a title.
    child(domain, "title", " ".join(spec.name.split()))
    domain.append(metadata(spec, mounts=mounts))
    child(domain, "memory", spec.memory_mib * 1024, unit="KiB")
    child(domain, "currentMemory", spec.memory_mib * 1024, unit="KiB")
    child(domain, "vcpu", spec.vcpus, placement="static")
    return domain


def append_life_cycle(domain: Element) -> None:
    """Append what happens when the guest powers off, restarts or crashes."""
    child(domain, "clock", offset="utc")
    child(domain, "on_poweroff", "destroy")
    child(domain, "on_reboot", "restart")
    child(domain, "on_crash", "destroy")


def append_direct_boot(os: Element, spec: DomainSpec, paths: HostPaths) -> None:
    """Append kernel, initrd and command line where the spec has them."""
    if spec.kernel is None:
        return
    child(os, "kernel", paths.of(spec.kernel.kernel))
    child(os, "initrd", paths.of(spec.kernel.initrd))
    child(os, "cmdline", spec.kernel.arguments)
