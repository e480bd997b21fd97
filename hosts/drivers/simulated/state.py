"""What a simulated host is: plain records, made on first use, that ``wire`` can write and read."""

import time
import uuid
from dataclasses import dataclass, field
from uuid import UUID

from hosts.drivers.types import Capability, DomainSpec, HostType, PowerState, SeedFiles, VolumeFormat, VolumeRef
from panel.core.units import GIB

POOL_CAPACITY_BYTES = 1024 * GIB  # of a directory nobody gave a size
ACTIVE_STATES = frozenset({PowerState.RUNNING, PowerState.PAUSED})


@dataclass(slots=True, kw_only=True)
class VolumeRecord:
    """A file of a directory. One that is not ``complete`` takes room, but is in no listing."""

    format: VolumeFormat
    capacity_bytes: int
    allocation_bytes: int
    backing: VolumeRef | None = None
    origin: str = "empty"  # "empty", "clone of POOL/NAME", "upload of FILE", "seed"
    seed: SeedFiles | None = None
    complete: bool = True


@dataclass(slots=True, kw_only=True)
class Directory:
    """A directory on the host and its room. It outlives the pool that is on it."""

    capacity_bytes: int = POOL_CAPACITY_BYTES
    volumes: dict[str, VolumeRecord] = field(default_factory=dict)

    @property
    def allocation_bytes(self) -> int:
        """What all files together take."""
        return sum(volume.allocation_bytes for volume in self.volumes.values())

    @property
    def available_bytes(self) -> int:
        """What is left; 0 when the directory was shrunk below what it holds."""
        return max(0, self.capacity_bytes - self.allocation_bytes)


@dataclass(slots=True, kw_only=True)
class DomainRecord:
    """A domain: its configuration, the one it runs with, and how its guest behaves. Times since 1970."""

    name: str
    host_type: HostType
    spec: DomainSpec | None  # None: somebody else's
    found: DomainSpec | None = None  # what somebody else made of it; it keeps that name when it is taken over
    root_directory: str = ""  # of a container of somebody else's: its root file system, a directory of the host
    user_namespace: bool = True  # of a container
    taken_over: bool = False
    unguarded: bool = False  # it runs without the rules that its configuration asks for
    live_spec: DomainSpec | None = None  # what it was started with; None when it is off
    state: PowerState = PowerState.SHUTOFF
    reason: str = ""
    started_at: float = 0.0
    on_since: float = 0.0  # as started_at, but a restart from inside leaves it
    ready_at: float = 0.0  # its boot is over
    off_at: float | None = None  # it was asked to power off and will by then
    starts: int = 0  # boots since it was defined, restarts from inside among them
    console: bytes = b""
    ignores_shutdown: bool = False
    disk_full: bool = False
    leftovers: set[str] = field(default_factory=set)

    @property
    def active(self) -> bool:
        """True while it runs or is paused."""
        return self.state in ACTIVE_STATES


@dataclass(slots=True, kw_only=True)
class HostState:
    """Everything of one simulated host that outlives a restart of the server."""

    name: str
    cpus: int = 16
    memory_mib: int = 65536
    cpu_model: str = "Simulated CPU"
    boot_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    reachable: bool = True
    missing: dict[Capability, str] = field(default_factory=dict)  # what it cannot do, and why
    pools: dict[str, str] = field(default_factory=dict)  # name to path
    pool_capacity_bytes: dict[str, int] = field(default_factory=dict)  # of pools that are not there yet
    directories: dict[str, Directory] = field(default_factory=dict)  # by path
    domains: dict[UUID, DomainRecord] = field(default_factory=dict)
    stray: dict[UUID, list[str]] = field(default_factory=dict)  # remains without a domain
    busy_ns: int = 0
    busy_until: float = field(default_factory=time.time)  # up to when busy_ns was counted
    made_at: float = field(default_factory=time.time)

    def directory_of(self, pool: str) -> str:
        """Return a pool's directory; a directory stands for itself, of whichever pool it is."""
        return self.pools.get(pool, pool if pool.startswith("/") else "")

    def path_of(self, volume: VolumeRef) -> str:
        """Return where a volume is, or would be."""
        return f"{self.directory_of(volume.pool)}/{volume.name}"
