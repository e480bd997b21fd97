"""Volumes in directory pools.

A volume that is still being filled is marked (``unfinished``) and does not exist for any reader.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import libvirt

from hosts.drivers.base import Progress
from hosts.drivers.libvirt import pools, transfer, unfinished
from hosts.drivers.libvirt.connection import Session
from hosts.drivers.libvirt.errors import is_code
from hosts.drivers.libvirt.xml import parse
from hosts.drivers.libvirt.xml.elements import to_text
from hosts.drivers.libvirt.xml.storage import volume_element
from hosts.drivers.types import VolumeFormat, VolumeInfo, VolumeRef
from panel.core.errors import DriverError, HostTimeoutError, VolumeNotFoundError

_WATCH_S = 0.5


def find(session: Session, ref: VolumeRef) -> Any:
    """Return libvirt's object of a finished volume. Raises: VolumeNotFoundError."""
    pool = session.conn.storagePoolLookupByName(ref.pool)
    volume = unfinished.finished(pool, ref)
    if volume is None:
        raise VolumeNotFoundError(detail=f"{ref.pool}/{ref.name}")
    return volume


def path(session: Session, ref: VolumeRef) -> str:
    """Return where a volume is on its host. Raises: VolumeNotFoundError."""
    found: str = find(session, ref).path()
    return found


def info(session: Session, ref: VolumeRef) -> VolumeInfo:
    """Return one volume. Raises: VolumeNotFoundError."""
    return _info(ref.pool, find(session, ref))


def listing(session: Session, pool_name: str) -> list[VolumeInfo]:
    """List the finished volumes of a pool, sorted by name; directories in it are none."""
    pool = session.conn.storagePoolLookupByName(pool_name)
    pools.refresh(pool)
    volumes = {volume.name(): volume for volume in pool.listAllVolumes()}
    found = []
    for name in sorted(volumes):
        if not name.endswith(unfinished.MARK) and name + unfinished.MARK not in volumes:
            text = _described(volumes[name])
            if text is not None and not parse.is_directory(text):
                found.append(parse.volume_info(pool_name, text))
    return found


def _described(volume: Any) -> str | None:
    """Return a listed volume's XML; None when it was deleted since."""
    try:
        return str(volume.XMLDesc())
    except libvirt.libvirtError as error:
        if is_code(error, libvirt.VIR_ERR_NO_STORAGE_VOL):
            return None
        raise


def create(
    session: Session,
    ref: VolumeRef,
    *,
    format: VolumeFormat,
    capacity_bytes: int,
    backing: VolumeRef | None,
    backing_format: VolumeFormat | None,
) -> VolumeInfo:
    """Create a thin volume. Raises: DriverError when one of another shape is in the way; StorageFullError."""
    pool = session.conn.storagePoolLookupByName(ref.pool)
    backing_path = path(session, backing) if backing is not None else None
    if backing is not None and backing_format is None:
        raise DriverError("The format of a backing volume has to be stated.")
    unfinished.clear(pool, ref)
    xml = volume_element(
        name=ref.name,
        format=format,
        capacity_bytes=capacity_bytes,
        backing_path=backing_path,
        backing_format=backing_format,
    )
    try:
        volume = pool.createXML(to_text(xml))
    except libvirt.libvirtError as error:
        if not is_code(error, libvirt.VIR_ERR_STORAGE_VOL_EXIST):
            raise
        _wait_for_copies(pool)
        volume = pool.storageVolLookupByName(ref.name)
    made = _info(ref.pool, volume)
    same_backing = parse.volume_backing_path(volume.XMLDesc()) == (backing_path or "")
    if (made.format, made.capacity_bytes) != (format, capacity_bytes) or not same_backing:
        raise DriverError("A volume of this name and another shape exists already.", detail=str(made))
    return made


def clone(
    session: Session, ref: VolumeRef, *, source: VolumeRef, capacity_bytes: int, progress: Progress
) -> VolumeInfo:
    """Make a full copy. Raises: VolumeNotFoundError for the source, DriverError, StorageFullError."""
    pool = session.conn.storagePoolLookupByName(ref.pool)
    original = find(session, source)
    shape = _info(source.pool, original)
    capacity = max(capacity_bytes, shape.capacity_bytes)
    existing = unfinished.finished(pool, ref)
    if existing is not None:
        made = _info(ref.pool, existing)
        if (made.format, made.capacity_bytes) != (shape.format, capacity):
            raise DriverError("A volume of this name and another shape exists already.", detail=str(made))
        return made
    unfinished.begin(pool, ref)
    xml = volume_element(name=ref.name, format=shape.format, capacity_bytes=capacity)
    try:
        with _watched(pool, ref.name, shape.allocation_bytes, progress):
            volume = pool.createXMLFrom(to_text(xml), original)
        if volume.info()[1] < capacity:
            volume.resize(capacity)
    except libvirt.libvirtError:
        unfinished.give_up(pool, ref)
        raise
    unfinished.finish(pool, ref)
    return _info(ref.pool, volume)


