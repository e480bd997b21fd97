"""What a domain that is on has used, from libvirt's bulk statistics or, where there are none, asked for one by one."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

import libvirt

from hosts.drivers.libvirt.connection import Session
from hosts.drivers.libvirt.xml.elements import from_text
from hosts.drivers.types import DomainUsage

BULK_STATS = (
    libvirt.VIR_DOMAIN_STATS_CPU_TOTAL
    | libvirt.VIR_DOMAIN_STATS_BALLOON
    | libvirt.VIR_DOMAIN_STATS_VCPU
    | libvirt.VIR_DOMAIN_STATS_INTERFACE
    | libvirt.VIR_DOMAIN_STATS_BLOCK
)
# Of a container, so that it is asked four times at most: for its state, its disks and each of these.
_NICS_ASKED = 2


def from_stats(stats: dict[str, int]) -> DomainUsage:
    """Read one domain's part of virConnectGetAllDomainStats."""
    return DomainUsage(
        cpu_time_ns=stats.get("cpu.time"),
        cpu_delay_ns=_total(stats, "vcpu", "delay"),
        memory_used_mib=_memory_used_mib(stats),
        disk_read_bytes=_total(stats, "block", "rd.bytes"),
        disk_write_bytes=_total(stats, "block", "wr.bytes"),
        disk_read_ops=_total(stats, "block", "rd.reqs"),
        disk_write_ops=_total(stats, "block", "wr.reqs"),
        net_received_bytes=_total(stats, "net", "rx.bytes"),
        net_sent_bytes=_total(stats, "net", "tx.bytes"),
    )


def _total(stats: dict[str, int], group: str, name: str) -> int | None:
    """Add a counter up over a domain's devices; None when none of them has it."""
    known = [
        stats[key]
        for number in range(stats.get(f"{group}.count", stats.get(f"{group}.maximum", 0)))
        if (key := f"{group}.{number}.{name}") in stats
    ]
    return sum(known) if known else None


def _memory_used_mib(stats: dict[str, int]) -> int | None:
    """What the guest itself tells its balloon; else the memory that its process occupies."""
    if "balloon.usable" in stats and "balloon.available" in stats:
        return max(0, stats["balloon.available"] - stats["balloon.usable"]) // 1024
    return stats["balloon.rss"] // 1024 if "balloon.rss" in stats else None


def asked(session: Session, domain: Any, *, memory_kib: int, cpu_time_ns: int) -> DomainUsage:
    """Ask for what its state does not tell already: at most three calls, of what the hypervisor cannot tell nothing.

    ``memory_kib`` and ``cpu_time_ns`` are those of ``virDomainGetInfo``.
    """
    disks = _disk_counters(domain)
    received, sent = _net_counters(session, domain)
    return DomainUsage(
        cpu_time_ns=cpu_time_ns,
        memory_used_mib=memory_kib // 1024,
        disk_read_ops=disks[0],
        disk_read_bytes=disks[1],
        disk_write_ops=disks[2],
        disk_write_bytes=disks[3],
        net_received_bytes=received,
        net_sent_bytes=sent,
    )


def _disk_counters(domain: Any) -> list[int | None]:
    """Return reads, bytes read, writes, bytes written of all disks together; the empty name stands for all.

    While all four are 0 none is known. libvirt says 0 too where the kernel does not count: in control groups of version
    1 only devices that have a limit may be counted. What has truly used no disk since its start is not told apart.
    """
    try:
        counters = domain.blockStats("")[:4]
    except libvirt.libvirtError as error:
        _raise_unless_about_it(error)
        return [None] * 4
    if not any(value > 0 for value in counters):
        return [None] * 4
    return [value if value >= 0 else None for value in counters]


def _net_counters(session: Session, domain: Any) -> tuple[int | None, int | None]:
    """Return the bytes received and sent; nothing at the first look at a run, which finds the nics' names out."""
    known = _nics(session)
    identity, run = UUID(bytes=domain.UUID()), domain.ID()
    if known.get(identity, (None,))[0] != run:
        targets = from_text(domain.XMLDesc()).iterfind("devices/interface/target")
        known[identity] = run, [str(one.get("dev")) for one in targets]
        return None, None
    names = known[identity][1]
    if not 0 < len(names) <= _NICS_ASKED:
        return None, None
    try:
        counters = [domain.interfaceStats(name) for name in names]
    except libvirt.libvirtError as error:
        _raise_unless_about_it(error)
        return None, None
    return sum(one[0] for one in counters), sum(one[4] for one in counters)


def forget_others(session: Session, domains: Collection[Any]) -> None:
    """Keep what was found out about these domains only: a session may outlive many others."""
    known, living = _nics(session), {UUID(bytes=domain.UUID()) for domain in domains}
    for identity in known.keys() - living:
        known.pop(identity, None)


def _nics(session: Session) -> dict[UUID, tuple[int, list[str]]]:
    """Return the names of domains' nics, with the run that they were found out in."""
    found: dict[UUID, tuple[int, list[str]]] = session.once("nics", dict)
    return found


def _raise_unless_about_it(error: libvirt.libvirtError) -> None:
    """Raise what is about the connection or the whole domain, not about one thing that is not to be had."""
    gone = error.get_error_code() in (libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_INVALID_CONN)
    if gone or error.get_error_domain() in (libvirt.VIR_FROM_RPC, libvirt.VIR_FROM_REMOTE):
        raise error
