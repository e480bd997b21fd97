"""What was built, for whoever takes the files: ``manifest.json`` beside them."""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

NAME = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Artefact:
    """One file of an image. ``capacity_bytes`` is what a guest sees of a disk."""

    file: str
    format: str
    sha256: str
    size_bytes: int
    capacity_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """An image: what it is, what it needs, its files by role (kvm_disk, kernel, initrd, lxc_root)."""

    slug: str
    name: str
    os: str
    version: str
    boot: str  # "disk": has its own boot loader; "kernel": is started with kernel and initrd
    cloud_init: bool
    host_types: tuple[str, ...]
    min_disk_gib: int
    min_memory_mib: int  # with which it still boots on every host type
    kernel_arguments: str
    lxc_init: str
    files: dict[str, Artefact]


def artefact(path: Path, *, format: str, capacity_bytes: int = 0) -> Artefact:
    """Describe a finished file. Without a capacity it is the file's size."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    size = path.stat().st_size
    return Artefact(
        file=path.name, format=format, sha256=digest, size_bytes=size, capacity_bytes=capacity_bytes or size
    )


def write(manifest: Manifest, *, directory: Path) -> None:
    """Write ``manifest.json`` so that it is there whole or not at all."""
    draft = directory / f".{NAME}.new"
    with draft.open("w") as stream:
        json.dump(asdict(manifest), stream, indent=2)
        stream.write("\n")
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(directory / NAME)
