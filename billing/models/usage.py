"""What a contract was for, and when."""

from django.db import models
from django.db.models import F, Q

from billing.models.plans import Plan
from billing.models.subscriptions import Subscription


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
