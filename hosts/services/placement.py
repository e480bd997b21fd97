"""Where a guest goes: filters, then a score. Pure functions; the taking is done under guarded UPDATEs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Exists, F, OuterRef, Prefetch, Q

from hosts.drivers.types import Capability, HostType
from hosts.models import Host, HostConnection, IPAddress, Network, StoragePool
from hosts.services.addresses import free_v4
from hosts.services.restored import network_waits
from hosts.states import HostState

CONSIDERED = 50  # hosts scored for one guest; the roomiest come first
UNCOMPARED = "It has not been looked at since the panel was restored."
SILENT = "The host does not answer."  # a hypervisor that nobody has asked yet is not silent


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a guest needs of its host."""

    host_type: str
    vcpus: int
    memory_mib: int
    disk_gib: int
    location: str = ""
    host_id: UUID | None = None  # chosen by staff
    needs: frozenset[Capability] = frozenset()


def needs_of(*, host_type: str, bandwidth: bool, max_processes: int) -> frozenset[Capability]:
    """Return what a host must be able to do; drivers refuse a guest without it.

    ``bandwidth``: the limit of traffic is promised, not only wished for.
    """
    needs = {Capability.ANTI_SPOOFING}
    if bandwidth:
        needs.add(Capability.BANDWIDTH)
    if max_processes and host_type == HostType.LXC:
        needs.add(Capability.PROCESS_LIMIT)
    return frozenset(needs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A host as placement sees it."""

    host: Host
    connection: HostConnection | None
    pools: Sequence[StoragePool]
    networks: Sequence[Network]
    full_networks: frozenset[UUID] = frozenset()  # those of ``networks`` without a free IPv4 address
    waiting_networks: frozenset[UUID] = frozenset()  # those that give nothing out yet, after a restore


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What placement thinks of one host: a refusal in one sentence, or a score (higher is better)."""

    candidate: Candidate
    refusal: str
    score: float


def judge(candidate: Candidate, wish: Wish) -> Verdict:
    """Filter and score one host. Spreads: the emptiest by its fullest dimension wins."""
    refusal = _refusal(candidate, wish)
    host = candidate.host
    score = 0.0
    if not refusal:
        after_memory = (host.used_memory_mib + wish.memory_mib) / host.limit_memory_mib
        after_vcpus = (host.used_vcpus + wish.vcpus) / host.limit_vcpus
        score = 1.0 - max(after_memory, after_vcpus)
    return Verdict(candidate=candidate, refusal=refusal, score=score)


def _refusal(candidate: Candidate, wish: Wish) -> str:
    host, connection = candidate.host, candidate.connection
    if wish.host_id is not None and host.pk != wish.host_id:
        return "Another host was chosen."
    if host.state != HostState.ACTIVE:
        return f"The host is {HostState(host.state).words}."
    if wish.location and host.location != wish.location:
        return f"The host is in {host.location}."
    if connection is None:
        return f"The host does not offer {wish.host_type.upper()}."
    if connection.last_error:
        return SILENT
    for need in sorted(wish.needs):
        if not connection.can(need):
            return connection.reason(need) or f"The host cannot do {need}."
    if host.used_vcpus + wish.vcpus > host.limit_vcpus:
        return "Not enough vCPUs are left."
    if host.used_memory_mib + wish.memory_mib > host.limit_memory_mib:
        return "Not enough memory is left."
    if not any(pool.used_gib + wish.disk_gib <= pool.limit_gib for pool in candidate.pools):
        return "Not enough disk space is left."
    if not candidate.networks:
        return "The host has no network."
    ready = [network for network in candidate.networks if network.pk not in candidate.waiting_networks]
    if not ready:
        return UNCOMPARED
    if all(network.pk in candidate.full_networks for network in ready):
        return "No address is left."
    return ""


def rank(candidates: Sequence[Candidate], wish: Wish) -> list[Verdict]:
    """Judge all hosts: those that fit, best first, then the refused ones; ties by name."""
    verdicts = [judge(candidate, wish) for candidate in candidates]
    return sorted(verdicts, key=lambda v: (bool(v.refusal), -v.score, v.candidate.host.name))


def candidates(wish: Wish, *, all_hosts: bool = False) -> list[Candidate]:
    """Read the hosts placement looks at, in four queries.

    With ``all_hosts`` every host that is not retired, to explain; else only the roomiest that can fit.
    """
    rows = Host.objects.exclude(state=HostState.RETIRED).order_by("name")
    if not all_hosts:
        rows = (
            rows.filter(
                _able(wish),
                state=HostState.ACTIVE,
                limit_vcpus__gte=F("used_vcpus") + wish.vcpus,
                limit_memory_mib__gte=F("used_memory_mib") + wish.memory_mib,
            )
            .annotate(filled=1.0 * F("used_memory_mib") / F("limit_memory_mib"))
            .order_by("filled", "name")
        )
        if wish.host_id is not None:
            rows = rows.filter(pk=wish.host_id)
        if wish.location:
            rows = rows.filter(location=wish.location)
        rows = rows[:CONSIDERED]
    of_type = HostConnection.objects.filter(host_type=wish.host_type, enabled=True)
    networks = Network.objects.filter(enabled=True).annotate(has_free=_has_free(), waits=network_waits())
    hosts = rows.prefetch_related(
        Prefetch("connections", of_type, to_attr="of_type"),
        Prefetch("pools", StoragePool.objects.filter(for_new_guests=True).order_by("used_gib"), to_attr="all_pools"),
        Prefetch("networks", networks.order_by("name"), to_attr="open_networks"),
    )
    return [_candidate(host) for host in hosts]


def _able(wish: Wish) -> Q:
    """What all but the host's own room must be like: an able hypervisor that answers, a pool, a network with room."""
    abilities = [{"capability": str(need), "available": True} for need in sorted(wish.needs)]
    capable = HostConnection.objects.filter(
        host=OuterRef("pk"), host_type=wish.host_type, enabled=True, last_error="", capabilities__contains=abilities
    )
    pools = StoragePool.objects.filter(host=OuterRef("pk"), for_new_guests=True)
    roomy = pools.filter(limit_gib__gte=F("used_gib") + wish.disk_gib)
    linked = Network.objects.filter(_has_free(), ~network_waits(), enabled=True, hosts=OuterRef("pk"))
    return Q(Exists(capable), Exists(roomy), Exists(linked))


def _has_free() -> Q:
    """For a network: it has a free IPv4 address, or has no IPv4."""
    free = IPAddress.objects.filter(free_v4(), network=OuterRef("pk"))
    return Q(cidr_v4="") | Q(Exists(free))


def _candidate(host: Any) -> Candidate:
    """``host`` carries what ``candidates`` prefetched to attributes of its own."""
    return Candidate(
        host=host,
        connection=next(iter(host.of_type), None),
        pools=host.all_pools,
        networks=host.open_networks,
        full_networks=frozenset(network.pk for network in host.open_networks if not network.has_free),
        waiting_networks=frozenset(network.pk for network in host.open_networks if network.waits),
    )
