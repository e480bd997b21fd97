"""Data to and from volumes over libvirt's streams. Nothing is read or written on the host in any other way."""

import os
from pathlib import Path
from typing import Any

import libvirt

from hosts.drivers.base import Progress

_BLOCK = 256 * 1024
_SECTOR = 512  # of st_blocks, whatever the file system


def upload_bytes(conn: Any, volume: Any, content: bytes) -> None:
    """Overwrite the start of a volume in place."""
    stream = conn.newStream()
    volume.upload(stream, 0, len(content))
    position = 0

    def read(_stream: Any, size: int, _opaque: None) -> bytes:
        nonlocal position
        block = content[position : position + size]
        position += len(block)
        return block

    stream.sendAll(read, None)
    stream.finish()


def upload_file(conn: Any, volume: Any, source: Path, *, progress: Progress) -> None:
    """Fill a new volume with a local file; holes stay holes."""
    done = 0

    def read(_stream: Any, size: int, _opaque: None) -> bytes:
        nonlocal done
        block = os.read(descriptor, min(size, _BLOCK))
        done += len(block)
        progress(done, max(done, total))
        return block

    with source.open("rb", buffering=0) as file:
        descriptor = file.fileno()
        end = os.fstat(descriptor).st_size
        total = min(end, os.fstat(descriptor).st_blocks * _SECTOR)
        stream = conn.newStream()
        volume.upload(stream, 0, end, libvirt.VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM)
        stream.sparseSendAll(
            read,
            lambda _stream, _opaque: _section(descriptor, end),
            lambda _stream, length, _opaque: os.lseek(descriptor, length, os.SEEK_CUR),
            None,
        )
        stream.finish()
        progress(done, done)


def _section(descriptor: int, end: int) -> tuple[bool, int]:
    """Return whether data follows here, and how many bytes of data or hole; (False, 0) at the end."""
    here = os.lseek(descriptor, 0, os.SEEK_CUR)
    if here >= end:
        return False, 0
    try:
        data = os.lseek(descriptor, here, os.SEEK_DATA)
    except OSError:  # ENXIO: only a hole follows
        data = end
    border = os.lseek(descriptor, here, os.SEEK_HOLE) if data == here else data
    os.lseek(descriptor, here, os.SEEK_SET)
    return data == here, border - here


def download(conn: Any, volume: Any, *, offset: int, length: int) -> bytes:
    """Read a part of a volume."""
    if length <= 0:
        return b""
    stream = conn.newStream()
    volume.download(stream, offset, length)
    blocks: list[bytes] = []
    stream.recvAll(lambda _stream, block, _opaque: blocks.append(block), None)
    stream.finish()
    return b"".join(blocks)
