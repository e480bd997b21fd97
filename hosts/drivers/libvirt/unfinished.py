"""Volumes that are still being filled, and what a copy that died has left.

libvirt cannot rename a volume, so a copy is marked instead: before its first byte an empty volume ``NAME.partial``
is made, after its last one it is removed. A volume with such a mark does not exist for any reader, and the next
attempt replaces it. A worker or a host that dies in the middle leaves the mark.
"""

import time
from contextlib import suppress
from typing import Any

import libvirt

from hosts.drivers.libvirt.errors import is_code
from hosts.drivers.libvirt.xml.elements import to_text
from hosts.drivers.libvirt.xml.storage import volume_element
from hosts.drivers.types import VolumeFormat, VolumeRef
from panel.core.errors import HostTimeoutError

MARK = ".partial"
# A copy that its caller gave up goes on inside libvirtd, which keeps the volume until it ends.
BUSY_TIMEOUT_S, BUSY_POLL_S = 60.0, 0.2


def lookup(pool: Any, name: str) -> Any | None:
    """Return libvirt's object of a volume, finished or not; None when there is none."""
    try:
        return pool.storageVolLookupByName(name)
    except libvirt.libvirtError as error:
        if is_code(error, libvirt.VIR_ERR_NO_STORAGE_VOL):
            return None
        raise


def finished(pool: Any, ref: VolumeRef) -> Any | None:
    """Return libvirt's object of a finished volume; None when there is none."""
    if lookup(pool, ref.name + MARK) is not None:
        return None
    return lookup(pool, ref.name)


def begin(pool: Any, ref: VolumeRef) -> None:
    """Clear the way for a copy and mark it as unfinished."""
    clear(pool, ref)
    mark = volume_element(name=ref.name + MARK, format=VolumeFormat.RAW, capacity_bytes=0)
    pool.createXML(to_text(mark))


def finish(pool: Any, ref: VolumeRef) -> None:
    """Take the mark away: the copy is whole."""
    delete_named(pool, ref.name + MARK)


def give_up(pool: Any, ref: VolumeRef) -> None:
    """Remove a failed copy as far as that works; the mark stays where the copy does."""
    with suppress(libvirt.libvirtError, HostTimeoutError):
        clear(pool, ref)


def clear(pool: Any, ref: VolumeRef) -> None:
    """Remove what a copy has left that was not finished."""
    if lookup(pool, ref.name + MARK) is not None:
        delete_named(pool, ref.name)
        delete_named(pool, ref.name + MARK)


def delete_named(pool: Any, name: str) -> None:
    """Delete a volume, or find it gone; wait for a copy that libvirtd still makes."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while (volume := lookup(pool, name)) is not None:
        try:
            volume.delete()
        except libvirt.libvirtError as error:
            if is_code(error, libvirt.VIR_ERR_NO_STORAGE_VOL):
                return
            if not is_code(error, libvirt.VIR_ERR_OPERATION_INVALID, libvirt.VIR_ERR_OPERATION_FAILED):
                raise
            if time.monotonic() > deadline:
                raise HostTimeoutError("The host is still copying this disk.", detail=str(error)) from error
            time.sleep(BUSY_POLL_S)
