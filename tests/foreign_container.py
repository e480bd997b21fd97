"""A container as somebody makes it without the panel: its root a directory of the host, beside it another one."""

import os
import subprocess
from pathlib import Path
from uuid import UUID

from hosts.drivers.types import CONTAINER_ROOT_UID, AddressSpec

_XML = """
<domain type="lxc">
  <name>{name}</name><uuid>{uuid}</uuid><memory unit="MiB">256</memory><vcpu>1</vcpu>
  <os><type arch="x86_64">exe</type><init>{init}</init></os>{idmap}
  <devices>
    <filesystem type="mount"><source dir="{root}"/><target dir="/"/></filesystem>
    <filesystem type="mount"><source dir="{shared}"/><target dir="/mnt"/></filesystem>
    <interface type="bridge"><mac address="{mac}"/><source bridge="{bridge}"/>{addresses}</interface>
    <console type="pty"/>
  </devices>
</domain>
"""
_IDMAP = f"""
  <idmap><uid start="0" target="{CONTAINER_ROOT_UID}" count="65536"/>
    <gid start="0" target="{CONTAINER_ROOT_UID}" count="65536"/></idmap>"""


def container_xml(
    *, name: str, uuid: UUID, folder: Path, mac: str, bridge: str, user_namespace: bool,
    init: str = "/init", addresses: tuple[AddressSpec, ...] = (),
) -> str:  # fmt: skip
    """Return its domain. In ``folder`` are its root ``rootfs``, and ``shared``, which it sees as /mnt."""
    shown = "".join(f'<ip address="{one.address}" prefix="{one.prefix}"/>' for one in addresses)
    gateways = "".join(f'<route address="0.0.0.0" gateway="{one.gateway}"/>' for one in addresses if one.gateway)
    return _XML.format(
        name=name, uuid=uuid, root=folder / "rootfs", shared=folder / "shared", mac=mac, bridge=bridge, init=init,
        idmap=_IDMAP if user_namespace else "", addresses=shown + gateways,
    )  # fmt: skip


def busybox_root(folder: Path, *, script: str, user_namespace: bool) -> None:
    """Make the directories of a container whose init is a shell script; busybox is ``$bb``."""
    _folder(folder, user_namespace=user_namespace)
    for directory in ("bin", "dev", "proc", "sys", "tmp", "mnt"):
        (folder / "rootfs" / directory).mkdir(parents=True)
    (folder / "rootfs" / "bin" / "busybox").write_bytes(Path("/bin/busybox").read_bytes())
    (folder / "rootfs" / "init").write_text(f"#!/bin/busybox sh\nbb=/bin/busybox\n{script}")
    for program in ("bin/busybox", "init"):
        (folder / "rootfs" / program).chmod(0o755)
    if user_namespace:
        _owners_moved(folder / "rootfs", CONTAINER_ROOT_UID)


def unpacked_root(folder: Path, *, image: Path, user_namespace: bool) -> None:
    """Make the directories of a container from the file system image of the panel's own containers."""
    _folder(folder, user_namespace=user_namespace)
    (folder / "rootfs").mkdir()
    dump = ["debugfs", "-R", f"rdump / {folder / 'rootfs'}", str(image)]
    subprocess.run(dump, capture_output=True, check=True)
    if not user_namespace:
        _owners_moved(folder / "rootfs", -CONTAINER_ROOT_UID)


def _folder(folder: Path, *, user_namespace: bool) -> None:
    folder.mkdir()
    folder.chmod(0o711)  # a container's root must reach it, and is nobody here
    (folder / "shared").mkdir()
    if user_namespace:
        _owners_moved(folder / "shared", CONTAINER_ROOT_UID)


def _owners_moved(tree: Path, by: int) -> None:
    for path in (tree, *tree.rglob("*")):
        owner = path.lstat()
        os.lchown(path, max(0, owner.st_uid + by), max(0, owner.st_gid + by))
        if not path.is_symlink():
            path.chmod(owner.st_mode & 0o7777)  # a change of owner takes setuid away
