"""The server's side of what tests and the demo may do to simulated hosts. ``admin`` is the client's side."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from hosts.drivers.simulated import guest
from hosts.drivers.simulated.call_log import CallRecord
from hosts.drivers.simulated.dispatch import calls_of
from hosts.drivers.simulated.faults import Fault
from hosts.drivers.simulated.fleet import Fleet
from hosts.drivers.simulated.host import SimulatedHost
from hosts.drivers.simulated.state import DomainRecord, HostState
from hosts.drivers.types import Capability, DomainSpec, HostType, NicSpec, PowerState, SeedFiles, VolumeRef
from panel.core.errors import DomainNotFoundError, VolumeNotFoundError


class AdminCalls:
    """One method for each admin call. An unknown host is made, as for a driver."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    # ── hosts ───────────────────────────────────────────────────────────────────────────────────
    def make_host(
        self,
        *,
        host: str,
        cpus: int,
        memory_mib: int,
        cpu_model: str,
        missing: dict[Capability, str],
    ) -> None:
        """Make a host, or give an existing one these properties; its guests and volumes stay."""
        state = self._fleet.host(host).state
        state.cpus, state.memory_mib, state.cpu_model, state.missing = cpus, memory_mib, cpu_model, missing

    def delete_host(self, *, host: str) -> None:
        """Forget a host; calls still running there are cut."""
        found = self._fleet.hosts.pop(host, None)
        if found is not None:
            found.cut_all()
            self._fleet.clock.forget(host)

    def delete_state(self) -> None:
        """Forget all hosts, faults, latencies and calls."""
        for host in list(self._fleet.hosts):
            self.delete_host(host=host)
        self._fleet.clock.clear()
        self._fleet.log.clear()

    def list_hosts(self) -> list[str]:
        """Name all hosts."""
        return sorted(self._fleet.hosts)

    def dump_host(self, *, host: str) -> HostState:
        """Return all of a host's state as it is now."""
        found = self._fleet.host(host)
        for record in found.state.domains.values():
            guest.settle_console(found.settle(record))
        return found.state

    def reboot_host(self, *, host: str) -> None:
        """Start a host anew; calls running there are cut and lost."""
        found = self._fleet.host(host)
        found.cut_all()
        found.reboot()

    def set_reachable(self, *, host: str, reachable: bool) -> None:
        """Cut a host off, or bring it back. What runs there goes on, but nobody hears of it."""
        found = self._fleet.host(host)
        found.state.reachable = reachable
        if not reachable:
            found.cut_clients()

    def set_pool_capacity(self, *, host: str, pool: str, capacity_bytes: int) -> None:
        """Set the size of a pool's directory, also before there is such a pool."""
        state = self._fleet.host(host).state
        state.pool_capacity_bytes[pool] = capacity_bytes
        path = state.pools.get(pool)
        if path is not None:
            state.directories[path].capacity_bytes = capacity_bytes

    # ── faults, time, record ────────────────────────────────────────────────────────────────────
    def set_fault(self, *, host: str, fault: Fault) -> None:
        """Add a line to a host's script."""
        self._fleet.host(host).faults.add(fault)

    def clear_faults(self, *, host: str) -> None:
        """Forget a host's script. What hangs already hangs on."""
        self._fleet.host(host).faults.clear()

    def release_hangs(self, *, host: str) -> int:
        """Let the calls that hang go on: they work and answer, if anybody still listens. Return how many."""
        return self._fleet.host(host).release_hangs()

    def set_latency(self, *, call: str, seconds: float, host: str | None) -> None:
        """Set how long a call takes, on one host or on all."""
        self._fleet.clock.set(call, seconds, host=host)

    def set_clock_factor(self, *, factor: float) -> None:
        """Scale all latencies."""
        self._fleet.clock.factor = factor

    def calls(self, *, host: str | None, call: str | None, after: int) -> list[CallRecord]:
        """Return what drivers called."""
        return self._fleet.log.select(host=host, call=call, after=after)

    def clear_calls(self) -> None:
        """Forget what drivers called."""
        self._fleet.log.clear()

    # ── guests ──────────────────────────────────────────────────────────────────────────────────
    def guest_set_ignores_shutdown(self, *, host: str, domain: UUID, ignores: bool) -> None:
        """Make a guest deaf to shutdown and reboot."""
        _found, record = self._guest(host, domain)
        record.ignores_shutdown = ignores

    def guest_poweroff(self, *, host: str, domain: UUID) -> None:
        """Let a guest power itself off."""
        self._end(host, domain, reason="shutdown", state=PowerState.SHUTOFF)

    def guest_crash(self, *, host: str, domain: UUID) -> None:
        """Let a guest crash."""
        self._end(host, domain, reason="panicked", state=PowerState.CRASHED)

    def guest_reboot(self, *, host: str, domain: UUID) -> None:
        """Let a guest restart itself: it prints its boot again."""
        found, record = self._guest(host, domain)
        if record.state is PowerState.RUNNING:
            guest.settle_console(record)
            guest.boot(record, boot_s=found.latency("guest_boot"))

    def guest_print(self, *, host: str, domain: UUID, text: bytes) -> None:
        """Let a guest print something on its console."""
        _found, record = self._guest(host, domain)
        guest.settle_console(record)
        guest.print_line(record, text)

    def guest_disk_full(self, *, host: str, domain: UUID, full: bool) -> None:
        """Let a running guest's next write find its storage full, which pauses it; or make room again.

        It stays paused when there is room again, until it is resumed.
        """
        found, record = self._guest(host, domain)
        record.disk_full = full
        if full and record.state is PowerState.RUNNING:
            found.count_busy()
            record.state, record.reason, record.off_at = PowerState.PAUSED, "disk_full", None
            found.changed(record)

    def seed_of(self, *, host: str, volume: VolumeRef) -> SeedFiles:
        """Return the files a guest would find on its seed."""
        state = self._fleet.host(host).state
        directory = state.directories.get(state.pools.get(volume.pool, ""))
        record = None if directory is None else directory.volumes.get(volume.name)
        if record is None or record.seed is None:
            raise VolumeNotFoundError(detail=f"no seed {volume.pool}/{volume.name}")
        return record.seed

    # ── what the panel did not make ─────────────────────────────────────────────────────────────
    def make_foreign_domain(
        self,
        *,
        host: str,
        host_type: HostType,
        domain: UUID,
        name: str,
        running: bool,
        found: DomainSpec | None,
        root_directory: str,
        user_namespace: bool,
    ) -> None:
        """Put somebody else's domain on a host; ``found`` is what it is made of, beside a container's directory."""
        record = DomainRecord(
            name=name,
            host_type=host_type,
            spec=None,
            state=PowerState.RUNNING if running else PowerState.SHUTOFF,
            found=found,
            root_directory=root_directory,
            user_namespace=user_namespace,
        )
        self._fleet.host(host).state.domains[domain] = record

    def change_domain(
        self,
        *,
        host: str,
        domain: UUID,
        memory_mib: int | None,
        vcpus: int | None,
        nics: list[NicSpec] | None,
        max_processes: int | None,
    ) -> None:
        """Change a domain's configuration behind the panel's back."""
        _found, record = self._guest(host, domain)
        changes: dict[str, Any] = {"memory_mib": memory_mib, "vcpus": vcpus, "max_processes": max_processes}
        changes |= {"nics": None if nics is None else tuple(nics)}
        if record.spec is not None:
            record.spec = replace(record.spec, **{n: v for n, v in changes.items() if v is not None})

    def drop_rules(self, *, host: str, domain: UUID) -> None:
        """Take a running domain's rules against spoofing away."""
        _found, record = self._guest(host, domain)
        record.unguarded = True

    def drop_domain(self, *, host: str, domain: UUID) -> None:
        """Take a domain away behind the panel's back, running or not."""
        found = self._fleet.host(host)
        record = found.state.domains.pop(domain, None)
        if record is not None:
            found.telling.tell(domain, record.host_type)

    def leave_behind(self, *, host: str, domain: UUID, remains: list[str]) -> None:
        """Set what ``leftovers`` finds of a domain id beside its domain."""
        self._fleet.host(host).state.stray[domain] = remains

    def _guest(self, host: str, domain: UUID) -> tuple[SimulatedHost, DomainRecord]:
        found = self._fleet.host(host)
        record: DomainRecord | None = found.state.domains.get(domain)
        if record is None:
            raise DomainNotFoundError(detail=f"no domain {domain}")
        return found, found.settle(record)

    def _end(self, host: str, domain: UUID, *, reason: str, state: PowerState) -> None:
        found, record = self._guest(host, domain)
        if record.active:
            found.turn_off(record, reason=reason, state=state)


ADMIN_CALLS = calls_of(AdminCalls)
