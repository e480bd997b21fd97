"""What a customer pays for."""

from django.db import models
from django.db.models import F

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
