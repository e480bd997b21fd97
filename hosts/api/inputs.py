"""What may be sent about hosts and networks. Whether it makes sense is the services' business."""

import re
from typing import Any

from rest_framework import serializers

from panel.core.api.input import StrictSerializer
from panel.core.ip import address_parse

_LABEL_NAME = re.compile(r"^[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?$")
_NAME = r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?$"
MAX_INT = 2_147_483_647
NETWORK_KINDS = ["nat", "routed", "bridge"]
KINDS_TO_MAKE = ["routed", "bridge"]  # the NAT network is made at set-up, with its bridge and rules


def labels_checked(labels: dict[str, str]) -> dict[str, str]:
    """Return labels whose names are 1 to 63 plain characters, at most 32 of them."""
    if len(labels) > 32 or not all(_LABEL_NAME.fullmatch(name) for name in labels):
        raise serializers.ValidationError(
            "Use at most 32 labels; their names are letters, digits, dots, hyphens, slashes and underscores."
        )
    return labels


class HostPatchIn(StrictSerializer):
    """What an admin may set on a host."""

    name = serializers.RegexField(
        _NAME, error_messages={"invalid": "Use letters, digits, hyphens and dots, at most 63 characters."}
    )
    location = serializers.RegexField(
        r"^[\w][\w .-]{0,59}$", error_messages={"invalid": "Use letters, digits, spaces, dots and hyphens, at most 60."}
    )
    labels = serializers.DictField(child=serializers.CharField(max_length=255, allow_blank=True))
    cpu_overcommit = serializers.DecimalField(
        max_digits=4, decimal_places=1, min_value=1, max_value=100, help_text="vCPUs sold for each CPU."
    )
    memory_overcommit = serializers.DecimalField(
        max_digits=4, decimal_places=1, min_value=1, max_value=10, help_text="Memory sold for each MiB not reserved."
    )
    memory_reserve_mib = serializers.IntegerField(min_value=0, max_value=MAX_INT, help_text="Never sold.")

    def validate_labels(self, labels: dict[str, str]) -> dict[str, str]:
        return labels_checked(labels)


class PoolPatchIn(StrictSerializer):
    """What an admin may set on a pool."""

    overcommit = serializers.DecimalField(
        max_digits=4, decimal_places=1, min_value=1, max_value=100, help_text="Disk sold for each GiB there is."
    )


def address_checked(text: str) -> str:
    """Return an address in canonical spelling."""
    try:
        return str(address_parse(text))
    except ValueError:
        raise serializers.ValidationError(f"{text[:60]} is not an address.") from None


class NetworkPatchIn(StrictSerializer):
    """A network. Its subnets, gateways, bridge and the like can be changed while no address is taken."""

    name = serializers.RegexField(
        r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,62}$",
        error_messages={"invalid": "Use letters, digits, spaces, dots, hyphens and underscores, at most 63."},
    )
    kind = serializers.ChoiceField(
        KINDS_TO_MAKE,
        help_text="`routed`: the host is the gateway. `bridge`: guests sit beside the host in the provider's network.",
    )
    bridge = serializers.RegexField(
        r"^[A-Za-z][A-Za-z0-9_.-]{0,14}$",
        help_text="The bridge's name on every host.",
        error_messages={"invalid": "Use an interface name of at most 15 characters."},
    )
    cidr_v4 = serializers.CharField(max_length=18, allow_blank=True, required=False)
    gateway_v4 = serializers.CharField(max_length=15, allow_null=True, required=False)
    cidr_v6 = serializers.CharField(max_length=43, allow_blank=True, required=False)
    gateway_v6 = serializers.CharField(max_length=39, allow_null=True, required=False)
    dns_servers = serializers.ListField(child=serializers.CharField(max_length=39), max_length=4, required=False)
    reserved = serializers.ListField(
        child=serializers.CharField(max_length=80),
        max_length=10_000,
        required=False,
        help_text="Addresses, and for IPv4 also ranges `first-last`, that are never handed out.",
    )
    mtu = serializers.IntegerField(min_value=1280, max_value=9216, required=False)
    enabled = serializers.BooleanField(required=False, help_text="False: no new guest gets an address here.")
    hosts = serializers.ListField(child=serializers.UUIDField(), max_length=10_000, required=False)

    def validate_dns_servers(self, servers: list[str]) -> list[str]:
        return [address_checked(server) for server in servers]

    def validate(self, fields: dict[str, Any]) -> dict[str, Any]:
        return {name: (value or None) if name.startswith("gateway") else value for name, value in fields.items()}


class NetworkIn(NetworkPatchIn):
    """A new network. Every IPv4 address of its subnet but the gateway and the reserved ones can be handed out."""
