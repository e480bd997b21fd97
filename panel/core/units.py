"""The only unit arithmetic of the project. Sizes are whole numbers of binary units."""

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


def bytes_from_gib(gib: int) -> int:
    """Return the bytes of ``gib`` GiB."""
    return gib * GIB
