"""What workers do to hosts and images. Importing this package registers the operations."""

from hosts.operations import hosts, images

__all__ = ["hosts", "images"]
