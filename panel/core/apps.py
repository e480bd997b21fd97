"""The kernel app."""

from django.apps import AppConfig


class CoreConfig(AppConfig):
    """Accounts, jobs, audit."""

    name = "panel.core"
    label = "core"

    def ready(self) -> None:
        import panel.core.health_checks
        import panel.core.job_metrics  # noqa: F401 - adds its metrics
        from panel.core import login

        login.connect()
