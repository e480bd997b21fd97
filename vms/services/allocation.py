"""Taking what a guest needs, in one transaction, in one order: customer, host, pool, address."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models import F, Q

from hosts.models import Host, IPAddress, Network, StoragePool
from hosts.services.addresses import addresses_release, addresses_take
from hosts.services.capacity import host_give_back, host_take, pool_give_back, pool_take
from hosts.services.placement import SILENT, UNCOMPARED, Candidate, Wish, candidates, needs_of, rank
from panel.core import events
from panel.core.errors import CapacityError, NotReadyError, QuotaExceededError
from panel.core.models import Customer
from vms.models import Guest, Nic
from vms.services.validation import GuestRequest

MAC_PREFIX = "52:54:00"
_QUOTAS = {
    "guests": "servers",
    "vcpus": "vCPUs",
    "memory_mib": "MiB of memory",
    "disk_gib": "GiB of disk",
    "addresses": "addresses",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a guest goes, its room there already taken."""

    host: Host
    pool: StoragePool
    network: Network
    notice: str  # one sentence when something was degraded


def amounts(*, vcpus: int, memory_mib: int, disk_gib: int, guests: int = 1, addresses: int = 1) -> dict[str, int]:
    """Return what a guest costs its customer's quota. IPv6 addresses are not counted."""
    return {
        "guests": guests, "vcpus": vcpus, "memory_mib": memory_mib, "disk_gib": disk_gib, "addresses": addresses,
    }  # fmt: skip


def quota_take(*, customer: Customer, wanted: dict[str, int]) -> None:
    """Take from the customer's quota by one guarded UPDATE.

    Raises:
        QuotaExceededError: names the quota that does not allow it; nothing was taken.
    """
    fits = Q(pk=customer.pk)
    for name, amount in wanted.items():
        room = Q(**{f"quota_{name}__isnull": True}) | Q(**{f"quota_{name}__gte": F(f"used_{name}") + amount})
        fits &= room if amount > 0 else Q()
    moved = Customer.objects.filter(fits).update(**{f"used_{n}": F(f"used_{n}") + a for n, a in wanted.items()})
    if not moved:
        raise quota_error(Customer.objects.get(pk=customer.pk), wanted)
    events.publish("customer", customer.pk, customer_id=customer.pk)


def quota_error(customer: Customer, wanted: dict[str, int]) -> QuotaExceededError:
    """Return the error that names the first quota which ``wanted`` would exceed."""
    for name, amount in wanted.items():
        limit, used = getattr(customer, f"quota_{name}"), getattr(customer, f"used_{name}")
        if limit is not None and used + amount > limit:
            return QuotaExceededError(
                f"Your quota is {limit} {_QUOTAS[name]}, and {used} are in use.", quota=name, limit=limit, used=used
            )
    return QuotaExceededError()


def quota_give_back(*, customer: Customer, wanted: dict[str, int]) -> None:
    """Give back to the customer's quota."""
    events.publish("customer", customer.pk, customer_id=customer.pk)
    Customer.objects.filter(pk=customer.pk).update(**{f"used_{n}": F(f"used_{n}") - a for n, a in wanted.items()})


def wish_of(request: GuestRequest) -> Wish:
    """Return what the request asks of a host."""
    needs = needs_of(
        host_type=request.host_type,
        bandwidth=bool(request.bandwidth_mbit_per_s) and request.bandwidth_required,
        max_processes=request.max_processes,
    )
    return Wish(
        host_type=request.host_type,
        vcpus=request.vcpus,
        memory_mib=request.memory_mib,
        disk_gib=request.disk_gib,
        location=request.location,
        host_id=request.host.pk if request.host else None,
        needs=needs,
    )


def place(guest: Guest, request: GuestRequest) -> Place:
    """Take room on the best host that still has it, down the ranking; make the nic and take its addresses.

    Raises:
        CapacityError: no host can take it; one sentence with the most telling reason.
        NotReadyError: one may be able to when it has been looked at.
    """
    wish = wish_of(request)
    if found := _best(guest, request, wish):
        return found
    refusals = _refusals(wish)
    if not all(refusals) and (found := _best(guest, request, wish)):  # one has got room, or was looked at, in between
        return found
    raise _no_host_error(refusals)


