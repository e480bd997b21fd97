"""Which domains that the panel has not made can be taken over, and what of them becomes a guest's."""

from collections.abc import Mapping
from typing import Any

from hosts.drivers.types import HostType
from hosts.models import ImageFile, Volume
from vms.models import Difference, DifferenceKind, Guest
from vms.states import Lifecycle

FORMATS = ("qcow2", "raw")
SOURCES = ("file", "block", "network")
OF_CONTAINERS = ("directory", "image")  # what a container's root may be, too
LONGEST = 255  # a directory, and a name in it
HOST_ROOT = "This container has no user namespace: its root may become root of the host. Say that you accept that."


def own_disks(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the disks that become the guest's. What it can only read (a seed, an installer) stays somebody else's.

    So does what else of its host a container sees: only its root is its own.
    """
    container = found.get("user_namespace") is not None
    kinds = ("disk", "filesystem")
    own = [disk for disk in found["disks"] if disk["kind"] in kinds and not disk["read_only"]]
    return [disk for disk in own if disk["kind"] == "disk" or disk["target"] == "/" or not container]


def is_host_root(row: Difference) -> bool:
    """True when root in a found domain may become root of its host."""
    return row.host_type == HostType.LXC and not row.found.get("user_namespace")


def left_alone(disk: Mapping[str, Any]) -> bool:
    """True for a disk that is no file of a disk: it is known, and otherwise left as it is."""
    return disk["source"] != "file" or disk["path"].startswith("/dev/")


def guest_obstacle(row: Difference) -> str:
    """Return what the panel has with a found domain's id, as a sentence why it cannot be had; "" when nothing."""
    if row.kind != DifferenceKind.DOMAIN_WITHOUT_GUEST:
        return ""
    guest = Guest.objects.filter(pk=row.about_id).only("lifecycle").first()
    if guest is None:
        return ""
    if guest.lifecycle == Lifecycle.DELETED:
        return "The panel had a server with this domain's id: it cannot be taken over another time."
    if guest.lifecycle == Lifecycle.PROVISIONING:
        return "It is being taken over already."
    return "It is a server of the panel's by now."


def obstacle(row: Difference) -> str:
    """Return why a found domain is none that can be taken over, as one sentence; "" when it is one."""
    found = row.found
    if not found["persistent"]:
        return "The domain has no persistent configuration: it would be gone when it is switched off."
    disks = own_disks(found)
    if not disks:
        return "The domain has no disk that it can write to."
    if not found["nics"]:
        return "The domain has no nic."
    for disk in disks:
        if said := _disk_obstacle(disk, container=row.host_type == HostType.LXC):
            return said
    images = {file.volume_name for file in ImageFile.objects.only("sha256", "format")}
    for disk in disks:
        path, name = place(disk)
        if name in images:
            return f"Its disk {name} is an image of the panel's, which others are made from."
        known = Volume.objects.filter(pool__host_id=row.on_host_id, pool__path=path, name=name)
        if known.filter(owner_id__isnull=False).exists():
            return f"Its disk {name} belongs to a server of the panel's."
    return ""


def _disk_obstacle(disk: Mapping[str, Any], *, container: bool) -> str:
    source, target, path = disk["source"], disk["target"], disk["path"]
    if source not in (*SOURCES, *(OF_CONTAINERS if container else ())) or _is_elsewhere(disk):
        return f"Its disk {target} is no file, no block device and no network disk: it cannot be taken over."
    if path == "/":
        return "Its root file system is its host's own: it is no server that could be a customer's."
    if disk["format"] not in FORMATS:
        return f"Its disk {target} is of the format {disk['format']}: only qcow2 and raw can be taken over."
    if not disk["capacity_bytes"] and source == "network":
        return f"The host says how large its disk {target} is only while the domain runs: start it first."
    if not disk["capacity_bytes"] and not (container and left_alone(disk)):
        return f"The host does not say how large its disk {target} is."
    if any(len(part) > LONGEST for part in place(disk)):
        return f"The path of its disk {target} is too long."
    return ""


def _is_elsewhere(disk: Mapping[str, Any]) -> bool:
    return disk["source"] == "block" and not disk["path"].startswith("/dev/")


def place(disk: Mapping[str, Any]) -> tuple[str, str]:
    """Return where a disk is, and its name there. Directories of containers are all in one place: the host's own /."""
    if disk["source"] == "directory":
        return "/", disk["path"].removeprefix("/")
    path, _, name = disk["path"].rpartition("/")
    return path or "/", name
