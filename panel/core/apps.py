"""The kernel app."""

from django.apps import AppConfig


class CoreConfig(AppConfig):
    """Accounts, jobs, audit."""

    name = "panel.core"
    label = "core"

    def ready(self) -> None:
        from panel.core import login

        login.connect()
