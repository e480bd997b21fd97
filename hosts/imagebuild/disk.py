"""File systems and disks as files, made without mounting anything. Formats are always stated, never probed."""

from pathlib import Path

from hosts.imagebuild.commands import run

MIB = 1 << 20
GROW_LIMIT_MIB = 1 << 20  # room for block descriptors: an image may grow to 1 TiB while mounted


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
