"""A guest's root as a directory tree on the builder: unpack, add files, change owners."""

import os
import shutil
import stat
import struct
from collections.abc import Iterable
from pathlib import Path

from hosts.drivers.types import CONTAINER_ROOT_UID
from hosts.imagebuild.commands import run

_CAPABILITY = "security.capability"


def unpack(packages: Iterable[Path], *, tree: Path) -> None:
    """Unpack Debian packages without running their scripts."""
    tree.mkdir(parents=True, exist_ok=True)
    for package in packages:
        run("dpkg-deb", "--extract", package, tree, purpose=f"unpack {package.name}")


def install(source: Path, *, tree: Path, path: str, mode: int = 0o644) -> None:
    """Put a file into the tree with the given mode, owned by root."""
    target = tree / path.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(mode)


def write(text: str, *, tree: Path, path: str, mode: int = 0o644) -> None:
    """Write a small file into the tree, replacing what was there, also a link."""
    target = tree / path.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    target.write_text(text)
    target.chmod(mode)


def link(to: str, *, tree: Path, path: str) -> None:
    """Make a symbolic link in the tree, replacing what was there."""
    target = tree / path.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    target.symlink_to(to)


def shift_owners(tree: Path, *, by: int = CONTAINER_ROOT_UID) -> None:
    """Add ``by`` to every owner and group below 65536, keeping setuid bits and file capabilities."""
    for entry in _entries(tree):
        before = entry.lstat()
        if before.st_uid >= by:
            continue  # a second name of a file already done
        capability = None if entry.is_symlink() else _get_capability(entry)
        os.chown(entry, before.st_uid + by, before.st_gid + by, follow_symlinks=False)
        if not stat.S_ISLNK(before.st_mode):
            entry.chmod(stat.S_IMODE(before.st_mode))  # the kernel dropped setuid
        if capability is not None:
            os.setxattr(entry, _CAPABILITY, shifted_capability(capability, root_uid=by))


def shifted_capability(value: bytes, *, root_uid: int) -> bytes:
    """Return a file capability that counts for the user namespace of ``root_uid``: revision 3 of
    ``struct vfs_ns_cap_data`` in linux/capability.h instead of revision 2.
    """
    (magic,) = struct.unpack_from("<I", value)
    effective = magic & 0x1
    return struct.pack("<I", 0x03000000 | effective) + value[4:20] + struct.pack("<I", root_uid)


def _get_capability(path: Path) -> bytes | None:
    try:
        return os.getxattr(path, _CAPABILITY, follow_symlinks=False)
    except OSError:
        return None


def _entries(tree: Path) -> Iterable[Path]:
    yield tree
    for folder, folders, files in os.walk(tree):
        for name in (*folders, *files):
            yield Path(folder, name)
