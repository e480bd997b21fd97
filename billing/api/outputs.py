"""Plans and subscriptions in JSON: the mappers, and their shapes for OpenAPI."""

from typing import Any

from rest_framework import serializers

from billing.models import Plan, Subscription
from billing.money import hourly_text, monthly_text
from billing.states import SubscriptionStatus
from hosts.drivers.types import HostType
from panel.core.api.job_json import JobOut
from panel.core.api.schema import shown_before
from vms.api.serializers import GuestOut

Shape = serializers.Serializer[Any]
STATUSES = ("active", "suspended", "terminated")


class PlanOut(Shape):
    """A size and its price."""

    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()
    host_types = serializers.ListField(child=serializers.ChoiceField([t.value for t in HostType]))
    vcpus = serializers.IntegerField()
    memory_mib = serializers.IntegerField()
    disk_gib = serializers.IntegerField()
    bandwidth_mbit_per_s = serializers.IntegerField(allow_null=True, help_text="Null: not limited.")
    bandwidth_required = serializers.BooleanField(
        help_text="True: only sold where the host can limit traffic. False: elsewhere sold without the limit, and the "
        "guest's `notice` says so."
    )
    max_processes = serializers.IntegerField(help_text="For containers; 0: one for each MiB of memory, at least 512.")
    price_monthly = serializers.CharField(help_text="Decimal with two places; a month never costs more.")
    price_hourly = serializers.CharField(help_text="Decimal with six places, for each hour begun.")
    currency = serializers.CharField(help_text="ISO 4217.")
    sold = serializers.BooleanField(help_text="True: it can no longer be edited, only archived.")
    archived_at = serializers.DateTimeField(allow_null=True, help_text="Not null: it is no longer sold.")
    created_at = serializers.DateTimeField()
    version = serializers.IntegerField()


def plan_json(plan: Plan) -> dict[str, Any]:
    """Return a plan."""
    sizes = ("vcpus", "memory_mib", "disk_gib", "bandwidth_mbit_per_s", "bandwidth_required", "max_processes")
    return {
        "id": plan.pk,
        "slug": plan.slug,
        "name": plan.name,
        "host_types": plan.host_types,
        **{name: getattr(plan, name) for name in sizes},
        "price_monthly": monthly_text(plan.price_monthly),
        "price_hourly": hourly_text(plan.price_hourly),
        "currency": plan.currency,
        "sold": plan.sold_at is not None,
        "archived_at": plan.archived_at,
        "created_at": plan.created_at,
        "version": plan.version,
    }


class PriceOut(Shape):
    """What an order would cost."""

    monthly = serializers.CharField()
    hourly = serializers.CharField()
    currency = serializers.CharField()


def price_json(plan: Plan) -> dict[str, str]:
    """Return a plan's price."""
    return {
        "monthly": monthly_text(plan.price_monthly),
        "hourly": hourly_text(plan.price_hourly),
        "currency": plan.currency,
    }


class SubscriptionOut(Shape):
    """A customer's contract for one guest on one plan."""

    id = serializers.UUIDField()
    customer = serializers.UUIDField()
    customer_name = serializers.CharField()
    customer_external_id = serializers.CharField(allow_null=True)
    plan = serializers.CharField(help_text="The plan's slug.")
    plan_id = serializers.UUIDField()
    guest = serializers.UUIDField()
    guest_name = serializers.CharField()
    external_id = serializers.CharField(allow_null=True, help_text="The order's id in your own system.")
    status = serializers.ChoiceField(list(STATUSES))
    suspensions = serializers.ListField(child=serializers.CharField(), help_text="Why service is withheld; a set.")
    price_monthly = serializers.CharField()
    price_hourly = serializers.CharField()
    currency = serializers.CharField()
    created_at = serializers.DateTimeField()
    terminated_at = serializers.DateTimeField(allow_null=True)
    version = serializers.IntegerField()


def subscription_json(subscription: Subscription) -> dict[str, Any]:
    """Return a subscription read by ``selectors.subscription_list_for``."""
    plan, guest = subscription.plan, subscription.guest
    reasons = sorted(s.reason for s in guest.suspensions.all()) if guest else []
    ended = subscription.status == SubscriptionStatus.TERMINATED
    return {
        "id": subscription.pk,
        "customer": subscription.customer_id,
        "customer_name": subscription.customer.name,
        "customer_external_id": subscription.customer.external_id,
        "plan": plan.slug,
        "plan_id": plan.pk,
        "guest": subscription.guest_id,
        "guest_name": guest.name if guest else "",
        "external_id": subscription.external_id,
        "status": "terminated" if ended else "suspended" if reasons else "active",
        "suspensions": reasons,
        "price_monthly": monthly_text(plan.price_monthly),
        "price_hourly": hourly_text(plan.price_hourly),
        "currency": plan.currency,
        "created_at": subscription.created_at,
        "terminated_at": subscription.terminated_at,
        "version": subscription.version,
    }


class SubscriptionAnswerOut(Shape):
    """A subscription, its guest, and the job that works on it."""

    subscription = SubscriptionOut()
    guest = GuestOut()
    job = JobOut(allow_null=True, help_text="Null when nothing had to be started.")


class OrderAnswerOut(SubscriptionAnswerOut):
    """What a billing system's order answers."""

    root_password = serializers.CharField(
        required=False,
        allow_null=True,
        help_text="Only when one was made, and only in the first answer. It is kept nowhere.",
    )
    root_password_shown = shown_before()


class GuestOrderAnswerOut(OrderAnswerOut):
    """What one's own order answers."""

    subscription = SubscriptionOut(allow_null=True, help_text="Null: staff gave sizes instead of a plan.")
    job = JobOut()
