"""The guests app."""

from django.apps import AppConfig


class VmsConfig(AppConfig):
    """Guests."""

    name = "vms"

    def ready(self) -> None:
        import vms.operations  # noqa: F401 - registers operations
        from vms.services import actions, retry

        actions.connect()
        retry.connect()