def _best(guest: Guest, request: GuestRequest, wish: Wish) -> Place | None:
    """Take room on the best host; None when none has it.

    Raises:
        CapacityError, NotReadyError: only an address is missing.
    """
    address_error: CapacityError | None = None
    for verdict in rank(candidates(wish), wish):
        if verdict.refusal:
            break
        try:
            with transaction.atomic():
                found = _take(guest, verdict.candidate, wish)
                if found is None:
                    raise _FullError
        except _FullError:
            continue
        except CapacityError as error:
            address_error = _hopeful(address_error, error)
            continue
        return Place(
            host=verdict.candidate.host, pool=found[0], network=found[1], notice=_notice(verdict.candidate, request)
        )
    if isinstance(address_error, NotReadyError):
        raise address_error
    if address_error is not None:
        raise CapacityError(_no_host(str(address_error)))
    return None


def _hopeful(first: CapacityError | None, second: CapacityError) -> CapacityError:
    """Return the one of two refusals that will pass soon; else the second."""
    return first if isinstance(first, NotReadyError) else second


class _FullError(Exception):
    """The host filled up meanwhile; roll its part back and look at the next."""


def _take(guest: Guest, candidate: Candidate, wish: Wish) -> tuple[StoragePool, Network] | None:
    if not host_take(host=candidate.host, vcpus=wish.vcpus, memory_mib=wish.memory_mib):
        return None
    pool = next((p for p in candidate.pools if pool_take(pool=p, disk_gib=wish.disk_gib)), None)
    if pool is None:
        return None
    error: CapacityError | None = None
    for network in candidate.networks:
        try:
            with transaction.atomic():
                nic = nic_make(guest, network)
                addresses_take(network=network, owner_id=guest.pk, nic_id=nic.pk)
        except CapacityError as refused:
            error = _hopeful(error, refused)
            continue
        return pool, network
    if error is not None:
        raise error
    return None


def nic_make(guest: Guest, network: Network) -> Nic:
    """Make the guest's nic with a MAC that nobody has."""
    while True:
        mac = ":".join([MAC_PREFIX, *(f"{byte:02x}" for byte in secrets.token_bytes(3))])
        try:
            with transaction.atomic():
                return Nic.objects.create(guest=guest, network=network, mac=mac)
        except IntegrityError:
            continue


def no_host(wish: Wish) -> CapacityError:
    """Return why no host can take it, in one sentence: the refusal that is nearest to fitting."""
    return _no_host_error(_refusals(wish))


def _refusals(wish: Wish) -> list[str]:
    """Return what speaks against each host, "" for one that fits."""
    return [verdict.refusal for verdict in rank(candidates(wish, all_hosts=True), wish)]


def _no_host_error(verdicts: Sequence[str]) -> CapacityError:
    refusals = [refusal for refusal in verdicts if refusal]
    if not refusals:
        return CapacityError("No host can take this server at the moment.")
    if UNCOMPARED in refusals:
        return NotReadyError()
    full = [r for r in refusals if "is left" in r or "are left" in r]
    silent = [r for r in refusals if r == SILENT]
    return CapacityError(_no_host((full or silent or refusals)[0]))


def _no_host(refusal: str) -> str:
    return f"No host can take this server at the moment: {refusal[0].lower()}{refusal[1:]}"


def _notice(candidate: Candidate, request: GuestRequest) -> str:
    return candidate.connection.bandwidth_notice(request.bandwidth_mbit_per_s) if candidate.connection else ""


def give_back(guest: Guest) -> None:
    """Give everything back that a guest holds; called once, when it is gone from its host."""
    v4_count = IPAddress.objects.filter(owner_id=guest.pk, family=4).count()
    quota_give_back(
        customer=guest.customer,
        wanted=amounts(vcpus=guest.vcpus, memory_mib=guest.memory_mib, disk_gib=guest.disk_gib, addresses=v4_count),
    )
    if guest.host is not None:
        host_give_back(host=guest.host, vcpus=guest.vcpus, memory_mib=guest.memory_mib)
    if guest.pool is not None:
        pool_give_back(pool=guest.pool, disk_gib=guest.disk_gib)
    addresses_release(owner_id=guest.pk)
    guest.nics.all().delete()
