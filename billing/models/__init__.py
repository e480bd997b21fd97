"""Tables of plans and subscriptions."""

from billing.models.plans import Plan
from billing.models.subscriptions import Subscription

__all__ = ["Plan", "Subscription"]
