"""What crosses the driver boundary: frozen values, no behaviour, units in the names.

A *domain* is named by the guest's UUID. A *volume* is named by (pool, name). Paths, libvirt ids and
URIs stay inside the drivers.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

CONTAINER_ROOT_UID = 100_000
"""Root of a container is this user (and group) on its host; see ``<idmap>`` in the domain's XML."""

CONTAINER_SEED_DIRECTORY = "/var/lib/cloud/seed/nocloud"
"""Where a container finds the files of its seed, mounted read-only. cloud-init's NoCloud data source looks there by
itself, and it is outside of /run, over which a container's systemd mounts an empty file system."""


class HostType(StrEnum):
    """The kind of virtualization; one connection per kind a host offers."""

    KVM = "kvm"
    XEN = "xen"
    LXC = "lxc"


class XenMode(StrEnum):
    """How a Xen guest boots; the other host types ignore it."""

    PV = "pv"
    PVH = "pvh"
    HVM = "hvm"


class PowerState(StrEnum):
    """What the hypervisor last said of a domain. ``unknown``: nobody could ask."""

    RUNNING = "running"
    PAUSED = "paused"
    SHUTOFF = "shutoff"
    CRASHED = "crashed"
    UNKNOWN = "unknown"


class Capability(StrEnum):
    """What a host may or may not be able to do; probed, never assumed."""

    ACCELERATION = "acceleration"  # hardware virtualization; without it KVM guests are emulated: slow
    ANTI_SPOOFING = "anti_spoofing"
    BANDWIDTH = "bandwidth"  # traffic shaping per nic
    BULK_STATS = "bulk_stats"  # one stats call for all domains
    GRAPHICS = "graphics"  # VNC
    GUEST_AGENT = "guest_agent"
    PAUSE = "pause"
    PROCESS_LIMIT = "process_limit"  # LXC: number of processes
    RESET = "reset"


class VolumeFormat(StrEnum):
    """On-disk format. Always stated, never probed."""

    QCOW2 = "qcow2"
    RAW = "raw"


@dataclass(frozen=True, slots=True, kw_only=True)
class CapabilityState:
    """Whether a host has a capability, and if not, why: one sentence for people."""

    capability: Capability
    available: bool
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """What a host says of itself through one connection."""

    hostname: str
    boot_id: str  # changes when the host (or, where that is hidden, its hypervisor) starts anew
    cpus: int
    cpu_model: str
    memory_mib: int
    hypervisor: str  # "QEMU 7.2.22", "LXC 6.18.44"
    libvirt_version: str  # "9.0.0", "" for simulated
    emulated: bool  # True: full machines run without hardware virtualization
    capabilities: tuple[CapabilityState, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostLoad:
    """A moment's load of a host. Counters grow for ever; rates are the reader's business."""

    cpu_busy_ns: int
    cpu_total_ns: int
    memory_used_mib: int
    memory_total_mib: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSpec:
    """A directory pool to have on the host. ``path`` is a directory on the host."""

    name: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolInfo:
    """Fill of a pool. ``available_bytes`` is what the file system still has."""

    name: str
    capacity_bytes: int
    allocation_bytes: int
    available_bytes: int


@dataclass(frozen=True, slots=True, order=True)
class VolumeRef:
    """A volume's name on its host."""

    pool: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeInfo:
    """A volume as the host has it. ``capacity`` is what the guest sees, ``allocation`` what it costs.

    ``backing_path``: of an overlay, the file on the host that it is nothing without.
    """

    ref: VolumeRef
    format: VolumeFormat
    capacity_bytes: int
    allocation_bytes: int
    backing_path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressSpec:
    """An address of a nic: ``10.90.0.7``, prefix length 24, gateway or "" for none."""

    address: str
    prefix: int
    gateway: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NicSpec:
    """A nic on a bridge. ``addresses`` (IPv4 and IPv6) are the only ones it may send from."""

    mac: str  # lower case, colons
    bridge: str
    addresses: tuple[AddressSpec, ...]
    mtu: int = 1500
    bandwidth_mbit_per_s: int | None = None  # None: not limited
    anti_spoofing: bool = True

    @property
    def device(self) -> str:
        """The interface's name on the host: ``ik`` and the MAC's digits, 14 characters."""
        return "ik" + self.mac.replace(":", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskSpec:
    """A volume attached to a domain, in order: the first is the root disk."""

    volume: VolumeRef
    format: VolumeFormat
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelSpec:
    """Direct boot: kernel and initrd are volumes on the host. None of it for LXC."""

    kernel: VolumeRef
    initrd: VolumeRef
    arguments: str  # "root=LABEL=root rw console=ttyS0"


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainSpec:
    """Everything a domain is. Two equal specs make equal domains.

    ``disks[0]`` is the root disk; for LXC it is an ext4 image volume, which the host mounts before the
    container starts, and ``seed`` likewise, read-only. ``kernel`` None means the disk boots by
    itself (KVM, Xen) or that the container's ``init`` runs (LXC).
    """

    id: UUID
    name: str  # the guest's name, shown as the domain's title; the domain's own name is derived from id
    host_type: HostType
    vcpus: int
    memory_mib: int
    disks: tuple[DiskSpec, ...]
    nics: tuple[NicSpec, ...]
    seed: VolumeRef | None = None
    kernel: KernelSpec | None = None
    init: str = "/sbin/init"  # LXC only
    max_processes: int = 0  # LXC only; 0: not limited
    emulated: bool = False  # KVM only: True where the host has no hardware virtualization
    xen_mode: XenMode = XenMode.PV
    owner: str = ""  # customer's UUID, written in the domain's metadata
    labels: dict[str, str] = field(default_factory=dict)  # written in the domain's metadata

    @property
    def domain_name(self) -> str:
        """The domain's name on its host."""
        return domain_name(self.id)


def domain_name(guest_id: UUID) -> str:
    """Return a domain's name on its host: ``innkeeper-`` and the first 12 digits of the guest's id."""
    return f"innkeeper-{guest_id.hex[:12]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainUsage:
    """What a running domain has used since it was started, seen from the guest. None: the hypervisor does not say.

    All are counters that grow and begin anew with each start, but for ``memory_used_mib``, which is a level: what the
    guest itself says it uses where it does, otherwise what it occupies on its host.
    """

    cpu_time_ns: int | None = None  # of all its vCPUs
    cpu_delay_ns: int | None = None  # its vCPUs were ready and waited for a processor of the host
    memory_used_mib: int | None = None
    disk_read_bytes: int | None = None
    disk_write_bytes: int | None = None
    disk_read_ops: int | None = None
    disk_write_ops: int | None = None
    net_received_bytes: int | None = None
    net_sent_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainInfo:
    """A domain as the host has it now. ``usage``: in a listing, of a domain that is on."""

    id: UUID
    domain_name: str
    state: PowerState
    state_reason: str = ""  # "io_error", "disk_full", "booted", … ; "" when the hypervisor gives none
    vcpus: int = 0
    memory_mib: int = 0
    usage: DomainUsage | None = None
    ours: bool = True  # False: somebody else's domain on the same host


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedFiles:
    """The contents of a seed: file name (relative, may have one folder) to bytes. See hosts.drivers.seed."""

    files: dict[str, bytes]
    label: str = "cidata"
