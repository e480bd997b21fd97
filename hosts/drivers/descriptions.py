"""How a host describes its domains, whoever made them: to be compared with the panel, and to be taken over."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from hosts.drivers.types import HostType, PowerState, VolumeRef


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskDescription:
    """A disk, or a container's file system. ``volume`` None: it is in none of the host's directory pools.

    ``source``: "file" is opened as it is, "image" is a file that the host attaches to a device of its own (loop, nbd)
    to mount it for a container, "network" is an address, "volume" one of a pool that the host does not show; "" is an
    empty drive.
    """

    target: str  # "vda"; of a file system, where it is inside
    kind: str  # "disk", "cdrom", "floppy", "filesystem"
    source: str  # "file", "image", "directory", "block", "network", "volume", ""
    path: str
    format: str  # "qcow2", "raw", …
    capacity_bytes: int  # 0: the host does not say
    read_only: bool
    volume: VolumeRef | None
    backing_paths: tuple[str, ...] = ()  # of an overlay: the files below it, as far as the host says


@dataclass(frozen=True, slots=True, kw_only=True)
class NicDescription:
    """A nic. ``addresses`` are those it may send from as its configuration says."""

    mac: str
    bridge: str  # "" when it is on none
    device: str  # its name on the host now; "" when the domain is off
    anti_spoofing: bool  # the configuration asks for it
    addresses: tuple[str, ...]
    guarded: bool | None  # the rules are in force now; None: it is off, asks for none, or the host does not say


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainDescription:
    """A domain with its persistent configuration, which counts from its next start.

    ``files``: every file and directory of its host that it names, also in what it runs with now: of its disks, below
    them, kernels, firmware, media. What is among them, or in one of them, is in use.
    ``user_namespace`` False: root in this container is root of its host. None: it is a machine of its own.
    """

    id: UUID
    domain_name: str
    title: str
    host_type: HostType
    state: PowerState
    persistent: bool
    ours: bool
    taken_over: bool  # one of ours whose configuration is edited and never replaced
    owner: str  # the customer's id in our metadata; "" without it
    vcpus: int
    memory_mib: int
    user_namespace: bool | None
    disks: tuple[DiskDescription, ...]
    nics: tuple[NicDescription, ...]
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FileUse:
    """A file or directory of a host that something needs; what is in such a directory is needed, too.

    ``path`` "": it may be any, because the host does not say which.
    """

    path: str
    by: str  # the domain's name; of an overlay, its own path
    domain: UUID | None  # None: it is needed by an overlay


class PartChange(StrEnum):
    """What became of a part of a configuration."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationChange:
    """One part of a domain's configuration that is not as it was written. ``part`` holds no secret."""

    part: str  # "filesystem /etc at /mnt", "disk /dev/sdb", "memory", …
    change: PartChange
    reaches_host: bool = False  # by it the guest may see or touch something of its host that was not given to it


GONE = (ConfigurationChange(part="domain", change=PartChange.REMOVED),)
