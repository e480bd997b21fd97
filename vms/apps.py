"""The guests app."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class VmsConfig(AppConfig):
    """Guests."""

    name = "vms"

    def ready(self) -> None:
        import vms.health
        import vms.metrics
        import vms.operations
        import vms.services.restored  # noqa: F401 - has its part in a restore
        from panel.core.naming import named_by, named_by_jobs
        from vms import selectors
        from vms.services import actions, bulk, retry
        from vms.states import GuestAction
        from vms.touch import touch_trigger_renew

        post_migrate.connect(touch_trigger_renew, sender=self)
        actions.connect()
        retry.connect()
        bulk.connect()
        named_by("guest", selectors.guest_names)
        named_by("difference", selectors.difference_names)
        named_by_jobs(GuestAction.ADOPT, selectors.adoption_names)
