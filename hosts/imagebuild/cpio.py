"""An initial RAM file system: the "newc" cpio archive of a list of files, made byte for byte the same every time."""

import stat
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file, a directory or a device node of the archive."""

    path: str
    mode: int
    content: bytes = b""
    device: tuple[int, int] = (0, 0)


def directory(path: str) -> Entry:
    """Return a directory's entry."""
    return Entry(path=path, mode=stat.S_IFDIR | 0o755)


def program(path: str, content: bytes) -> Entry:
    """Return an executable file's entry."""
    return Entry(path=path, mode=stat.S_IFREG | 0o755, content=content)


def character_device(path: str, *, major: int, minor: int) -> Entry:
    """Return a character device's entry."""
    return Entry(path=path, mode=stat.S_IFCHR | 0o600, device=(major, minor))


def archive(entries: Iterable[Entry]) -> bytes:
    """Return the archive. Format: Documentation/driver-api/early-userspace/buffer-format.rst of Linux."""
    parts = [_member(number, entry) for number, entry in enumerate(entries, start=1)]
    return b"".join(parts) + _member(0, Entry(path="TRAILER!!!", mode=0))


def _member(inode: int, entry: Entry) -> bytes:
    name = entry.path.encode() + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    fields = (inode, entry.mode, 0, 0, links, 0, len(entry.content), 0, 0, *entry.device, len(name), 0)
    header = b"070701" + b"".join(b"%08X" % value for value in fields)
    return _padded(header + name) + _padded(entry.content)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
