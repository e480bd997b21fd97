"""Networks: an admin enters a subnet and the bridge that carries it; every IPv4 address becomes a row."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError

from hosts.models import Host, IPAddress, Network
from hosts.services.subnets import Subnets, subnets_checked, subnets_of
from panel.core import events
from panel.core.actors import Actor
from panel.core.audit import audit_record
from panel.core.errors import InvalidInputError, InvalidStateError
from panel.core.permissions import Permission

ALWAYS = frozenset({"name", "dns_servers", "reserved", "enabled"})  # editable while guests use it
UNUSED = frozenset({"kind", "bridge", "mtu", "cidr_v4", "gateway_v4", "cidr_v6", "gateway_v6"})
_ADDRESSING = ("cidr_v4", "gateway_v4", "cidr_v6", "gateway_v6", "reserved")
_LOCK = int.from_bytes(hashlib.sha256(b"hosts.networks").digest()[:8], "big", signed=True)


@transaction.atomic
def network_create(
    *,
    actor: Actor,
    name: str,
    kind: str,
    bridge: str,
    cidr_v4: str = "",
    gateway_v4: str | None = None,
    cidr_v6: str = "",
    gateway_v6: str | None = None,
    dns_servers: Sequence[str] = (),
    reserved: Iterable[str] = (),
    mtu: int = 1500,
    hosts: Iterable[Host] = (),
) -> Network:
    """Add a network and a row for each IPv4 address that may be handed out.

    Raises:
        InvalidInputError: a subnet, gateway or reserved address is wrong, overlaps another network, or the
            name is taken.
    """
    actor.require(Permission.FLEET_MANAGE)
    _one_at_a_time()
    subnets = subnets_checked(
        cidr_v4=cidr_v4, gateway_v4=gateway_v4, cidr_v6=cidr_v6, gateway_v6=gateway_v6, reserved=reserved
    )
    _refuse_overlap(subnets)
    network = Network(
        name=name,
        kind=kind,
        bridge=bridge,
        dns_servers=list(dns_servers),
        mtu=mtu,
        **_columns(subnets),
    )
    _save(network)
    network.hosts.set(hosts)
    _rows_in_step(network, subnets, subnets)
    return _recorded(actor, network, "network.created", {"cidr_v4": (None, cidr_v4), "cidr_v6": (None, cidr_v6)})


@transaction.atomic
def network_edit(
    *, actor: Actor, network: Network, changes: Mapping[str, Any], hosts: Sequence[Host] | None = None
) -> Network:
    """Change a network. Its subnet, bridge and the like only while no address of it is taken.

    Raises:
        InvalidInputError: a value is wrong, overlaps, or would take an address or a host from a guest.
        InvalidStateError: the network is in use and a field of ``UNUSED`` would change.
    """
    actor.require(Permission.FLEET_MANAGE)
    _one_at_a_time()
    network = Network.objects.select_for_update().get(pk=network.pk)
    wanted = {name: value for name, value in changes.items() if name in ALWAYS | UNUSED}
    before, handed_out = {name: getattr(network, name) for name in wanted}, subnets_of(network)
    if any(name in UNUSED and (wanted[name] or None) != (before[name] or None) for name in wanted):
        _refuse_in_use(network, "Its subnet and bridge cannot be changed")
    for name, value in wanted.items():
        setattr(network, name, value)
    if set(wanted) & set(_ADDRESSING):
        _readdress(network, handed_out)
    _save(network)
    if hosts is not None:
        _set_hosts(network, hosts)
    return _recorded(
        actor, network, "network.edited", {name: (old, getattr(network, name)) for name, old in before.items()}
    )


@transaction.atomic
def network_delete(*, actor: Actor, network: Network) -> None:
    """Remove a network and its free addresses.

    Raises:
        InvalidStateError: a guest uses it.
    """
    actor.require(Permission.FLEET_MANAGE)
    network = Network.objects.select_for_update().get(pk=network.pk)
    _refuse_in_use(network, "It cannot be deleted")
    pk, name = network.pk, network.name
    try:
        with transaction.atomic():
            network.delete()
    except ProtectedError as error:  # a nic that gave its addresses back, but exists
        raise InvalidStateError(f"Network {name} is in use. It cannot be deleted.") from error
    audit_record(actor=actor, action="network.deleted", object_type="network", object_id=pk, object_label=name)
    events.publish("network", pk)


def _one_at_a_time() -> None:
    """Serialise changes of networks: whether two overlap is no constraint that a column could carry."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


