"""The hosts app."""

from django.apps import AppConfig


class HostsConfig(AppConfig):
    """Hosts, pools, networks, addresses, images."""

    name = "hosts"

    def ready(self) -> None:
        import hosts.health
        import hosts.metrics
        import hosts.operations
        import hosts.services.restored  # noqa: F401 - all of these register what they do
        from hosts import selectors
        from hosts.services import retry
        from panel.core.naming import named_by, named_by_jobs

        retry.connect()
        named_by("host", selectors.host_names)
        named_by("image", selectors.image_names)
        named_by_jobs("image.copy", selectors.copy_names)
