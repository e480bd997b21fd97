"""Changing the configuration of a domain that the panel has not made: only what the panel decides about, no more."""

from copy import deepcopy
from typing import Any
from xml.etree import ElementTree as ET

from hosts.drivers.libvirt.xml.container import cpu_time
from hosts.drivers.libvirt.xml.elements import Element, child, element, from_text, to_text
from hosts.drivers.libvirt.xml.metadata import metadata, qualified
from hosts.drivers.types import DomainSpec

_GUEST = qualified("guest")
KEPT = "kept"  # in our metadata: the configuration is somebody else's work


def edited(found: Element, spec: DomainSpec) -> Element:
    """Return ``found`` with the spec's title, sizes, metadata, and its nics' names on the host; all else as it is."""
    domain = deepcopy(found)
    _text(domain, "title", " ".join(spec.name.split()), after="uuid")
    _sizes(domain, spec)
    kept = domain.find("metadata")
    if kept is None:
        kept = element("metadata")
        domain.insert(_place(domain, "title"), kept)
    made = guest_element(spec)
    for old in kept.findall(_GUEST):  # of one that another panel has made: what its host has to prepare stays
        made.extend(old.findall(qualified("mount")))
        if made.find(qualified("limit")) is None:
            made.extend(old.findall(qualified("limit")))
        kept.remove(old)
    kept.append(made)
    nics = {nic.mac: nic for nic in spec.nics}
    for interface in domain.iterfind("devices/interface"):
        nic = nics.get(mac_of(interface))
        if nic is None:
            continue
        source, target = interface.find("source"), interface.find("target")
        if interface.get("type") == "bridge" and source is not None:
            source.set("bridge", nic.bridge)
        if target is None:
            target = child(interface, "target")
        target.set("dev", nic.device)
    return domain


def changed_parts(found: Element) -> dict[str, Any]:
    """Return what ``edited`` changes of a configuration whose sizes stay: its title, and its nics' names by MAC."""
    devices = {}
    for interface in found.iterfind("devices/interface"):
        target = interface.find("target")
        devices[mac_of(interface)] = target.get("dev") if target is not None else None
    guest = found.find(f"metadata/{_GUEST}")
    return {
        "title": found.findtext("title"),
        "devices": devices,
        "guest": to_text(guest) if guest is not None else None,
    }


def given_back(found: Element, before: dict[str, Any]) -> Element:
    """Return ``found`` with those parts as they were ``before``, and without our metadata."""
    domain = deepcopy(found)
    title, kept = domain.find("title"), domain.find("metadata")
    if title is not None:
        domain.remove(title)
    if before["title"] is not None:
        _text(domain, "title", before["title"], after="uuid")
    if kept is not None:
        for ours in kept.findall(_GUEST):
            kept.remove(ours)
        if before["guest"] is not None:
            kept.append(from_text(before["guest"]))
        if not len(kept):
            domain.remove(kept)
    for interface in domain.iterfind("devices/interface"):
        target, device = interface.find("target"), before["devices"].get(mac_of(interface))
        if target is None:
            continue
        if device is None:
            interface.remove(target)
        else:
            target.set("dev", device)
    return domain


def guest_element(spec: DomainSpec) -> Element:
    """Return our metadata for a domain that was taken over."""
    made = metadata(spec).find(_GUEST)
    assert made is not None  # noqa: S101 - metadata() makes it
    made.set("configuration", KEPT)
    return made


def plain_text(element: Element) -> str:
    """Write our metadata without its namespace, which ``virDomainSetMetadata`` puts on every element itself."""
    made = deepcopy(element)
    for one in made.iter():
        one.tag = one.tag.rpartition("}")[2]
    return to_text(made)


def same(one: Element, other: Element) -> bool:
    """True when two configurations say the same; how they are indented does not count."""
    return ET.canonicalize(to_text(one), strip_text=True) == ET.canonicalize(to_text(other), strip_text=True)


def is_kept(domain: Element) -> bool:
    """True when a domain was taken over: its configuration is edited and never replaced."""
    guest = domain.find(f"metadata/{_GUEST}")
    return guest is not None and guest.get("configuration") == KEPT


def mac_of(interface: Element) -> str:
    """Return an interface's MAC, lower case; "" without one."""
    mac = interface.find("mac")
    return (mac.get("address") or "").lower() if mac is not None else ""


def _sizes(domain: Element, spec: DomainSpec) -> None:
    memory = domain.find("memory")
    if memory is None or memory_mib(domain) != spec.memory_mib:
        for tag in ("memory", "currentMemory"):
            _text(domain, tag, str(spec.memory_mib * 1024), after="metadata")
            domain.find(tag).set("unit", "KiB")  # type: ignore[union-attr]
        _without(domain, "memtune", "hard_limit")  # of a container it would count instead
    vcpu = domain.find("vcpu")
    if vcpu is None or int(vcpu.text or "1") != spec.vcpus:
        _text(domain, "vcpu", str(spec.vcpus), after="currentMemory")
        domain.find("vcpu").attrib.pop("current", None)  # type: ignore[union-attr]
        _without(domain, "cpu", "topology")  # it has to multiply to the number of vCPUs
        if domain.get("type") == "lxc":  # whose number of vCPUs limits nothing by itself
            _limit_time(domain, spec)


def _limit_time(domain: Element, spec: DomainSpec) -> None:
    """Give a container the time of its vCPUs, as one that the panel makes has it."""
    for tag, value in cpu_time(spec).items():
        cputune = domain.find("cputune")
        if cputune is None:
            cputune = element("cputune")
            domain.insert(_place(domain, "vcpu"), cputune)
        _text(cputune, tag, str(value), after="period")


def _without(domain: Element, tag: str, part: str) -> None:
    """Remove a part of an element; an element that says nothing then goes with it."""
    holder = domain.find(tag)
    found = holder.find(part) if holder is not None else None
    if holder is not None and found is not None:
        holder.remove(found)
        if not len(holder) and not holder.attrib:
            domain.remove(holder)


def memory_mib(domain: Element) -> int:
    """Return the memory of a configuration as libvirt writes it out, in KiB."""
    return int(domain.findtext("memory") or 0) // 1024


def _text(domain: Element, tag: str, text: str, *, after: str) -> None:
    found = domain.find(tag)
    if found is None:
        found = element(tag)
        domain.insert(_place(domain, after), found)
    found.text = text


def _place(domain: Element, tag: str) -> int:
    """Return the index behind the element ``tag``; behind the id where there is none."""
    tags = [one.tag for one in domain]
    return 1 + max((index for index, one in enumerate(tags) if one in (tag, "uuid", "name")), default=-1)
