"""The domain calls of a simulated host."""

import asyncio
from dataclasses import fields
from uuid import UUID

from hosts.drivers.descriptions import GONE, ConfigurationChange, DomainDescription, FileUse, PartChange
from hosts.drivers.simulated import guest
from hosts.drivers.simulated.capabilities import require
from hosts.drivers.simulated.describe import described, overlays
from hosts.drivers.simulated.host import SimulatedHost
from hosts.drivers.simulated.state import DomainRecord
from hosts.drivers.simulated.storage import StorageCalls
from hosts.drivers.types import Capability, DomainInfo, DomainSpec, HostType, PowerState, VolumeRef
from panel.core.errors import DomainNotFoundError, DriverError


class DomainCalls:
    """Answers the domain part of the driver contract for one type of one host."""

    def __init__(self, host: SimulatedHost, host_type: HostType) -> None:
        self._host = host
        self._host_type = host_type
        self._storage = StorageCalls(host)

    def domain_define(self, *, spec: DomainSpec) -> None:
        """Check the spec against the host and keep it. A running domain keeps what it was started with."""
        self._check(spec)
        record = self._host.state.domains.get(spec.id)
        if record is None:
            record = DomainRecord(name=spec.domain_name, host_type=spec.host_type, spec=spec)
            self._host.state.domains[spec.id] = record
        elif record.host_type is not self._host_type or record.spec is None:
            raise DriverError(detail=f"domain id {spec.id} is somebody else's")
        record.spec = spec
        if self._host_type is HostType.LXC:
            record.leftovers.add(f"pool {record.name}")

    def domain_undefine(self, *, domain: UUID) -> None:
        """Remove a domain that is off and all that was made for it."""
        record = self._find(domain)
        if record is None:
            return
        if record.active:
            raise DriverError(detail=f"domain {record.name} is {record.state}")
        del self._host.state.domains[domain]

    def domain_start(self, *, domain: UUID) -> None:
        """Start a domain that is off; its volumes must still be there."""
        record = self._get(domain)
        if not record.active:
            self._boot(record)

    async def domain_shutdown(self, *, domain: UUID, timeout_s: float) -> bool:
        """Ask the guest. One that is paused cannot hear it; one that is slow still goes down later."""
        record = self._get(domain)
        if not record.active:
            return True
        if record.state is PowerState.RUNNING and not record.ignores_shutdown and record.off_at is None:
            self._host.power_off_later(record, seconds=self._host.latency("guest_shutdown"))
        return await self._host.wait_until(lambda: not record.active, record=record, timeout_s=timeout_s)

    def domain_destroy(self, *, domain: UUID) -> None:
        """Cut the power."""
        record = self._get(domain)
        if record.active:
            self._host.turn_off(record, reason="destroyed")

    async def domain_reboot(self, *, domain: UUID, timeout_s: float) -> bool:
        """Restart through the guest; one that would take too long is left alone."""
        record = self._get(domain)
        if not record.active:
            self._boot(record)
            return True
        needed_s = self._host.latency("guest_shutdown")
        if record.state is not PowerState.RUNNING or record.ignores_shutdown or needed_s > timeout_s:
            await asyncio.sleep(timeout_s)
            return False
        if needed_s:
            await asyncio.sleep(needed_s)
        if not record.active:
            raise DriverError(detail=f"domain {record.name} went off meanwhile")
        self._host.turn_off(record, reason="shutdown")
        self._boot(record, fresh_console=False)
        return True

    def domain_reset(self, *, domain: UUID) -> None:
        """Destroy and start."""
        record = self._get(domain)
        self.domain_destroy(domain=domain)
        self._boot(record)

    def domain_pause(self, *, domain: UUID) -> None:
        """Freeze a running domain; a paused one stays so."""
        require(self._host.state, self._host_type, Capability.PAUSE)
        record = self._get(domain)
        if not record.active:
            raise DriverError(detail=f"domain {record.name} is off")
        if record.state is PowerState.RUNNING:
            self._host.count_busy()
            record.state, record.reason, record.off_at = PowerState.PAUSED, "user", None
            self._host.changed(record)

    def domain_resume(self, *, domain: UUID) -> None:
        """Let a paused domain go on; one whose disk is still full pauses again at its next write: at once."""
        record = self._get(domain)
        if not record.active:
            raise DriverError(detail=f"domain {record.name} is off")
        if record.state is PowerState.PAUSED and not record.disk_full:
            self._host.count_busy()
            record.state, record.reason = PowerState.RUNNING, "unpaused"
            self._host.changed(record)

    def domain_info(self, *, domain: UUID) -> DomainInfo:
        """Return one domain."""
        return _info(domain, self._get(domain))

    def domain_list(self) -> list[DomainInfo]:
        """List this type's domains, foreign ones too."""
        records = self._host.state.domains
        mine = sorted(domain for domain, record in records.items() if record.host_type is self._host_type)
        return [_info(domain, self._host.settle(records[domain]), with_usage=True) for domain in mine]

    def domain_describe(self, *, domain: UUID) -> DomainDescription:
        """Describe one domain."""
        return described(domain, self._get(domain), self._host.state)

    def domain_descriptions(self) -> list[DomainDescription]:
        """Describe all."""
        return [self.domain_describe(domain=info.id) for info in self.domain_list()]

    def file_uses(self, *, pools: list[str]) -> list[FileUse]:
        """Say what its domains and the host's overlays need."""
        for pool in pools:
            self._storage.pool_info(pool=pool)
        mine = [
            FileUse(path=path, by=one.domain_name, domain=one.id)
            for one in self.domain_descriptions()
            for path in one.files
        ]
        return [*mine, *overlays(self._host.state)]

    def domain_configuration(self, *, domain: UUID) -> str:
        """Say whether it was ours before: then its spec is what it is given back as."""
        record = self._get(domain)
        if record.spec is not None:
            record.found = record.spec
            return "ours"
        return "somebody else's"

    def domain_take_over(self, *, spec: DomainSpec) -> None:
        """Make it ours; what it runs with stays."""
        record = self._get(spec.id)
        if any(nic.anti_spoofing for nic in spec.nics):
            require(self._host.state, self._host_type, Capability.ANTI_SPOOFING)
        record.spec, record.taken_over = spec, True
        if record.active:
            record.live_spec = record.live_spec or spec
            record.leftovers.add(f"rules {record.name}")

    def domain_let_go(self, *, domain: UUID, configuration: str) -> None:
        """Give it back."""
        record = self._get(domain)
        record.taken_over = False
        if configuration == "ours":
            record.spec = record.found
            return
        record.spec = record.live_spec = None
        record.leftovers.clear()

    def domain_protect(self, *, domain: UUID) -> bool:
        """Load its rules again."""
        record = self._get(domain)
        record.unguarded = False
        return record.active

    def domain_is_current(self, *, spec: DomainSpec) -> bool:
        """Compare specs: equal ones make equal domains."""
        return not self.domain_changes(spec=spec)

    def domain_changes(self, *, spec: DomainSpec) -> tuple[ConfigurationChange, ...]:
        """Name the fields of the spec that differ."""
        record = self._find(spec.id)
        if record is None or record.spec is None:
            return GONE
        names = (one.name for one in fields(spec) if getattr(record.spec, one.name) != getattr(spec, one.name))
        return tuple(ConfigurationChange(part=name, change=PartChange.CHANGED) for name in names)

    def console_output(self, *, domain: UUID, max_bytes: int) -> bytes:
        """Return the console's tail."""
        record = self._get(domain)
        guest.settle_console(record)
        return record.console[-max_bytes:] if max_bytes > 0 else b""

    def leftovers(self, *, domain: UUID) -> list[str]:
        """Name what is left of a domain id."""
        return self._host.remains(domain)

    def _boot(self, record: DomainRecord, *, fresh_console: bool = True) -> None:
        if record.spec is not None:
            self._check_volumes(record.spec)
        self._host.count_busy()
        if fresh_console:
            record.console = b""
        record.state, record.reason, record.live_spec = PowerState.RUNNING, "booted", record.spec
        record.off_at, record.unguarded = None, False
        record.leftovers |= {f"log {record.name}", f"rules {record.name}"}
        if record.host_type is HostType.LXC:
            record.leftovers.add(f"mount {record.name}")
        guest.boot(record, boot_s=self._host.latency("guest_boot"))
        record.on_since = record.started_at
        self._host.changed(record)

    def _find(self, domain: UUID) -> DomainRecord | None:
        record = self._host.state.domains.get(domain)
        if record is None or record.host_type is not self._host_type:
            return None
        return self._host.settle(record)

    def _get(self, domain: UUID) -> DomainRecord:
        record = self._find(domain)
        if record is None:
            raise DomainNotFoundError(detail=f"no domain {domain}")
        return record

    def _check(self, spec: DomainSpec) -> None:
        state = self._host.state
        if spec.host_type is not self._host_type:
            raise DriverError(detail=f"a {spec.host_type} domain on a {self._host_type} connection")
        if any(nic.bandwidth_mbit_per_s is not None for nic in spec.nics):
            require(state, self._host_type, Capability.BANDWIDTH)
        if any(nic.anti_spoofing for nic in spec.nics):
            require(state, self._host_type, Capability.ANTI_SPOOFING)
        if spec.max_processes and self._host_type is HostType.LXC:
            require(state, self._host_type, Capability.PROCESS_LIMIT)
        if self._host_type is HostType.KVM and not spec.emulated:
            require(state, self._host_type, Capability.ACCELERATION)
        self._check_volumes(spec)

    def _check_volumes(self, spec: DomainSpec) -> None:
        for disk in spec.disks:
            if self._storage.volume(disk.volume).format is not disk.format:
                raise DriverError(detail=f"volume {disk.volume.pool}/{disk.volume.name} is not {disk.format}")
        others: list[VolumeRef | None] = [spec.seed]
        if spec.kernel is not None:
            others += [spec.kernel.kernel, spec.kernel.initrd]
        for volume in others:
            if volume is not None:
                self._storage.volume(volume)


def _info(domain: UUID, record: DomainRecord, *, with_usage: bool = False) -> DomainInfo:
    spec = record.live_spec or record.spec
    vcpus, memory_mib = (0, 0) if spec is None else (spec.vcpus, spec.memory_mib)
    return DomainInfo(
        id=domain,
        domain_name=record.name,
        state=record.state,
        state_reason=record.reason,
        vcpus=vcpus,
        memory_mib=memory_mib,
        usage=guest.usage(domain, record) if with_usage and record.active else None,
        ours=record.spec is not None,
    )
