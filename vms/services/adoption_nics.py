"""The nics of a domain that is taken over: which networks they are in, and their addresses."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from hosts.models import Host, IPAddress, Network
from hosts.services.subnets import subnets_of
from panel.core import events
from panel.core.errors import InvalidInputError
from vms.models import Guest, Nic


@dataclass(frozen=True, slots=True, kw_only=True)
class NicRequest:
    """What staff say of a nic: the network it is in, and its addresses. Without them what was found counts."""

    mac: str
    network: Network | None = None
    addresses: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return it as a job keeps it."""
        network = str(self.network.pk) if self.network else None
        return {"mac": self.mac, "network": network, "addresses": list(self.addresses)}


def nics_settled(
    *, host: Host, found: Mapping[str, Any], asked_for: Sequence[NicRequest]
) -> list[tuple[str, Network, list[str]]]:
    """Return (MAC, network, addresses) of each nic of a found domain, all of them checked.

    Raises: InvalidInputError, with a sentence for each nic that does not do.
    """
    asked = {nic.mac.lower(): nic for nic in asked_for}
    there = {nic["mac"] for nic in found["nics"]}
    errors = {f"nics.{mac}": "The domain has no such nic." for mac in asked if mac not in there}
    settled, seen = [], set[str]()
    for nic in found["nics"]:
        mac = nic["mac"]
        wish = asked.get(mac, NicRequest(mac=mac))
        network = wish.network or Network.objects.filter(hosts=host, bridge=nic["bridge"]).order_by("name").first()
        said = _network_obstacle(host, nic, network)
        addresses = [str(ipaddress.ip_address(one)) for one in (wish.addresses or nic["addresses"]) if _is_address(one)]
        if not said and network is not None:
            said = _addresses_obstacle(network, addresses, seen)
            settled.append((mac, network, addresses))
        if not said and Nic.objects.filter(mac=mac).exists():
            said = "Another server has this MAC."
        if said:
            errors[f"nics.{mac}"] = said
    if errors:
        raise InvalidInputError(fields=errors)
    return settled


def _is_address(text: str) -> bool:
    try:
        return "%" not in text and ipaddress.ip_address(text) is not None
    except ValueError as error:
        raise InvalidInputError(fields={"nics": f"{text[:60]} is not an address."}) from error


def _network_obstacle(host: Host, nic: Mapping[str, Any], network: Network | None) -> str:
    if network is None:
        return f"No network of the panel's has the bridge {nic['bridge'] or '(none)'} on this host: make it first."
    if network.bridge != nic["bridge"] or not network.hosts.filter(pk=host.pk).exists():
        return f"It is on the bridge {nic['bridge'] or '(none)'}, and the network {network.name} is not."
    return ""


def _addresses_obstacle(network: Network, addresses: Sequence[str], seen: set[str]) -> str:
    if not addresses:
        return "State its addresses: with the rules against stolen addresses it may send from no other."
    for address in addresses:
        parsed = ipaddress.ip_address(address)
        cidr = network.cidr_v4 if parsed.version == 4 else network.cidr_v6
        if not cidr or parsed not in ipaddress.ip_network(cidr):
            return f"{address} is not in the network {network.name}."
        if what := subnets_of(network).never_a_guests(address):
            return f"{address} is {what}: no server can have it."
        if address in seen:
            return f"{address} is stated twice."
        seen.add(address)
        if IPAddress.objects.filter(network=network, address=address, owner_id__isnull=False).exists():
            return f"{address} belongs to another server."
    return ""


def nic_make(*, guest: Guest, index: int, mac: str, network: Network, addresses: Sequence[str]) -> None:
    """Make a guest's nic and take its addresses. Raises: InvalidInputError when somebody has one of them by now."""
    try:
        with transaction.atomic():
            nic = Nic.objects.create(guest=guest, index=index, network=network, mac=mac)
    except IntegrityError as error:
        raise InvalidInputError(fields={f"nics.{mac}": "Another server has this MAC."}) from error
    for address in addresses:
        _address_take(network, address, guest_id=guest.pk, nic_id=nic.pk)
    events.publish("network", network.pk)


def _address_take(network: Network, address: str, *, guest_id: UUID, nic_id: UUID) -> None:
    taken = {"owner_id": guest_id, "nic_id": nic_id, "taken_at": timezone.now()}
    rows = IPAddress.objects.filter(network=network, address=address)
    if rows.filter(owner_id__isnull=True).update(**taken):
        return
    parsed = ipaddress.ip_address(address)
    cidr = network.cidr_v4 if parsed.version == 4 else network.cidr_v6
    offset = int(parsed) - int(ipaddress.ip_network(cidr).network_address)
    try:
        with transaction.atomic():  # an IPv6 address, or one that is kept back from being handed out
            IPAddress.objects.create(
                network=network, address=address, family=parsed.version, order=min(offset, 2**62), **taken
            )
    except IntegrityError as error:
        raise InvalidInputError(fields={"nics": f"{address} belongs to another server."}) from error
