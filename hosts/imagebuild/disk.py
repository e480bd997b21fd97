"""File systems and disks as files, made without mounting anything. Formats are always stated, never probed."""

import struct
from pathlib import Path

from hosts.imagebuild.commands import BuildError, run

MIB = 1 << 20
GROW_LIMIT_MIB = 1 << 20  # room for block descriptors: an image may grow to 1 TiB while mounted
PARTITION_OFFSET_BYTES = MIB
SECTOR_BYTES = 512
_BOOT_CODE_BYTES = 440  # the rest of the first sector is the partition table


def make_ext4(path: Path, *, tree: Path, capacity_bytes: int, offset_bytes: int = 0, journal_mib: int = 16) -> None:
    """Make an ext4 file system labelled ``root`` with the content of ``tree``, sparse.

    Args:
        path: the image file; made when missing, otherwise only its part from ``offset_bytes`` is written.
        capacity_bytes: size of the file system.

    Raises: BuildError, also when the tree does not fit.
    """
    with path.open("ab") as stream:
        stream.truncate(max(path.stat().st_size, offset_bytes + capacity_bytes))
    top = tree.stat()  # mke2fs copies every owner but the top directory's
    options = [
        f"resize={GROW_LIMIT_MIB * MIB // 4096}",
        f"root_owner={top.st_uid}:{top.st_gid}",
        "lazy_itable_init=1",
    ]
    if offset_bytes:
        options.append(f"offset={offset_bytes}")
    run("mke2fs", "-q", "-F", "-t", "ext4", "-L", "root", "-b", "4096", "-I", "256", "-m", "1",
        "-J", f"size={journal_mib}", "-E", ",".join(options), "-d", tree, path, f"{capacity_bytes // 1024}k",
        purpose="make the root file system")  # fmt: skip


def compress_qcow2(raw: Path, *, output: Path) -> None:
    """Convert a raw image to a compressed qcow2 one."""
    run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", "-c", "-o", "compression_type=zstd", "-m", "2",
        raw, output, purpose="compress the disk image")  # fmt: skip


def make_bootable(
    path: Path, *, tree: Path, capacity_bytes: int, boot: Path, core: Path, journal_mib: int = 64
) -> None:
    """Make a disk with one partition and GRUB for BIOS machines.

    The boot loader's image lies between the partition table and the partition, where grub-install would put it.

    Args:
        tree: the partition's content.
        boot: GRUB's first sector (boot.img).
        core: GRUB's image that can read the partition (made by grub-mkimage).
    """
    image = core.read_bytes()
    if len(image) > PARTITION_OFFSET_BYTES - SECTOR_BYTES:
        raise BuildError("Could not install the boot loader: it is larger than the gap before the partition.")
    make_ext4(path, tree=tree, capacity_bytes=capacity_bytes - PARTITION_OFFSET_BYTES,
              offset_bytes=PARTITION_OFFSET_BYTES, journal_mib=journal_mib)  # fmt: skip
    with path.open("r+b") as stream:
        stream.write(boot.read_bytes()[:_BOOT_CODE_BYTES] + _partition_table(capacity_bytes))
        stream.write(image)


def _partition_table(capacity_bytes: int) -> bytes:
    """Return the end of a master boot record: disk identifier, one bootable Linux partition, signature."""
    start = PARTITION_OFFSET_BYTES // SECTOR_BYTES
    sectors = capacity_bytes // SECTOR_BYTES - start
    beyond_chs = b"\xfe\xff\xff"
    entry = struct.pack("<B3sB3sII", 0x80, beyond_chs, 0x83, beyond_chs, start, sectors)
    return b"inke\0\0" + entry + bytes(48) + b"\x55\xaa"