def _columns(subnets: Subnets) -> dict[str, Any]:
    return asdict(subnets) | {"reserved": list(subnets.reserved)}


def _refuse_overlap(subnets: Subnets, *, but: Network | None = None) -> None:
    for other in Network.objects.exclude(pk__in=[but.pk] if but else []):
        theirs = subnets_of(other)
        for name in ("cidr_v4", "cidr_v6"):
            if Subnets(**{name: getattr(subnets, name)}).overlaps(Subnets(**{name: getattr(theirs, name)})):
                taken = f"It overlaps network {other.name} ({getattr(theirs, name)})."
                raise InvalidInputError(fields={name: taken})


def _refuse_in_use(network: Network, what: str) -> None:
    taken = IPAddress.objects.filter(network=network, owner_id__isnull=False).count()
    if taken:
        raise InvalidStateError(
            f"{taken} address{'es' if taken > 1 else ''} of network {network.name} "
            f"{'are' if taken > 1 else 'is'} in use. {what}.",
            addresses_taken=taken,
        )


def _readdress(network: Network, before: Subnets) -> None:
    subnets = subnets_checked(
        **{name: getattr(network, name) for name in _ADDRESSING}  # as edited, not yet saved
    )
    _refuse_overlap(subnets, but=network)
    for name, value in _columns(subnets).items():
        setattr(network, name, value)
    _rows_in_step(network, subnets, before)


def _rows_in_step(network: Network, subnets: Subnets, before: Subnets) -> None:
    """Make the free IPv4 rows those of the subnet, in bulk. Taken ones are locked first and never dropped.

    One that was handed out ``before`` and is taken stays one that is handed out. One that was kept back already and
    came with a server that was taken over is no matter of this edit.
    """
    wanted = {address: order for order, address in subnets.v4_addresses()}
    rows = IPAddress.objects.filter(network=network)
    have = {row.address: row for row in rows.filter(family=4).select_for_update()}
    taken = {row.address for row in have.values() if row.owner_id is not None}
    kept_v6 = set(subnets.reserved) - set(before.reserved)
    taken_v6 = set(rows.filter(family=6, address__in=kept_v6, owner_id__isnull=False).values_list("address", flat=True))
    if lost := sorted({one for one in taken - set(wanted) if before.hands_out(one)} | taken_v6):
        raise InvalidInputError(fields={"reserved": f"{lost[0]} is in use by a server."})
    rows.filter(family=6, owner_id__isnull=True).delete()  # seen used; the next comparison sees them again
    unwanted = [row.pk for address, row in have.items() if address not in wanted and row.owner_id is None]
    rows.filter(pk__in=unwanted).delete()
    IPAddress.objects.bulk_create(
        [
            IPAddress(network=network, address=address, family=4, order=order)
            for address, order in wanted.items()
            if address not in have
        ],
        batch_size=2000,
    )


def _set_hosts(network: Network, hosts: Sequence[Host]) -> None:
    leaving = network.hosts.exclude(pk__in=[host.pk for host in hosts])
    for host in leaving:
        if network.nics.filter(guest__host=host, guest__deleted_at__isnull=True).exists():
            raise InvalidInputError(fields={"hosts": f"Servers on {host.name} use this network."})
    network.hosts.set(hosts)


def _save(network: Network) -> None:
    try:
        with transaction.atomic():
            network.save()
    except IntegrityError as error:
        raise InvalidInputError(fields={"name": "Another network has this name."}) from error


def _recorded(actor: Actor, network: Network, action: str, changes: Mapping[str, tuple[Any, Any]]) -> Network:
    audit_record(
        actor=actor,
        action=action,
        object_type="network",
        object_id=network.pk,
        object_label=network.name,
        changes=changes,
    )
    events.publish("network", network.pk)
    network.refresh_from_db()
    return network
