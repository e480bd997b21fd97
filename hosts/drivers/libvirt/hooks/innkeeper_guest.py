"""What the panel wrote into a domain's metadata for the hook. Everything is checked: it ends up in commands."""

import os
import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple
from xml.etree import ElementTree as ET

NAMESPACE = "{urn:innkeeper:guest:1}"
STATE_DIRECTORY = "/var/lib/libvirt/innkeeper"
MOUNTS_DIRECTORY = f"{STATE_DIRECTORY}/mounts"
CONSOLE_DIRECTORY = f"{STATE_DIRECTORY}/console"

_NAME = re.compile(r"innkeeper-[a-z0-9-]{1,48}\Z")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}\Z")
_DEVICE = re.compile(r"[a-z0-9]{1,15}\Z")


class HookError(Exception):
    """One sentence that libvirt hands on to the panel; the operation is refused."""


class Nic(NamedTuple):
    """An interface that may send from ``mac`` and ``addresses`` alone."""

    device: str
    mac: str
    addresses: tuple[IPv4Address | IPv6Address, ...]


class Mount(NamedTuple):
    """A file system image and the place where the container finds it."""

    image: str
    target: str
    read_only: bool


class Question(NamedTuple):
    """Instead of a guest: something the panel wants to know or to have done. ``nics``: with whose they are.

    ``wanted``: files that it asks about; ``named``: those of which it asks whether they are the same.
    """

    kind: str
    about: str
    nics: tuple[tuple[str, Nic], ...] = ()
    wanted: tuple[str, ...] = ()
    named: tuple[str, ...] = ()


class Guest(NamedTuple):
    """A domain of the panel's."""

    name: str
    nics: tuple[Nic, ...]
    mounts: tuple[Mount, ...]
    max_processes: int
    console: str  # the console's terminal, once it runs; "" before
    controller: int  # a running container's controller process; 0 before


def checked_name(name: str) -> str:
    """Return a domain's name. Raises: HookError when it is none that the panel gives."""
    if not _NAME.match(name):
        raise HookError(f"not a name of the panel's: {name!r}")
    return name


def read_domain(name: str, xml: str) -> Guest | Question | None:
    """Return what a domain's XML says; None when the domain is not the panel's."""
    domain = ET.fromstring(xml)  # noqa: S314 - libvirt wrote it
    question = domain.find(f"metadata/{NAMESPACE}question")
    if question is not None:
        nics = tuple((checked_name(one.get("of", "")), _nic(one)) for one in question.iter(f"{NAMESPACE}nic"))
        return Question(
            kind=question.get("kind", ""),
            about=checked_name(question.get("about", "")),
            nics=nics,
            wanted=tuple(one.get("path", "") for one in question.iter(f"{NAMESPACE}wanted")),
            named=tuple(one.get("path", "") for one in question.iter(f"{NAMESPACE}named")),
        )
    guest = domain.find(f"metadata/{NAMESPACE}guest")
    if guest is None:
        return None
    if not _NAME.match(name):  # it was taken over: what is made for it goes by its id
        name = f"innkeeper-{(domain.findtext('uuid') or '').replace('-', '')[:12]}"
    limit = guest.find(f"{NAMESPACE}limit")
    console = domain.find("devices/console")
    return Guest(
        name=checked_name(name),
        nics=tuple(_nic(one) for one in guest.iter(f"{NAMESPACE}nic") if one.get("anti_spoofing") == "yes"),
        mounts=tuple(_mount(name, one) for one in guest.iter(f"{NAMESPACE}mount")),
        max_processes=int(limit.get("processes", "0")) if limit is not None else 0,
        console=console.get("tty", "") if console is not None else "",
        controller=int(domain.get("id", "0")),
    )


def _nic(element: ET.Element) -> Nic:
    device, mac = element.get("device", ""), element.get("mac", "")
    if not _DEVICE.match(device) or not _MAC.match(mac):
        raise HookError(f"not an interface: {device!r} {mac!r}")
    addresses = tuple(_address((one.text or "").strip()) for one in element.iter(f"{NAMESPACE}address"))
    return Nic(device=device, mac=mac, addresses=addresses)


def _address(text: str) -> IPv4Address | IPv6Address:
    """Return an address. One with a scope is refused: any text may stand behind its percent sign (RFC 4007)."""
    address = ip_address(text)
    if "%" in text:
        raise HookError(f"not an address of a guest's: {text!r}")
    return address


def _mount(name: str, element: ET.Element) -> Mount:
    image, target = element.get("image", ""), element.get("target", "")
    if target not in (f"{MOUNTS_DIRECTORY}/{name}/root", f"{MOUNTS_DIRECTORY}/{name}/seed"):
        raise HookError(f"not a place for a file system: {target!r}")
    if not os.path.isabs(image) or not os.path.isfile(image):
        raise HookError("the container's disk is missing")
    return Mount(image=image, target=target, read_only=element.get("access") == "read-only")
