"""From a DomainSpec to domain XML."""

from collections.abc import Callable

from hosts.drivers.libvirt.xml.common import HostPaths
from hosts.drivers.libvirt.xml.container import container_element
from hosts.drivers.libvirt.xml.elements import Element
from hosts.drivers.libvirt.xml.kvm import kvm_element
from hosts.drivers.libvirt.xml.xen import xen_element
from hosts.drivers.types import DomainSpec, HostType

_BUILDERS: dict[HostType, Callable[[DomainSpec, HostPaths], Element]] = {
    HostType.KVM: kvm_element,
    HostType.XEN: xen_element,
    HostType.LXC: container_element,
}


def domain_xml(spec: DomainSpec, paths: HostPaths) -> Element:
    """Build the persistent configuration of a domain; equal specs give equal XML.

    Raises: VolumeNotFoundError when ``paths`` lacks a volume; DriverError for a value XML cannot hold.
    """
    return _BUILDERS[spec.host_type](spec, paths)
