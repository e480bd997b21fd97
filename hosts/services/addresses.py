"""Handing out addresses, under the database's own constraints."""

import ipaddress
import secrets
from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from hosts.models import IPAddress, Network
from hosts.services.restored import uncompared
from hosts.services.subnets import subnets_of
from panel.core import events
from panel.core.errors import CapacityError, NotReadyError

_V6_TRIES = 8
_V6_COUNTED = 4096  # subnets up to this size are searched; in larger ones nearly every random address is free
SEEN_USED_FOR = timedelta(minutes=20)  # several comparisons of a host: what uses an address is seen again by then


def free_v4() -> Q:
    """Return the condition of IPv4 addresses that may be given out: of nobody, and not seen used.

    What runs may use an address that the panel does not know of: a server that was made after the backup that was
    restored, or one of somebody else's.
    """
    unused = Q(seen_used_at__isnull=True) | Q(seen_used_at__lt=Now() - SEEN_USED_FOR)
    return unused & Q(family=4, owner_id__isnull=True)


def _stale_v6() -> Q:
    """Return the condition of IPv6 rows that are of no use any more: seen used, and not for a while."""
    return Q(family=6, owner_id__isnull=True, seen_used_at__lt=Now() - SEEN_USED_FOR)


def addresses_seen_used(*, host_id: UUID, addresses: Collection[str]) -> None:
    """Note that domains on a host use these addresses, which nobody owns: they are not given out for a while."""
    IPAddress.objects.filter(_stale_v6()).delete()
    if not addresses:
        return
    seen = [
        IPAddress(network=network, address=str(address), family=6, order=_order(network, address), seen_used_at=Now())
        for network, address in _v6_within(host_id, addresses)
    ]
    IPAddress.objects.bulk_create(seen, ignore_conflicts=True)
    rows = IPAddress.objects.filter(network__hosts=host_id, address__in=addresses, owner_id__isnull=True)
    rows.update(seen_used_at=Now())


def v6_without_row(*, host_id: UUID, addresses: Collection[str]) -> set[str]:
    """Return those of ``addresses``, none of which has a row, that a network of the host could give out."""
    return {str(address) for _, address in _v6_within(host_id, addresses)}


def _v6_within(host_id: UUID, addresses: Collection[str]) -> list[tuple[Network, ipaddress.IPv6Address]]:
    """Return the IPv6 addresses that a network of the host could give out, each with its network."""
    parsed = [found for one in addresses if (found := _v6(one)) is not None]
    if not parsed:
        return []
    networks = [(network, subnets_of(network)) for network in Network.objects.filter(hosts=host_id).exclude(cidr_v6="")]
    return [(network, one) for one in parsed for network, subnets in networks if subnets.hands_out(str(one))]


def _v6(text: str) -> ipaddress.IPv6Address | None:
    """Return what somebody's domain says is an address; None when it is no plain IPv6 one."""
    try:
        return None if "%" in text else ipaddress.IPv6Address(text)
    except ValueError:
        return None


def _order(network: Network, address: ipaddress.IPv6Address) -> int:
    return min(int(address) - int(ipaddress.IPv6Network(network.cidr_v6).network_address), 2**62)


def addresses_take(*, network: Network, owner_id: UUID, nic_id: UUID) -> list[IPAddress]:
    """Take one IPv4 and one IPv6 address (of the families the network has) for a nic.

    Two callers never get the same one and do not wait for each other while others are free.

    Raises:
        CapacityError: the network has no free address.
        NotReadyError: nobody knows yet which of them are in use.
    """
    # Read before the addresses: what a comparison has found is written together with its end.
    if uncompared().filter(host__networks=network).exists():
        raise NotReadyError
    events.publish("network", network.pk)
    taken: list[IPAddress] = []
    if network.cidr_v4:
        taken.append(_take_v4(network, owner_id, nic_id))
    if network.cidr_v6:
        taken.append(_take_v6(network, owner_id, nic_id, preferred=taken[0].order if taken else None))
    return taken


def _take_v4(network: Network, owner_id: UUID, nic_id: UUID) -> IPAddress:
    free = IPAddress.objects.filter(free_v4(), network=network).order_by("order")
    row = free.select_for_update(skip_locked=True).first() or _wait_for_v4(free)
    while row is not None and not subnets_of(network).hands_out(row.address):  # whatever made a row of it
        free = free.exclude(pk=row.pk)
        row = free.select_for_update(skip_locked=True).first() or _wait_for_v4(free)
    if row is None:
        raise CapacityError("No address is left.")
    row.owner_id, row.nic_id, row.taken_at = owner_id, nic_id, timezone.now()
    row.save(update_fields=["owner_id", "nic_id", "taken_at"])
    return row


def _wait_for_v4(free: QuerySet[IPAddress]) -> IPAddress | None:
    """One blocking look: rows that others hold may become free again when those roll back."""
    return next(iter(free.select_for_update()), None)


def _take_v6(network: Network, owner_id: UUID, nic_id: UUID, *, preferred: int | None) -> IPAddress:
    subnet = ipaddress.IPv6Network(network.cidr_v6)
    reserved = {str(network.gateway_v6), *network.reserved}
    for attempt in range(_V6_TRIES):
        offset = preferred if attempt == 0 and preferred else None
        if offset is None or offset >= subnet.num_addresses:
            offset = _v6_offset(network, subnet, reserved)
        if offset is None:
            break
        address = str(subnet[offset])
        if address in reserved:
            continue
        try:
            with transaction.atomic():
                IPAddress.objects.filter(_stale_v6(), network=network, address=address).delete()
                return IPAddress.objects.create(
                    network=network,
                    address=address,
                    family=6,
                    order=_order(network, subnet[offset]),
                    owner_id=owner_id,
                    nic_id=nic_id,
                    taken_at=timezone.now(),
                )
        except IntegrityError:
            continue
    raise CapacityError("No IPv6 address is left.")


def _v6_offset(network: Network, subnet: ipaddress.IPv6Network, reserved: set[str]) -> int | None:
    """Return an address's place in the subnet, by chance among the free ones; None when a small subnet is full."""
    if subnet.num_addresses > _V6_COUNTED:
        return 1 + secrets.randbelow(subnet.num_addresses - 1)
    rows = IPAddress.objects.filter(network=network, family=6).exclude(_stale_v6())
    held = set(rows.values_list("address", flat=True)) | reserved
    free = [offset for offset in range(1, subnet.num_addresses) if str(subnet[offset]) not in held]
    return secrets.choice(free) if free else None


@transaction.atomic
def addresses_release(*, owner_id: UUID) -> int:
    """Give a guest's addresses back. Returns how many.

    One that its network does not hand out has no row any more: it came with a server that was taken over.
    """
    rows = list(IPAddress.objects.select_for_update().filter(owner_id=owner_id).order_by("pk"))
    networks = Network.objects.in_bulk({row.network_id for row in rows})  # read when nobody can change the rows
    free = {pk: subnets_of(network) for pk, network in networks.items()}
    for network_id in networks:
        events.publish("network", network_id)
    back = [row.pk for row in rows if row.family == 4 and free[row.network_id].hands_out(row.address)]
    IPAddress.objects.filter(pk__in=back).update(owner_id=None, nic_id=None, taken_at=None, seen_used_at=None)
    IPAddress.objects.filter(pk__in=[row.pk for row in rows], owner_id=owner_id).delete()
    return len(rows)
