"""The billing app."""

from django.apps import AppConfig


class BillingConfig(AppConfig):
    """Plans and subscriptions."""

    name = "billing"

    def ready(self) -> None:
        from billing.services import adoption, differences, retry

        adoption.connect()
        differences.connect()
        retry.connect()
