"""What is compared: frozen values, read once. The checks see nothing else."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from hosts.drivers.descriptions import ConfigurationChange, DomainDescription
from hosts.drivers.types import VolumeInfo, VolumeRef
from vms.models import DifferenceKind, Severity
from vms.models.differences import KEY_LENGTH


@dataclass(frozen=True, slots=True, kw_only=True)
class NicView:
    """A nic as the panel has it."""

    mac: str
    bridge: str
    addresses: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestView:
    """A living guest of a host as the panel has it."""

    id: UUID
    name: str
    customer_id: UUID
    lifecycle: str
    power_state: str
    seen_boot_id: str  # of its host, when it was last seen running
    taken_over: bool
    vcpus: int
    memory_mib: int
    disk_gib: int
    nics: tuple[NicView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeView:
    """A volume that the panel knows. ``owner_lives`` False: its guest is gone. ``left_alone``: it may be no file."""

    pool: str
    name: str
    kind: str
    owner_id: UUID | None
    owner_lives: bool
    left_alone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelView:
    """What the panel has of one hypervisor of a host. ``busy``: guests that a job worked on since the look began."""

    host_id: UUID
    host_name: str
    host_type: str
    boot_id: str  # of the host
    guests: tuple[GuestView, ...]
    pool_paths: Mapping[str, str]
    volumes: tuple[VolumeView, ...]
    image_names: frozenset[str]
    busy: frozenset[UUID]
    addresses: Mapping[str, UUID | None]  # those that the host's domains use and that are of a network of the panel's
    # What domains without a guest use on the host's other hypervisors, which share its pools; None: not known yet.
    used_elsewhere: frozenset[VolumeRef] | None = frozenset()
    found_pools: frozenset[str] = frozenset()  # pools only because something there was taken over


@dataclass(frozen=True, slots=True, kw_only=True)
class HostView:
    """What a host said. ``volumes`` by pool, None where they were not asked for.

    ``changes``: of each guest whose configuration was compared in full, what of it was changed.
    """

    domains: tuple[DomainDescription, ...]
    volumes: Mapping[str, tuple[VolumeInfo, ...]] | None = None
    changes: Mapping[UUID, tuple[ConfigurationChange, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One difference as a check found it.

    ``proof``: how many looks, at least a minute apart, it takes before it is more than a suspicion; ``proves`` False:
    this look is none of them, because what the host listed may not be all.
    """

    kind: DifferenceKind
    severity: Severity
    key: str
    label: str
    object_type: str
    object_id: UUID | None = None
    customer_id: UUID | None = None
    host_id: UUID | None = None
    host_type: str = ""
    expected: Mapping[str, Any] = field(default_factory=dict)
    found: Mapping[str, Any] = field(default_factory=dict)
    proof: int = 1
    proves: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class NotAll:
    """Said beside findings: there are more of this kind than were read, so none closes for not being among them."""

    kind: DifferenceKind


def key_of(*parts: object) -> str:
    """Return a key of these parts; one that would be too long ends with a digest of the whole, so that no two agree."""
    key = ":".join(map(str, parts))
    if len(key) <= KEY_LENGTH:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()
    return f"{key[: KEY_LENGTH - len(digest) - 1]}:{digest}"
