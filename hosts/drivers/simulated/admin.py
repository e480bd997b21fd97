"""What tests and the demo do to simulated hosts, beside what a driver can: the client's side."""

from pathlib import Path
from typing import Any
from uuid import UUID

from hosts.drivers.simulated.call_log import CallRecord
from hosts.drivers.simulated.connection import ServerConnection
from hosts.drivers.simulated.faults import Fault, FaultKind
from hosts.drivers.simulated.state import HostState
from hosts.drivers.simulated.wire import decode, encode
from hosts.drivers.types import Capability, DomainSpec, HostType, NicSpec, SeedFiles, VolumeRef
from panel.core.errors import DriverError


class SimulatedAdmin:
    """Talks to a simulated server. May be used by several threads. See ``AdminCalls`` for what each does."""

    def __init__(self, socket_path: Path | str) -> None:
        self._connection = ServerConnection(str(socket_path))

    def close(self) -> None:
        """Give the connection up."""
        self._connection.close()

    def _call(self, kind: Any, name: str, /, **arguments: Any) -> Any:
        return decode(kind, self._connection.request({"admin": name, "args": encode(arguments)}))

    # ── hosts ───────────────────────────────────────────────────────────────────────────────────
    def make_host(
        self,
        host: str,
        *,
        cpus: int = 16,
        memory_mib: int = 65536,
        cpu_model: str = "Simulated CPU",
        missing: dict[Capability, str] | None = None,
    ) -> None:
        """Make a host or change one. ``missing``: what it cannot do, with the reason for people."""
        self._call(
            None,
            "make_host",
            host=host,
            cpus=cpus,
            memory_mib=memory_mib,
            cpu_model=cpu_model,
            missing=missing or {},
        )

    def delete_host(self, host: str) -> None:
        """Forget a host; calls that still run there are cut."""
        self._call(None, "delete_host", host=host)

    def delete_state(self) -> None:
        """Forget all hosts, faults, latencies and calls."""
        self._call(None, "delete_state")

    def list_hosts(self) -> list[str]:
        """Name all hosts, sorted."""
        hosts: list[str] = self._call(list[str], "list_hosts")
        return hosts

    def dump_host(self, host: str) -> HostState:
        """Return a copy of all of a host's state."""
        state: HostState = self._call(HostState, "dump_host", host=host)
        return state

    def reboot_host(self, host: str) -> None:
        """Start a host anew: another boot id, its domains off, its running calls cut and lost."""
        self._call(None, "reboot_host", host=host)

    def set_reachable(self, host: str, reachable: bool) -> None:
        """Cut a host off, or bring it back; what runs there goes on."""
        self._call(None, "set_reachable", host=host, reachable=reachable)

    def set_pool_capacity(self, host: str, pool: str, capacity_bytes: int) -> None:
        """Set the room of a pool, also before it is made."""
        self._call(None, "set_pool_capacity", host=host, pool=pool, capacity_bytes=capacity_bytes)

    # ── faults, time, record ────────────────────────────────────────────────────────────────────
    def set_fault(
        self,
        host: str,
        call: str,
        kind: FaultKind,
        *,
        nth: int = 1,
        times: int = 1,
        seconds: float = 0.0,
        error: type[DriverError] = DriverError,
        message: str = "",
        domain: UUID | None = None,
    ) -> None:
        """Script a fault, see ``Fault``: the ``nth`` matching call from now on, and ``times`` in a row."""
        fault = Fault(
            kind=kind,
            call=call,
            nth=nth,
            times=times,
            seconds=seconds,
            error=error.code,
            message=message,
            domain=None if domain is None else str(domain),
        )
        self._call(None, "set_fault", host=host, fault=fault)

    def clear_faults(self, host: str) -> None:
        """Forget a host's script; what hangs already hangs on."""
        self._call(None, "clear_faults", host=host)

    def release_hangs(self, host: str) -> int:
        """Let the calls that hang work and answer now; return how many did."""
        return int(self._call(int, "release_hangs", host=host))

    def set_latency(self, call: str, seconds: float, *, host: str | None = None) -> None:
        """Set how long a call takes before it works; also ``guest_boot`` and ``guest_shutdown``."""
        self._call(None, "set_latency", call=call, seconds=seconds, host=host)

    def set_clock_factor(self, factor: float) -> None:
        """Scale all latencies, and nothing else."""
        self._call(None, "set_clock_factor", factor=factor)

    def calls(self, *, host: str | None = None, call: str | None = None, after: int = 0) -> list[CallRecord]:
        """Return what drivers called, oldest first; ``after`` is the last sequence already seen."""
        records: list[CallRecord] = self._call(list[CallRecord], "calls", host=host, call=call, after=after)
        return records

    def clear_calls(self) -> None:
        """Forget what drivers called."""
        self._call(None, "clear_calls")

    # ── guests ──────────────────────────────────────────────────────────────────────────────────
    def guest_set_ignores_shutdown(self, host: str, domain: UUID, *, ignores: bool = True) -> None:
        """Make a guest deaf to shutdown and reboot, also over restarts."""
        self._call(None, "guest_set_ignores_shutdown", host=host, domain=domain, ignores=ignores)

    def guest_poweroff(self, host: str, domain: UUID) -> None:
        """Let a guest power itself off."""
        self._call(None, "guest_poweroff", host=host, domain=domain)

    def guest_crash(self, host: str, domain: UUID) -> None:
        """Let a guest crash."""
        self._call(None, "guest_crash", host=host, domain=domain)

    def guest_reboot(self, host: str, domain: UUID) -> None:
        """Let a guest restart itself."""
        self._call(None, "guest_reboot", host=host, domain=domain)

    def guest_print(self, host: str, domain: UUID, text: bytes) -> None:
        """Let a guest print something on its console."""
        self._call(None, "guest_print", host=host, domain=domain, text=text)

    def guest_disk_full(self, host: str, domain: UUID, *, full: bool = True) -> None:
        """Let a running guest's storage be full, which pauses it; or make room again."""
        self._call(None, "guest_disk_full", host=host, domain=domain, full=full)

    def seed_of(self, host: str, volume: VolumeRef) -> SeedFiles:
        """Return the files a guest would find on its seed. Raises: VolumeNotFoundError."""
        seed: SeedFiles = self._call(SeedFiles, "seed_of", host=host, volume=volume)
        return seed

    # ── what the panel did not make ─────────────────────────────────────────────────────────────
    def make_foreign_domain(
        self,
        host: str,
        domain: UUID,
        *,
        host_type: HostType = HostType.KVM,
        name: str = "foreign",
        running: bool = True,
        found: DomainSpec | None = None,
        root_directory: str = "",
        user_namespace: bool = True,
    ) -> None:
        """Put somebody else's domain on a host; ``found`` says what it is made of.

        A container may have a directory of the host as its root, beside the disks of ``found``, and be without a user
        namespace.
        """
        self._call(
            None,
            "make_foreign_domain",
            host=host,
            host_type=host_type,
            domain=domain,
            name=name,
            running=running,
            found=found,
            root_directory=root_directory,
            user_namespace=user_namespace,
        )

    def change_domain(
        self,
        host: str,
        domain: UUID,
        *,
        memory_mib: int | None = None,
        vcpus: int | None = None,
        nics: list[NicSpec] | None = None,
        max_processes: int | None = None,
    ) -> None:
        """Change a domain's configuration behind the panel's back."""
        self._call(
            None,
            "change_domain",
            host=host,
            domain=domain,
            memory_mib=memory_mib,
            vcpus=vcpus,
            nics=nics,
            max_processes=max_processes,
        )

    def drop_rules(self, host: str, domain: UUID) -> None:
        """Take a running domain's rules against spoofing away."""
        self._call(None, "drop_rules", host=host, domain=domain)

    def drop_domain(self, host: str, domain: UUID) -> None:
        """Take a domain away behind the panel's back."""
        self._call(None, "drop_domain", host=host, domain=domain)

    def leave_behind(self, host: str, domain: UUID, remains: list[str]) -> None:
        """Set what ``leftovers`` finds of a domain id beside its domain, such as ``["rules x"]``."""
        self._call(None, "leave_behind", host=host, domain=domain, remains=remains)
