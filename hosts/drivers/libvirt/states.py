"""libvirt's numbers for a domain's state, and bulk statistics, read into DomainInfo."""

import time
from typing import Any
from uuid import UUID

import libvirt

from hosts.drivers.libvirt import usage
from hosts.drivers.libvirt.connection import Session
from hosts.drivers.libvirt.ownership import ownership, taken_over
from hosts.drivers.types import DomainInfo, DomainUsage, PowerState, domain_name

_STATES = {
    libvirt.VIR_DOMAIN_RUNNING: PowerState.RUNNING,
    libvirt.VIR_DOMAIN_BLOCKED: PowerState.RUNNING,
    libvirt.VIR_DOMAIN_SHUTDOWN: PowerState.RUNNING,  # on its way down
    libvirt.VIR_DOMAIN_PAUSED: PowerState.PAUSED,
    libvirt.VIR_DOMAIN_PMSUSPENDED: PowerState.PAUSED,
    libvirt.VIR_DOMAIN_SHUTOFF: PowerState.SHUTOFF,
    libvirt.VIR_DOMAIN_CRASHED: PowerState.CRASHED,
}

_REASONS: dict[int, dict[int, str]] = {
    libvirt.VIR_DOMAIN_RUNNING: {
        libvirt.VIR_DOMAIN_RUNNING_BOOTED: "booted",
        libvirt.VIR_DOMAIN_RUNNING_MIGRATED: "migrated",
        libvirt.VIR_DOMAIN_RUNNING_RESTORED: "restored",
        libvirt.VIR_DOMAIN_RUNNING_UNPAUSED: "resumed",
        libvirt.VIR_DOMAIN_RUNNING_CRASHED: "crashed",
    },
    libvirt.VIR_DOMAIN_PAUSED: {
        libvirt.VIR_DOMAIN_PAUSED_USER: "paused",
        libvirt.VIR_DOMAIN_PAUSED_IOERROR: "io_error",
        libvirt.VIR_DOMAIN_PAUSED_MIGRATION: "migrating",
        libvirt.VIR_DOMAIN_PAUSED_SAVE: "saving",
        libvirt.VIR_DOMAIN_PAUSED_STARTING_UP: "starting",
        libvirt.VIR_DOMAIN_PAUSED_CRASHED: "crashed",
    },
    libvirt.VIR_DOMAIN_SHUTOFF: {
        libvirt.VIR_DOMAIN_SHUTOFF_SHUTDOWN: "shutdown",
        libvirt.VIR_DOMAIN_SHUTOFF_DESTROYED: "destroyed",
        libvirt.VIR_DOMAIN_SHUTOFF_CRASHED: "crashed",
        libvirt.VIR_DOMAIN_SHUTOFF_MIGRATED: "migrated",
        libvirt.VIR_DOMAIN_SHUTOFF_SAVED: "saved",
        libvirt.VIR_DOMAIN_SHUTOFF_FAILED: "failed",
    },
}

_EACH_S = 0.02  # of a host without bulk statistics at most 50 domains a second are asked


def one(domain: Any, *, ours: bool | None = None) -> DomainInfo:
    """Ask for one domain; also whose it is, unless that is known. Raises: libvirtError, also when it is gone."""
    state, reason = domain.state()
    _, memory_kib, _, vcpus, _ = domain.info()
    if ours is None:
        ours = _made(domain) or taken_over(domain)
    return _info(domain, state, reason, vcpus=vcpus, memory_kib=memory_kib, ours=ours)


def bulk(session: Session) -> list[DomainInfo]:
    """Ask for all domains in one call; a busy one costs no waiting. Whose a foreign one is takes another, once."""
    wanted = libvirt.VIR_DOMAIN_STATS_STATE | usage.BULK_STATS
    flags = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
    found = session.conn.getAllDomainStats(wanted, flags)
    return [_from_stats(domain, stats, ours=_ours(session, domain)) for domain, stats in found]


def each(session: Session) -> list[DomainInfo]:
    """Ask for all domains one by one, at most four calls each; one that goes meanwhile is left out."""
    found = []
    domains = session.conn.listAllDomains()
    usage.forget_others(session, domains)
    for domain in domains:
        began = time.monotonic()
        try:
            found.append(_asked(session, domain))
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
                raise
        time.sleep(max(0.0, _EACH_S - (time.monotonic() - began)))
    return found


def _asked(session: Session, domain: Any) -> DomainInfo:
    state, memory_kib, used_kib, vcpus, cpu_time_ns = domain.info()
    ours = _ours(session, domain)
    if state != libvirt.VIR_DOMAIN_RUNNING:
        return one(domain, ours=ours)
    used = usage.asked(session, domain, memory_kib=used_kib, cpu_time_ns=cpu_time_ns) if ours else None
    return _info(domain, state, 0, vcpus=vcpus, memory_kib=memory_kib, ours=ours, used=used)


def _from_stats(domain: Any, stats: dict[str, int], *, ours: bool) -> DomainInfo:
    return _info(
        domain,
        stats.get("state.state", libvirt.VIR_DOMAIN_NOSTATE),
        stats.get("state.reason", 0),
        vcpus=stats.get("vcpu.current", 0),
        memory_kib=stats.get("balloon.maximum", 0),
        ours=ours,
        used=usage.from_stats(stats),
    )


def _info(
    domain: Any, state: int, reason: int, *, vcpus: int, memory_kib: int, ours: bool, used: DomainUsage | None = None
) -> DomainInfo:
    identity, name = UUID(bytes=domain.UUID()), domain.name()
    power = _STATES.get(state, PowerState.UNKNOWN)
    word = _REASONS.get(state, {}).get(reason, "")
    if power is PowerState.SHUTOFF and word == "crashed":
        power = PowerState.CRASHED
    if power is PowerState.PAUSED and word == "io_error" and _disk_is_full(domain):
        word = "disk_full"
    return DomainInfo(
        id=identity,
        domain_name=name,
        state=power,
        state_reason=word,
        vcpus=vcpus,
        memory_mib=memory_kib // 1024,
        # Of one that is off the bulk call reports some other group's time.
        usage=used if power in (PowerState.RUNNING, PowerState.PAUSED) else None,
        ours=ours,
    )


def _made(domain: Any) -> bool:
    """True when the panel made the domain: its name says so."""
    return bool(domain.name() == domain_name(UUID(bytes=domain.UUID())))


def _ours(session: Session, domain: Any) -> bool:
    """True when the panel made a domain or has taken it over."""
    return _made(domain) or ownership(session).has_taken_over(domain)


def _disk_is_full(domain: Any) -> bool:
    try:
        errors = domain.diskErrors()
    except libvirt.libvirtError:  # it went on in the meantime
        return False
    return libvirt.VIR_DOMAIN_DISK_ERROR_NO_SPACE in errors.values()
