"""What may be sent about plans, orders and subscriptions."""

from typing import Any

from rest_framework import serializers

from hosts.api.inputs import MAX_INT, labels_checked
from hosts.drivers.types import HostType
from panel.core.api.input import StrictSerializer

HOST_TYPES = [t.value for t in HostType]


class PlanPatchIn(StrictSerializer):
    """A plan. Prices are decimals in strings."""

    slug = serializers.RegexField(
        r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
        error_messages={"invalid": "Use letters a to z, digits and hyphens, at most 63 characters."},
    )
    name = serializers.CharField(max_length=120)
    host_types = serializers.ListField(child=serializers.ChoiceField(HOST_TYPES), min_length=1, max_length=3)
    vcpus = serializers.IntegerField(min_value=1, max_value=512)
    memory_mib = serializers.IntegerField(min_value=32, max_value=16_777_216)
    disk_gib = serializers.IntegerField(min_value=1, max_value=65_536)
    bandwidth_mbit_per_s = serializers.IntegerField(
        min_value=1, max_value=1_000_000, allow_null=True, required=False, help_text="Null: not limited."
    )
    bandwidth_required = serializers.BooleanField(
        required=False,
        help_text="True: refused where a host cannot limit traffic. False: sold there without the limit.",
    )
    max_processes = serializers.IntegerField(
        min_value=0,
        max_value=MAX_INT,
        required=False,
        help_text="For containers; 0: one for each MiB of memory, at least 512.",
    )
    price_monthly = serializers.DecimalField(max_digits=12, decimal_places=2, min_value=0)
    price_hourly = serializers.DecimalField(max_digits=12, decimal_places=6, min_value=0)
    currency = serializers.RegexField(
        r"^[A-Z]{3}$", required=False, error_messages={"invalid": "Use three capital letters, such as EUR."}
    )

    def validate_host_types(self, types: list[str]) -> list[str]:
        return sorted(set(types))


class PlanIn(PlanPatchIn):
    """A new plan. The currency is EUR unless you say otherwise."""


class GuestOrderIn(StrictSerializer):
    """The server of an order."""

    name = serializers.CharField(max_length=63, help_text="A host name.")
    host_type = serializers.ChoiceField(HOST_TYPES)
    image = serializers.CharField(max_length=63, help_text="Id or slug.")
    ssh_keys = serializers.ListField(
        child=serializers.CharField(max_length=8192),
        max_length=50,
        required=False,
        help_text="Each a public key, or the id or name of a key that the customer keeps.",
    )
    user_data = serializers.CharField(
        max_length=70_000,
        required=False,
        allow_blank=True,
        trim_whitespace=False,
        help_text="cloud-config or a script (`#!`), at most 64 KiB. Images without `cloud_init` run only scripts.",
    )
    root_password = serializers.CharField(
        max_length=128,
        required=False,
        allow_null=True,
        trim_whitespace=False,
        help_text="Your own; without it and without keys one is made and shown once.",
    )
    want_password = serializers.BooleanField(required=False, help_text="Make a password although there are keys.")
    labels = serializers.DictField(child=serializers.CharField(max_length=63, allow_blank=True), required=False)
    location = serializers.CharField(max_length=60, required=False, allow_blank=True)

    def validate_labels(self, labels: dict[str, str]) -> dict[str, str]:
        return labels_checked(labels)


class OwnGuestOrderIn(GuestOrderIn):
    """An order of a server for oneself, or by staff for anybody."""

    plan = serializers.CharField(max_length=63, required=False, help_text="Id or slug.")
    vcpus = serializers.IntegerField(min_value=1, max_value=512, required=False, help_text="Staff, without a plan.")
    memory_mib = serializers.IntegerField(
        min_value=32, max_value=16_777_216, required=False, help_text="Staff, without a plan."
    )
    disk_gib = serializers.IntegerField(
        min_value=1, max_value=65_536, required=False, help_text="Staff, without a plan."
    )
    customer = serializers.UUIDField(
        required=False,
        allow_null=True,
        help_text="Whose it is. Needed when you belong to several customers; staff without it order for the house.",
    )
    host = serializers.UUIDField(required=False, allow_null=True, help_text="Staff: exactly this host.")
    external_id = serializers.CharField(max_length=120, required=False, allow_null=True)


class SubscriptionIn(StrictSerializer):
    """An order by a billing system."""

    customer = serializers.UUIDField(required=False, help_text="The customer's id, or:")
    customer_external_id = serializers.CharField(
        max_length=120, required=False, help_text="the id you gave the customer when you made it."
    )
    plan = serializers.CharField(max_length=63, help_text="Id or slug.")
    external_id = serializers.CharField(
        max_length=120,
        required=False,
        allow_null=True,
        help_text="The order's id in your system. The same order again gives the same subscription, not a second one.",
    )
    guest = GuestOrderIn()

    def validate(self, fields: dict[str, Any]) -> dict[str, Any]:
        if ("customer" in fields) == ("customer_external_id" in fields):
            raise serializers.ValidationError({"customer": "Give either customer or customer_external_id."})
        return fields


class SuspendIn(StrictSerializer):
    """Why service is withheld."""

    reason = serializers.RegexField(
        r"^[a-z0-9]([a-z0-9_-]{0,30}[a-z0-9])?$",
        help_text="A word of yours: `payment`, `abuse`, …",
        error_messages={"invalid": "Use a word of letters a to z, digits, hyphens and underscores, at most 32."},
    )
    note = serializers.CharField(max_length=255, required=False, allow_blank=True)


class UnsuspendIn(StrictSerializer):
    """Which reason has gone; without one, all of them."""

    reason = serializers.CharField(max_length=32, required=False, allow_null=True)


class ChangePlanIn(StrictSerializer):
    """The plan to change to."""

    plan = serializers.CharField(max_length=63, help_text="Id or slug.")


class ResizeIn(StrictSerializer):
    """A plan; staff may give sizes instead."""

    plan = serializers.CharField(max_length=63, required=False, help_text="Id or slug.")
    vcpus = serializers.IntegerField(min_value=1, max_value=512, required=False)
    memory_mib = serializers.IntegerField(min_value=32, max_value=16_777_216, required=False)
    disk_gib = serializers.IntegerField(min_value=1, max_value=65_536, required=False)
