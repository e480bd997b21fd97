"""The driver contract: what every hypervisor must do, and how it behaves when it cannot.

Rules for every method:

* It blocks, it may be repeated, and repeating it after success is success (``define`` of an equal
  domain, ``start`` of a running one, ``undefine`` of a missing one). The methods that say so raise
  ``DomainNotFoundError`` for a missing domain.
* It raises ``HostUnreachableError`` when the host cannot be reached or cuts the connection, and
  ``DriverError`` or a subclass for everything else. It never returns an error.
* A call that raised may still have worked. Callers repeat or ask ``domain_info``.
* A driver may be used by several threads. ``close`` makes calls in other threads fail.
* Deadlines are the caller's: see ``hosts.calls``.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from uuid import UUID

from hosts.drivers.descriptions import ConfigurationChange, DomainDescription, FileUse
from hosts.drivers.types import (
    DomainInfo,
    DomainSpec,
    HostFacts,
    HostLoad,
    HostType,
    PoolInfo,
    PoolSpec,
    SeedFiles,
    VolumeFormat,
    VolumeInfo,
    VolumeRef,
)

EventHandler = Callable[[UUID | None], None]
"""See ``HypervisorDriver.listen``."""

Progress = Callable[[int, int], None]
"""Told now and then, in any thread, how many bytes of a copy are done, and of how many; holes do not count."""


def quiet(_done_bytes: int, _total_bytes: int) -> None:
    """Take a copy's progress and say nothing."""


