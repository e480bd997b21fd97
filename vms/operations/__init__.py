"""What workers do to guests. Importing this package registers the operations."""

from vms.operations import adopt, create, delete, power, rebuild, release, repair, resize, seed, survey

__all__ = ["adopt", "create", "delete", "power", "rebuild", "release", "repair", "resize", "seed", "survey"]
