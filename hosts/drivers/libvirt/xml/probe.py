"""Short-lived domains by which a host is asked what the libvirt API has no call for."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from hosts.drivers.libvirt.xml.container import append_idmap
from hosts.drivers.libvirt.xml.elements import Element, child, element
from hosts.drivers.libvirt.xml.metadata import qualified
from hosts.drivers.types import HostType


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedNic:
    """An interface that a question is about. ``of``: the name by which the host's rules know its domain."""

    of: str
    device: str
    mac: str
    addresses: tuple[str, ...]


def question_element(
    *,
    host_type: HostType,
    name: str,
    uuid: UUID,
    kind: str,
    about: str,
    nics: tuple[AskedNic, ...] = (),
    wanted: Sequence[str] = (),
    named: Sequence[str] = (),
) -> Element:
    """Build a transient domain that the host's hook script answers instead of letting it start.

    Where no hook is installed it must do no harm when it starts: a machine without devices, started paused,
    or a container without privileges whose init does not exist.
    """
    container = host_type is HostType.LXC
    domain = element("domain", type={HostType.KVM: "qemu", HostType.XEN: "xen", HostType.LXC: "lxc"}[host_type])
    child(domain, "name", name)
    child(domain, "uuid", str(uuid))
    question = child(child(domain, "metadata"), qualified("question"), kind=kind, about=about)
    for nic in nics:
        made = child(question, qualified("nic"), of=nic.of, device=nic.device, mac=nic.mac)
        for address in nic.addresses:
            child(made, qualified("address"), address)
    for path in wanted:
        child(question, qualified("wanted"), path=path)
    for path in named:
        child(question, qualified("named"), path=path)
    child(domain, "memory", 32768, unit="KiB")
    child(domain, "vcpu", 1)
    os = child(domain, "os")
    if container:
        child(os, "type", "exe", arch="x86_64")
        child(os, "init", "/nonexistent")
        append_idmap(domain)
        child(child(domain, "features"), "privnet")
        child(child(domain, "devices"), "console", type="pty")
    else:
        child(os, "type", "hvm", arch="x86_64")
    return domain