def upload(session: Session, ref: VolumeRef, *, source: Path, format: VolumeFormat, progress: Progress) -> VolumeInfo:
    """Put a local file on the host. A finished volume of the same length is taken for it."""
    pool = session.conn.storagePoolLookupByName(ref.pool)
    size = source.stat().st_size
    existing = unfinished.finished(pool, ref)
    if existing is not None:
        if parse.volume_size_bytes(existing.XMLDesc()) != size:
            raise DriverError("A volume of this name and another size exists already.", detail=str(ref))
        return _info(ref.pool, existing)
    unfinished.begin(pool, ref)
    try:
        # As raw while it fills; libvirt finds out what it became when it looks at the directory again.
        volume = pool.createXML(to_text(volume_element(name=ref.name, format=VolumeFormat.RAW, capacity_bytes=size)))
        transfer.upload_file(session.conn, volume, source, progress=progress)
    except libvirt.libvirtError:
        unfinished.give_up(pool, ref)
        raise
    _wait_for_copies(pool)  # without a look at the directory libvirt would go on calling it raw
    unfinished.finish(pool, ref)
    made = info(session, ref)
    if made.format != format:
        delete(session, ref)
        raise DriverError("The file is not of the stated format.", detail=f"{made} is not {format}")
    return made


def resize(session: Session, ref: VolumeRef, *, capacity_bytes: int) -> None:
    """Grow a volume. Raises: DriverError when it would shrink."""
    volume = find(session, ref)
    capacity = volume.info()[1]
    if capacity_bytes < capacity:
        raise DriverError("A disk cannot be made smaller.")
    if capacity_bytes > capacity:
        volume.resize(capacity_bytes)


def delete(session: Session, ref: VolumeRef) -> None:
    """Delete a volume; a missing one, or a missing pool, is success."""
    try:
        pool = session.conn.storagePoolLookupByName(ref.pool)
    except libvirt.libvirtError as error:
        if is_code(error, libvirt.VIR_ERR_NO_STORAGE_POOL):
            return
        raise
    unfinished.delete_named(pool, ref.name)
    unfinished.delete_named(pool, ref.name + unfinished.MARK)


def overwrite(session: Session, ref: VolumeRef, *, content: bytes, block_bytes: int) -> None:
    """Create a raw volume with this content, or overwrite the whole of one in place, also one in use.

    What is longer than ``content`` becomes zeros; the volume's length is a multiple of ``block_bytes``.
    """
    pool = session.conn.storagePoolLookupByName(ref.pool)
    size = -(-len(content) // block_bytes) * block_bytes
    volume = unfinished.lookup(pool, ref.name)
    if volume is None:
        xml = volume_element(name=ref.name, format=VolumeFormat.RAW, capacity_bytes=size)
        volume = pool.createXML(to_text(xml))
    present = parse.volume_size_bytes(volume.XMLDesc())
    if present < size:
        volume.resize(size)
    transfer.upload_bytes(session.conn, volume, content.ljust(max(size, present), b"\0"))


def _info(pool: str, volume: Any) -> VolumeInfo:
    return parse.volume_info(pool, volume.XMLDesc())


@contextmanager
def _watched(pool: Any, name: str, total_bytes: int, progress: Progress) -> Iterator[None]:
    """Tell how far a copy is that libvirtd makes by itself: by what the new volume takes up so far."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_WATCH_S):
            with suppress(libvirt.libvirtError):  # not there yet
                allocation: int = pool.storageVolLookupByName(name).info()[2]
                progress(min(allocation, total_bytes), total_bytes)

    watcher = threading.Thread(target=watch, name="copy-progress", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
    progress(total_bytes, total_bytes)


def _wait_for_copies(pool: Any) -> None:
    """Wait until nothing is being made in a pool: until then libvirt shows a volume as it is at that moment.

    Looking at the directory again is what libvirt refuses meanwhile; there is no call that asks.
    """
    deadline = time.monotonic() + unfinished.BUSY_TIMEOUT_S
    while True:
        try:
            pool.refresh()
        except libvirt.libvirtError as error:
            busy = is_code(error, libvirt.VIR_ERR_INTERNAL_ERROR, libvirt.VIR_ERR_OPERATION_INVALID)
            if not busy:
                raise
            if time.monotonic() > deadline:
                raise HostTimeoutError("The host is still copying another disk.", detail=str(error)) from error
            time.sleep(unfinished.BUSY_POLL_S)
        else:
            return
