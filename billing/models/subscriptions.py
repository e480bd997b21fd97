"""What a customer pays for, and when it was on which plan."""

from django.db import models
from django.db.models import F, Q

from billing.models.plans import Plan
from billing.states import SubscriptionStatus
from panel.core.models import ApiClient, Customer
from panel.core.models.base import VersionedRecord
from vms.models import Guest


class Subscription(VersionedRecord):
    """A customer's contract for one guest on one plan."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="subscriptions")
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="subscriptions")
    guest = models.OneToOneField(Guest, null=True, on_delete=models.PROTECT, related_name="subscription")
    client = models.ForeignKey(ApiClient, null=True, on_delete=models.PROTECT, related_name="+")
    external_id = models.CharField(max_length=120, null=True, blank=True)
    order_hash = models.CharField(max_length=64, blank=True)  # of the order's body: a repeat must be equal
    status = models.CharField(max_length=16, choices=SubscriptionStatus, default=SubscriptionStatus.ACTIVE)
    terminated_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "external_id"], name="billing_subscription_external_id")
        ]
        indexes = [
            models.Index(F("created_at").desc(), F("id").desc(), name="billing_subscription_newest"),
            models.Index("customer", F("created_at").desc(), F("id").desc(), name="billing_subscription_of"),
        ]

    def __str__(self) -> str:
        return f"{self.plan_id} for {self.customer_id}"


class UsageInterval(models.Model):
    """A time in which a subscription was on one plan; ``ends_at`` null: it still is.

    A trigger on subscriptions (migration ``billing.0004``) writes these rows and nothing else does, so that every
    way by which a plan changes is in them. Rows that have ended stay as they are: they are what was used.
    """

    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="intervals")
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="+")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["subscription"], condition=Q(ends_at__isnull=True), name="billing_interval_one_open"
            ),
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True) | Q(ends_at__gte=F("starts_at")), name="billing_interval_forward"
            ),
        ]
        indexes = [models.Index(fields=["subscription", "starts_at"], name="billing_interval_of")]

    def __str__(self) -> str:
        return f"{self.subscription_id} on {self.plan_id} from {self.starts_at}"
