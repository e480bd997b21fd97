"""KVM, Xen and LXC through libvirt. The only package that imports libvirt."""

from hosts.drivers.libvirt.driver import LibvirtDriver

__all__ = ["LibvirtDriver"]
