"""The guests app."""

from django.apps import AppConfig


class VmsConfig(AppConfig):
    """Guests."""

    name = "vms"

    def ready(self) -> None:
        import vms.health
        import vms.metrics
        import vms.operations
        import vms.services.restored  # noqa: F401 - has its part in a restore
        from panel.core.naming import named_by
        from vms import selectors
        from vms.services import actions, bulk, retry

        actions.connect()
        retry.connect()
        bulk.connect()
        named_by("guest", selectors.guest_names)
