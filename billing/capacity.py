"""How many more servers of a plan fit, from hosts' limits, pools and free addresses."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Count

from billing.models import Plan
from hosts.drivers.types import HostType
from hosts.models import Host, IPAddress, StoragePool
from hosts.services.addresses import free_v4
from hosts.services.placement import Candidate, Wish, candidates, needs_of
from hosts.states import HostState


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How many fit in one location on one host type, and what the next one would lack."""

    location: str
    host_type: str
    fits: int
    limited_by: str


def capacity_of(plans: Sequence[Plan], *, location: str = "") -> dict[UUID, list[Room]]:
    """Return what fits of each plan, by host type and location. Hosts are read once for each host type.

    Types and plans share hosts: their numbers do not add up.
    """
    rooms: dict[UUID, list[Room]] = {plan.pk: [] for plan in plans}
    for host_type in HostType:
        of_type = [plan for plan in plans if host_type in plan.host_types]
        if not of_type:
            continue
        # The filters of one plan are made afterwards: with ``all_hosts`` only the type decides what is read.
        found = candidates(_wish(of_type[0], host_type, location), all_hosts=True)
        free = _free_addresses(found)
        for plan in of_type:
            wish = _wish(plan, host_type, location)
            able, left = [c for c in found if _able(c, wish)], Counter(free)
            for place in sorted({c.host.location for c in able}):
                rooms[plan.pk].append(_room(place, wish, [c for c in able if c.host.location == place], left))
    return rooms


def _wish(plan: Plan, host_type: str, location: str) -> Wish:
    needs = needs_of(
        host_type=host_type,
        bandwidth=bool(plan.bandwidth_mbit_per_s) and plan.bandwidth_required,
        max_processes=plan.max_processes,
    )
    return Wish(
        host_type=host_type,
        vcpus=plan.vcpus,
        memory_mib=plan.memory_mib,
        disk_gib=plan.disk_gib,
        location=location,
        needs=needs,
    )


def _able(candidate: Candidate, wish: Wish) -> bool:
    """True when the host sells this type here at all, full or not. A silent one sells nothing until it answers."""
    host, connection = candidate.host, candidate.connection
    return (
        host.state == HostState.ACTIVE
        and connection is not None
        and not connection.last_error
        and (not wish.location or host.location == wish.location)
        and all(connection.can(need) for need in wish.needs)
        and bool(candidate.networks)
    )


def _free_addresses(able: Sequence[Candidate]) -> Counter[UUID]:
    networks = {network.pk for candidate in able for network in candidate.networks}
    rows = IPAddress.objects.filter(free_v4(), network__in=networks).values_list("network_id").annotate(Count("pk"))
    return Counter(dict(rows))


def _room(location: str, wish: Wish, able: Sequence[Candidate], free: Counter[UUID]) -> Room:
    """Fill host after host, each drawing on the addresses that its networks have left."""
    total, short_of_addresses, limits = 0, False, Counter[str]()
    for candidate in able:
        fits, limit = min(_parts(candidate.host, candidate.pools, wish), key=lambda part: part[0])
        given = _addresses(candidate, fits, free)
        short_of_addresses |= given < fits
        limits[limit] += 1
        total += given
    limited_by = "addresses" if short_of_addresses else limits.most_common(1)[0][0]
    return Room(location=location, host_type=wish.host_type, fits=total, limited_by=limited_by)


def _parts(host: Host, pools: Sequence[StoragePool], wish: Wish) -> list[tuple[int, str]]:
    disks = sum(max(0, pool.limit_gib - pool.used_gib) // wish.disk_gib for pool in pools)
    return [
        (max(0, host.limit_vcpus - host.used_vcpus) // wish.vcpus, "vcpus"),
        (max(0, host.limit_memory_mib - host.used_memory_mib) // wish.memory_mib, "memory"),
        (disks, "disk"),
    ]


def _addresses(candidate: Candidate, wanted: int, free: Counter[UUID]) -> int:
    given = 0
    for network in candidate.networks:
        share = wanted - given if not network.cidr_v4 else min(wanted - given, free[network.pk])
        if network.cidr_v4:
            free[network.pk] -= share
        given += share
    return given
