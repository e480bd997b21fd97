"""A container's file systems: mounted from their images before it starts, unmounted after it ended.

libvirt's own pools of type ``fs`` could mount them too, but they never unmount an image (libvirt 9.0 compares the
image's path with the loop device's), and nothing would mount it again when a container restarts by itself.
"""

import os
import struct
from typing import NamedTuple

from innkeeper_guest import MOUNTS_DIRECTORY, Mount
from innkeeper_process import run

_ROOT_OPTIONS = "loop,nodev"
_FSCK_CORRECTED = 1  # e2fsck(8): nothing is left to mend
_SEED_OPTIONS = "loop,ro,nodev,nosuid,noexec"


class Mounted(NamedTuple):
    """A line of /proc/self/mountinfo."""

    target: str
    source: str
    shared: bool


def mount_all(mounts: tuple[Mount, ...]) -> None:
    """Mount a container's images afresh; a root file system smaller than its image grows. Raises: HookError."""
    if not mounts:
        return
    _share_directory()
    for mount in mounts:
        unmount(mount.target)
        for directory in (os.path.dirname(mount.target), mount.target):
            # A container's root must reach it, and is nobody here.
            os.makedirs(directory, mode=0o711, exist_ok=True)
            os.chmod(directory, 0o711)  # noqa: S103 - to be passed through, not to be read
        if not mount.read_only and _room_to_grow(mount.image):
            _grow(mount.image)
        run("mount", "-t", "ext4", "-o", _SEED_OPTIONS if mount.read_only else _ROOT_OPTIONS, mount.image, mount.target)


def _grow(image: str) -> None:
    """Let the file system fill its image. Offline: a kernel may refuse to grow a mounted one even to root."""
    run("e2fsck", "-fp", image, worst=_FSCK_CORRECTED)
    run("resize2fs", image)


def unmount_all(name: str) -> None:
    """Unmount everything of a container and remove the directories."""
    directory = f"{MOUNTS_DIRECTORY}/{name}"
    for target in mounts_of(name):
        unmount(target)
    for path in (f"{directory}/root", f"{directory}/seed", directory):
        if os.path.isdir(path):
            os.rmdir(path)


def unmount(target: str) -> None:
    """Unmount ``target`` as often as it is mounted; its loop device goes with it."""
    for one in mounted():
        if one.target == target:
            run("umount", target)


def mounts_of(name: str) -> list[str]:
    """Return where a container's file systems are mounted now."""
    return [one.target for one in mounted() if one.target.startswith(f"{MOUNTS_DIRECTORY}/{name}/")]


def mounted() -> list[Mounted]:
    """Return everything mounted in this namespace (proc(5), mountinfo)."""
    found = []
    with open("/proc/self/mountinfo", encoding="utf-8") as lines:
        for line in lines:
            before, _, after = line.partition(" - ")
            fields = before.split()
            shared = any(field.startswith("shared:") for field in fields[6:])
            found.append(Mounted(target=fields[4], source=after.split()[1], shared=shared))
    return found


def _share_directory() -> None:
    """Make unmounting reach the namespaces of other containers' controllers.

    Each keeps a copy of what was mounted when it started; where mounts are private these copies would hold the
    loop devices of deleted containers for as long as any other container runs.
    """
    os.makedirs(MOUNTS_DIRECTORY, mode=0o711, exist_ok=True)
    holders = [one for one in mounted() if one.target == "/" or f"{MOUNTS_DIRECTORY}/".startswith(f"{one.target}/")]
    if not max(holders, key=lambda one: len(one.target)).shared:
        run("mount", "--bind", MOUNTS_DIRECTORY, MOUNTS_DIRECTORY)
        run("mount", "--make-shared", MOUNTS_DIRECTORY)


def _room_to_grow(image: str) -> bool:
    """True when an ext4 file system is smaller than its image (Documentation/filesystems/ext4, super block)."""
    with open(image, "rb") as file:
        file.seek(1024)
        block = file.read(1024)
        size = file.seek(0, os.SEEK_END)
    low, log_size = struct.unpack_from("<I", block, 4)[0], struct.unpack_from("<I", block, 24)[0]
    high = struct.unpack_from("<I", block, 0x150)[0] if struct.unpack_from("<I", block, 0x60)[0] & 0x80 else 0
    used = (low + (high << 32)) << (10 + log_size)
    # A last group that is too small for its own tables stays unused; trying at every start would cost time.
    return size - used >= 8 << 20
