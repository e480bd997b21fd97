"""Our own part of a domain's XML: whose it is, what it may send, what the host's hook has to prepare.

The hook scripts read it (``hooks/innkeeper_hook.py``), so a change of shape changes both.
"""

from dataclasses import dataclass
from xml.etree import ElementTree as ET

from hosts.drivers.libvirt.xml.elements import Element, child, element
from hosts.drivers.types import DomainSpec, NicSpec

NAMESPACE = "urn:innkeeper:guest:1"
ET.register_namespace("innkeeper", NAMESPACE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A file system image that the hook mounts on the host before a container starts."""

    image: str
    target: str
    read_only: bool


def qualified(tag: str) -> str:
    """Return ``tag`` in our namespace, as ElementTree writes it."""
    return f"{{{NAMESPACE}}}{tag}"


def metadata(spec: DomainSpec, *, mounts: tuple[Mount, ...] = ()) -> Element:
    """Build the ``<metadata>`` element of a domain."""
    root = element("metadata")
    guest = child(root, qualified("guest"), owner=spec.owner)
    for nic in spec.nics:
        _append_nic(guest, nic)
    for mount in mounts:
        access = "read-only" if mount.read_only else "read-write"
        child(guest, qualified("mount"), image=mount.image, target=mount.target, access=access)
    if spec.max_processes:
        child(guest, qualified("limit"), processes=spec.max_processes)
    for name, value in sorted(spec.labels.items()):
        child(guest, qualified("label"), value, name=name)
    return root


def _append_nic(guest: Element, nic: NicSpec) -> None:
    made = child(
        guest,
        qualified("nic"),
        device=nic.device,
        mac=nic.mac,
        anti_spoofing="yes" if nic.anti_spoofing else "no",
    )
    for address in nic.addresses:
        child(made, qualified("address"), address.address)


def needs_hook(domain: Element) -> bool:
    """True when a domain must not start on a host whose hook scripts are missing."""
    guest = domain.find(f"metadata/{qualified('guest')}")
    if guest is None:
        return False
    protected = any(nic.get("anti_spoofing") == "yes" for nic in guest.iter(qualified("nic")))
    return protected or any(guest.find(qualified(tag)) is not None for tag in ("mount", "limit"))
