"""What a simulated host says it is and can do."""

from hosts.drivers.simulated.host import SimulatedHost
from hosts.drivers.simulated.state import HostState
from hosts.drivers.types import Capability, CapabilityState, HostFacts, HostLoad, HostType, PowerState
from panel.core.errors import CapabilityError

HOST_MEMORY_MIB = 512  # what the host's own programs take

# What a type never has, on whatever host.
NEVER: dict[HostType, dict[Capability, str]] = {
    HostType.KVM: {Capability.PROCESS_LIMIT: "Only containers have a limit of processes."},
    HostType.XEN: {Capability.PROCESS_LIMIT: "Only containers have a limit of processes."},
    HostType.LXC: {
        Capability.ACCELERATION: "Containers need no hardware virtualization.",
        Capability.BULK_STATS: "The LXC driver has no bulk stats call.",
        Capability.GRAPHICS: "Containers have no screen.",
        Capability.GUEST_AGENT: "Containers have no guest agent.",
        Capability.RESET: "Containers have no reset button.",
    },
}


def reason_missing(state: HostState, host_type: HostType, capability: Capability) -> str:
    """Return why a host cannot do something, "" when it can."""
    return NEVER[host_type].get(capability) or state.missing.get(capability, "")


def require(state: HostState, host_type: HostType, capability: Capability) -> None:
    """Raise ``CapabilityError`` with the host's reason when it cannot do something."""
    reason = reason_missing(state, host_type, capability)
    if reason:
        raise CapabilityError(detail=reason)


class FactCalls:
    """Answers the host part of the driver contract."""

    def __init__(self, host: SimulatedHost, host_type: HostType) -> None:
        self._host = host
        self._host_type = host_type

    def facts(self) -> HostFacts:
        """Say what the host is."""
        state = self._host.state
        reasons = {capability: reason_missing(state, self._host_type, capability) for capability in Capability}
        return HostFacts(
            hostname=state.name,
            boot_id=state.boot_id,
            cpus=state.cpus,
            cpu_model=state.cpu_model,
            memory_mib=state.memory_mib,
            hypervisor=f"Simulated {self._host_type.upper()} 1",
            libvirt_version="",
            emulated=self._host_type is not HostType.LXC and bool(reasons[Capability.ACCELERATION]),
            capabilities=tuple(
                CapabilityState(capability=capability, available=not reason, reason=reason)
                for capability, reason in reasons.items()
            ),
        )

    def boot_id(self) -> str:
        """Return the id of the host's boot."""
        return self._host.state.boot_id

    def load(self) -> HostLoad:
        """Return the host's counters: total is all cores since the host was made."""
        state = self._host.state
        self._host.count_busy()
        running = [
            record.live_spec.memory_mib
            for record in state.domains.values()
            if record.live_spec is not None and record.state is not PowerState.SHUTOFF
        ]
        return HostLoad(
            cpu_busy_ns=state.busy_ns,
            cpu_total_ns=int((state.busy_until - state.made_at) * state.cpus * 1e9),
            memory_used_mib=min(state.memory_mib, HOST_MEMORY_MIB + sum(running)),
            memory_total_mib=state.memory_mib,
        )
