"""What workers do to guests. Importing this package registers the operations."""

from vms.operations import create, delete, power, rebuild, resize, seed

__all__ = ["create", "delete", "power", "rebuild", "resize", "seed"]
