"""Networks and their addresses in JSON: the mappers, and their shapes for OpenAPI."""

from typing import Any

from rest_framework import serializers

from hosts.api.inputs import NETWORK_KINDS
from hosts.api.outputs import NamedOut, Shape
from hosts.models import IPAddress, Network
from panel.core.naming import names_of


class NetworkOut(Shape):
    """A subnet that guests get addresses from, and the bridge it is reached by."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(NETWORK_KINDS)
    bridge = serializers.CharField()
    cidr_v4 = serializers.CharField(allow_blank=True)
    gateway_v4 = serializers.CharField(allow_null=True)
    cidr_v6 = serializers.CharField(allow_blank=True)
    gateway_v6 = serializers.CharField(allow_null=True)
    dns_servers = serializers.ListField(child=serializers.CharField())
    reserved = serializers.ListField(child=serializers.CharField(), help_text="Never handed out.")
    mtu = serializers.IntegerField()
    enabled = serializers.BooleanField(help_text="False: no new guest gets an address here.")
    hosts = NamedOut(many=True)
    addresses_v4_free = serializers.IntegerField()
    addresses_v4_taken = serializers.IntegerField()
    addresses_v6_taken = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    version = serializers.IntegerField()


def network_json(network: Network) -> dict[str, Any]:
    """Return a network that went through ``selectors.networks_counted``."""
    counts = network.counts  # type: ignore[attr-defined]
    names = ("name", "kind", "bridge", "cidr_v4", "gateway_v4", "cidr_v6", "gateway_v6", "dns_servers", "reserved")
    return {
        "id": network.pk,
        **{name: getattr(network, name) for name in (*names, "mtu", "enabled")},
        "hosts": [{"id": h.pk, "name": h.name} for h in sorted(network.hosts.all(), key=lambda h: h.name)],
        "addresses_v4_free": counts["v4"] - counts["v4_taken"],
        "addresses_v4_taken": counts["v4_taken"],
        "addresses_v6_taken": counts["v6_taken"],
        "created_at": network.created_at,
        "version": network.version,
    }


class NetworkAddressOut(Shape):
    """An address of a network. IPv6 addresses are listed once they are taken."""

    id = serializers.UUIDField()
    address = serializers.IPAddressField()
    family = serializers.ChoiceField([4, 6])
    network = NamedOut()
    guest = serializers.UUIDField(allow_null=True, help_text="Null: free.")
    guest_name = serializers.CharField(allow_null=True)
    taken_at = serializers.DateTimeField(allow_null=True)


def addresses_named(addresses: list[IPAddress]) -> list[IPAddress]:
    """Attach the names of the guests that have them, in one query."""
    names = names_of("guest", {address.owner_id for address in addresses if address.owner_id})
    for address in addresses:
        address.owner_name = names.get(address.owner_id) if address.owner_id else None  # type: ignore[attr-defined]
    return addresses


def address_json(address: IPAddress) -> dict[str, Any]:
    """Return an address that went through ``addresses_named``."""
    return {
        "id": address.pk,
        "address": address.address,
        "family": address.family,
        "network": {"id": address.network.pk, "name": address.network.name},
        "guest": address.owner_id,
        "guest_name": address.owner_name,  # type: ignore[attr-defined]
        "taken_at": address.taken_at,
    }
