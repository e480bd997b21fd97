"""The billing app."""

from django.apps import AppConfig


class BillingConfig(AppConfig):
    """Plans and subscriptions."""

    name = "billing"
