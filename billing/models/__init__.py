"""Tables of plans, subscriptions and what was used."""

from billing.models.plans import Plan
from billing.models.subscriptions import Subscription, UsageInterval

__all__ = ["Plan", "Subscription", "UsageInterval"]
