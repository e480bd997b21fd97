"""The hosts app."""

from django.apps import AppConfig


class HostsConfig(AppConfig):
    """Hosts, pools, networks, addresses, images."""

    name = "hosts"

    def ready(self) -> None:
        import hosts.operations  # noqa: F401 - registers operations
        from hosts.services import retry

        retry.connect()
