"""The only unit arithmetic of the project. Sizes are whole numbers of binary units."""

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


def mib_from_kib(kib: int) -> int:
    """Return whole MiB, rounded down: libvirt speaks KiB, we sell MiB."""
    return kib // 1024


def bytes_from_gib(gib: int) -> int:
    """Return the bytes of ``gib`` GiB."""
    return gib * GIB


def gib_from_bytes(size_bytes: int) -> int:
    """Return whole GiB, rounded up: a volume of 1.2 GiB needs a disk of 2 GiB."""
    return -(-size_bytes // GIB)
