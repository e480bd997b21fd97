"""The wiring app: makes the Celery app known to every process that sets Django up."""

from django.apps import AppConfig


class PanelConfig(AppConfig):
    """Loads ``panel.celery`` so that ``shared_task`` finds the configured app in web processes too."""

    name = "panel"
    label = "panel"

    def ready(self) -> None:
        import panel.celery  # noqa: F401