class HypervisorDriver(ABC):
    """One hypervisor on one host."""

    host_type: HostType

    # ── host ────────────────────────────────────────────────────────────────────────────────────
    @abstractmethod
    def facts(self) -> HostFacts:
        """Say what the host is and can do. Probes; may take a second."""

    @abstractmethod
    def boot_id(self) -> str:
        """Return the id of the host's present boot, as in its facts, without probing twice; "" when it is not known."""

    @abstractmethod
    def load(self) -> HostLoad:
        """Return the host's counters of this moment."""

    @abstractmethod
    def listen(self, handler: EventHandler) -> None:
        """Have ``handler`` told of what happens to the hypervisor's domains, from now until ``close``.

        It is called with the id of a domain whose power state may have changed, or with None when events may have been
        lost: the connection ended. Events are hints: one may be missing, come twice, late or in another order; ask the
        domain. It is called from a thread of the driver's that serves all connections, so it must return at once and
        ask no driver. Connects like any call, and whatever call connects anew goes on listening. Calling it again
        with the same handler costs nothing while the connection stands.
        """

    @abstractmethod
    def close(self) -> None:
        """Give the connection up, also while another thread waits in a call: it gets HostUnreachableError.

        Final: so does every later call. May be repeated.
        """

    # ── pools and volumes ───────────────────────────────────────────────────────────────────────
    @abstractmethod
    def pool_ensure(self, pool: PoolSpec) -> PoolInfo:
        """Define, build, start and autostart a directory pool; return its fill."""

    @abstractmethod
    def pool_info(self, pool: str) -> PoolInfo:
        """Return a pool's fill. Raises: VolumeNotFoundError when there is no such pool."""

    @abstractmethod
    def pool_remove(self, pool: str) -> None:
        """Stop and undefine a pool; its files stay. A missing pool is success."""

    @abstractmethod
    def volume_list(self, pool: str) -> list[VolumeInfo]:
        """List a pool's volumes, sorted by name, as they are on disk now."""

    @abstractmethod
    def volume_info(self, volume: VolumeRef) -> VolumeInfo:
        """Return one volume. Raises: VolumeNotFoundError."""

    @abstractmethod
    def volume_create(
        self,
        volume: VolumeRef,
        *,
        format: VolumeFormat,
        capacity_bytes: int,
        backing: VolumeRef | None = None,
        backing_format: VolumeFormat | None = None,
    ) -> VolumeInfo:
        """Create an empty volume, or with ``backing`` a qcow2 overlay on it, thin.

        A volume of the same name, format and capacity is success. Raises: DriverError when one of
        another shape is in the way; StorageFullError.
        """

    @abstractmethod
    def volume_clone(
        self, volume: VolumeRef, *, source: VolumeRef, capacity_bytes: int, progress: Progress = quiet
    ) -> VolumeInfo:
        """Make a full copy of ``source`` (same format), grown to ``capacity_bytes`` where that is larger.

        The file system in an ext4 image (LXC) is not grown here but before the container's next start. An
        existing volume of the name is success only when a former clone finished; a half-made one is replaced.
        Raises: DriverError when a volume of another shape is in the way.
        """

    @abstractmethod
    def volume_upload(
        self, volume: VolumeRef, *, source: Path, format: VolumeFormat, progress: Progress = quiet
    ) -> VolumeInfo:
        """Put the local file ``source`` on the host as a volume, sparse where it is.

        Atomic to readers: the name appears with its whole content or the call fails; a half-made one is
        replaced. Raises: StorageFullError.
        """

    @abstractmethod
    def volume_resize(self, volume: VolumeRef, *, capacity_bytes: int) -> None:
        """Grow a volume. Smaller than now is refused with DriverError; equal is success."""

    @abstractmethod
    def volume_delete(self, volume: VolumeRef) -> None:
        """Delete a volume. A missing one is success."""

    @abstractmethod
    def seed_write(self, volume: VolumeRef, seed: SeedFiles) -> None:
        """Create or replace a seed volume (ISO 9660 for KVM and Xen, read-only ext4 for LXC).

        Also works while the domain that uses it runs; the guest then sees the new content at its next
        boot at the latest. The old content is overwritten, not only unlinked.
        """

    # ── domains ─────────────────────────────────────────────────────────────────────────────────
    @abstractmethod
    def domain_define(self, spec: DomainSpec) -> None:
        """Make or replace the persistent configuration. Does not start it.

        Raises: VolumeNotFoundError when a disk, seed or kernel is missing; CapabilityError when the spec
        asks for what the host cannot do (``bandwidth_mbit_per_s`` without BANDWIDTH, …).
        """

    @abstractmethod
    def domain_undefine(self, domain: UUID) -> None:
        """Remove the configuration and everything the driver itself made for it (directories,
        mounts, filter rules, the console log). Volumes stay. A missing domain is success.

        Raises: DriverError when it is running; LeftoversError when something could not be removed.
        """

    @abstractmethod
    def domain_start(self, domain: UUID) -> None:
        """Boot a defined domain; a running one is success. Anti-spoofing rules are in force before its
        first packet, or it does not start. Raises: DomainNotFoundError.
        """

    @abstractmethod
    def domain_shutdown(self, domain: UUID, *, timeout_s: float) -> bool:
        """Ask the guest to power off and wait; never cut the power.

        Returns True when the domain is shut off (also if it was before), False when it still runs after
        ``timeout_s``. Raises: DomainNotFoundError.
        """

    @abstractmethod
    def domain_destroy(self, domain: UUID) -> None:
        """Cut the power now. A domain that is off is success. Raises: DomainNotFoundError."""

    @abstractmethod
    def domain_reboot(self, domain: UUID, *, timeout_s: float) -> bool:
        """Ask the guest to restart, and wait until it went down and is running again.

        Returns False, with the guest running on untouched, when it did not follow in time. A domain that
        is off is started. Raises: DomainNotFoundError.
        """

    @abstractmethod
    def domain_reset(self, domain: UUID) -> None:
        """Power-cycle at once: destroy and start. A domain that is off is started."""

    @abstractmethod
    def domain_pause(self, domain: UUID) -> None:
        """Freeze the vCPUs. Raises: DomainNotFoundError, DriverError when it is off, CapabilityError."""

    @abstractmethod
    def domain_resume(self, domain: UUID) -> None:
        """Undo ``domain_pause``; a running domain is success."""

    @abstractmethod
    def domain_info(self, domain: UUID) -> DomainInfo:
        """Return one domain. Raises: DomainNotFoundError."""

    @abstractmethod
    def domain_list(self) -> list[DomainInfo]:
        """List all domains of the host, also foreign ones (``ours`` False), sorted by id, with their usage.

        A listing is what the host could say now; a missing domain is no proof that it is gone. Without BULK_STATS it
        takes up to 20 ms for each domain that is on, so as to leave the host to its guests.
        """

    @abstractmethod
    def domain_describe(self, domain: UUID) -> DomainDescription:
        """Return a domain's configuration, whoever made it. Raises: DomainNotFoundError."""

    @abstractmethod
    def domain_descriptions(self) -> list[DomainDescription]:
        """Describe all domains of the host, also foreign ones, sorted by id; a few calls for each."""

    @abstractmethod
    def file_uses(self, *, pools: Sequence[str], files: Sequence[str]) -> list[FileUse]:
        """Return which files the hypervisor's domains need, whoever made them, and which the host's overlays do.

        It looks anew at all pools that the host has, of whomever; ``pools`` are those that it must have. ``files`` are
        known by other names, too (links, mounts), where the host can tell: their uses are told by the given ones.
        Raises: VolumeNotFoundError when one of ``pools`` is not there.
        """

    @abstractmethod
    def domain_configuration(self, domain: UUID) -> str:
        """Return what ``domain_take_over`` will change of the configuration, as ``domain_let_go`` takes it; no secrets.

        Raises: DomainNotFoundError.
        """

    @abstractmethod
    def domain_take_over(self, spec: DomainSpec) -> None:
        """Make a domain of somebody else's one of ours without stopping it: metadata, and rules against spoofing.

        Its name, disks and devices stay; from then on ``domain_define`` edits what is there instead of replacing it.
        The rules are in force at once where it runs. Repeating it is success. Raises: DomainNotFoundError;
        CapabilityError when the host cannot load the rules.
        """

    @abstractmethod
    def domain_let_go(self, domain: UUID, *, configuration: str) -> None:
        """Undo ``domain_take_over``: the configuration of before, no metadata and no rules of ours. It runs on."""

    @abstractmethod
    def domain_protect(self, domain: UUID) -> bool:
        """Put the rules against spoofing of a running domain in force again, as its configuration has them.

        Returns False when it is off: its next start loads them. Raises: DomainNotFoundError.
        """

    @abstractmethod
    def domain_is_current(self, spec: DomainSpec) -> bool:
        """True when the host's persistent configuration is what ``domain_define(spec)`` would make."""

    @abstractmethod
    def domain_changes(self, spec: DomainSpec) -> tuple[ConfigurationChange, ...]:
        """Name what is not as ``domain_define(spec)`` would make it; nothing exactly where ``domain_is_current``."""

    @abstractmethod
    def console_output(self, domain: UUID, *, max_bytes: int = 65536) -> bytes:
        """Return the tail of what the guest printed on its serial console since its last start.

        Untrusted bytes. Empty when nothing was kept. Raises: DomainNotFoundError.
        """

    @abstractmethod
    def leftovers(self, domain: UUID) -> Iterator[str]:
        """Name everything on the host that still belongs to a domain id: "domain …", "pool …",
        "rules …", "mount …", "log …". Empty after a delete; used by tests and by the reconciler.
        """
