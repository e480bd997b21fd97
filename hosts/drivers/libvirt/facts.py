"""What a host is and can do, found out by trying."""

import time
from collections.abc import Callable

import libvirt

from hosts.drivers.libvirt import hook
from hosts.drivers.libvirt.connection import Session
from hosts.drivers.libvirt.profiles import Profile
from hosts.drivers.libvirt.xml import parse
from hosts.drivers.types import Capability, CapabilityState, HostFacts, HostLoad, HostType

_LOOK_FOR_HOOK_S = 60.0
_NOT_ACCELERATED = "The host has no usable hardware virtualization: servers are emulated, which is slow."


def facts(session: Session, profile: Profile) -> HostFacts:
    """Say what the host is, found out anew: what was missing may have been installed."""
    conn = session.conn
    session.facts.pop("kvm", None)
    capabilities = conn.getCapabilities()
    architecture, memory_mib, cpus = conn.getInfo()[:3]
    answer = hook.check(session, profile, anew=True) or {}
    return HostFacts(
        hostname=conn.getHostname(),
        boot_id=answer.get("boot_id") or "unknown",
        cpus=cpus,
        cpu_model=parse.cpu_model(capabilities) or architecture,
        memory_mib=memory_mib,
        hypervisor=f"{profile.hypervisor} {_version(conn.getVersion())}",
        libvirt_version=_version(conn.getLibVersion()),
        emulated=is_emulated(session, profile),
        capabilities=tuple(_state(session, profile, capability) for capability in Capability),
    )


def boot_id(session: Session, profile: Profile) -> str:
    """Return what the hook said when this connection was new: no connection outlives its host's restart.

    "" where there is no hook; that is looked for again after ``_LOOK_FOR_HOOK_S``.
    """
    if time.monotonic() < session.facts.get("hook_absent_until", 0.0):
        return ""
    answer = hook.check(session, profile)
    if answer is None:
        session.facts["hook_absent_until"] = time.monotonic() + _LOOK_FOR_HOOK_S
        return ""
    return str(answer.get("boot_id", ""))


def is_emulated(session: Session, profile: Profile) -> bool:
    """True when this host's full machines run without hardware virtualization."""
    return profile.host_type is HostType.KVM and not session.once(
        "kvm", lambda: parse.supports_kvm(session.conn.getCapabilities())
    )


def state(session: Session, profile: Profile, capability: Capability) -> CapabilityState:
    """Say whether the host has one capability. That it has not is asked again each time."""
    found = _state(session, profile, capability)
    if found.available or capability in profile.never:
        return found
    session.facts.pop("kvm", None)
    hook.check(session, profile, anew=True)
    return _state(session, profile, capability)


def _state(session: Session, profile: Profile, capability: Capability) -> CapabilityState:
    obstacle = _obstacle(session, profile, capability)
    return CapabilityState(capability=capability, available=not obstacle, reason=obstacle)


def _obstacle(session: Session, profile: Profile, capability: Capability) -> str:
    """Return why the host cannot, as a sentence; "" when it can."""
    if capability in profile.never:
        return profile.never[capability]
    probes: dict[Capability, Callable[[], str]] = {
        Capability.ACCELERATION: lambda: _NOT_ACCELERATED if is_emulated(session, profile) else "",
        Capability.ANTI_SPOOFING: lambda: _hook_says(session, profile, "anti_spoofing"),
        Capability.PROCESS_LIMIT: lambda: _hook_says(session, profile, "process_limit"),
        Capability.BANDWIDTH: lambda: _hook_says(session, profile, "bandwidth"),
    }
    return probes[capability]() if capability in probes else ""


def _hook_says(session: Session, profile: Profile, name: str) -> str:
    obstacle = hook.hook_obstacle(session, profile)
    answer = hook.check(session, profile) or {}
    return obstacle or str(answer.get(name, ""))


def load(session: Session) -> HostLoad:
    """Return the host's counters of this moment."""
    cpu = session.conn.getCPUStats(libvirt.VIR_NODE_CPU_STATS_ALL_CPUS)
    memory = session.conn.getMemoryStats(libvirt.VIR_NODE_MEMORY_STATS_ALL_CELLS)
    busy = sum(cpu.get(name, 0) for name in ("kernel", "user", "intr"))
    unused = sum(memory.get(name, 0) for name in ("free", "buffers", "cached"))
    return HostLoad(
        cpu_busy_ns=busy,
        cpu_total_ns=busy + cpu.get("idle", 0) + cpu.get("iowait", 0),
        memory_used_mib=(memory["total"] - unused) // 1024,
        memory_total_mib=memory["total"] // 1024,
    )


def _version(number: int) -> str:
    """Return libvirt's 1000000 * major + 1000 * minor + release as people write it."""
    return f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"
