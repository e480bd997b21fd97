"""Pools and volumes."""

from hosts.drivers.libvirt.xml.elements import Element, child, element
from hosts.drivers.types import VolumeFormat


def pool_element(*, name: str, path: str) -> Element:
    """Build a directory pool."""
    pool = element("pool", type="dir")
    child(pool, "name", name)
    child(child(pool, "target"), "path", path)
    return pool


def volume_element(
    *,
    name: str,
    format: VolumeFormat,
    capacity_bytes: int,
    backing_path: str | None = None,
    backing_format: VolumeFormat | None = None,
) -> Element:
    """Build a thin volume, or an overlay on ``backing_path``. The backing's format is always stated."""
    volume = element("volume", type="file")
    child(volume, "name", name)
    child(volume, "capacity", capacity_bytes, unit="bytes")
    child(volume, "allocation", 0, unit="bytes")
    target = child(volume, "target")
    child(target, "format", type=format)
    child(child(target, "permissions"), "mode", "0600")
    if backing_path is not None:
        backing = child(volume, "backingStore")
        child(backing, "path", backing_path)
        child(backing, "format", type=backing_format)
    return volume
