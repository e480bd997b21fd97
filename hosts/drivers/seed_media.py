"""A seed as a guest finds it: an ISO image for a machine, a small ext4 image for a container."""

import io
import os
import shutil
import subprocess
import tempfile
from pathlib import Path, PurePosixPath

import pycdlib

from hosts.drivers.types import CONTAINER_ROOT_UID, SeedFiles
from panel.core.errors import DriverError

EXT4_SEED_BYTES = 1 << 20


def seed_iso(seed: SeedFiles) -> bytes:
    """Return the seed as an ISO 9660 image with Rock Ridge and Joliet names and the seed's label."""
    iso = pycdlib.PyCdlib()
    iso.new(interchange_level=3, joliet=3, rock_ridge="1.09", vol_ident=seed.label)
    for number, folder in enumerate(_folders(seed)):
        iso.add_directory(f"/D{number}", rr_name=folder, joliet_path=f"/{folder}", file_mode=0o040700)
    folders = {folder: f"/D{number}" for number, folder in enumerate(_folders(seed))}
    for number, (name, content) in enumerate(sorted(seed.files.items())):
        path = PurePosixPath(name)
        parent = folders.get(str(path.parent), "")
        iso.add_fp(
            io.BytesIO(content),
            len(content),
            f"{parent}/F{number}.;1",
            rr_name=path.name,
            joliet_path=f"/{name}",
            file_mode=0o100600,
        )
    output = io.BytesIO()
    iso.write_fp(output)
    iso.close()
    return output.getvalue()


def seed_ext4(seed: SeedFiles) -> bytes:
    """Return the seed as an ext4 image whose files belong to a container's root and to nobody else.

    Needs e2fsprogs, no privilege. Raises: DriverError when it fails.
    """
    with tempfile.TemporaryDirectory(prefix="innkeeper-seed-") as scratch:
        tree = Path(scratch, "tree")
        tree.mkdir(mode=0o755)
        for name, content in seed.files.items():
            path = tree / name
            path.parent.mkdir(mode=0o755, exist_ok=True)
            path.write_bytes(content)
            path.chmod(0o600)
        image = Path(scratch, "seed.ext4")
        with image.open("wb") as stream:
            stream.truncate(EXT4_SEED_BYTES)
        owner = f"root_owner={CONTAINER_ROOT_UID}:{CONTAINER_ROOT_UID}"
        _run("mke2fs", "-q", "-F", "-t", "ext4", "-b", "1024", "-O", "^has_journal", "-m", "0",
             "-L", seed.label, "-E", owner, "-d", str(tree), str(image))  # fmt: skip
        _run("debugfs", "-w", "-f", "-", str(image), commands=_owner_commands(seed))
        return image.read_bytes()


def _folders(seed: SeedFiles) -> list[str]:
    return sorted({str(PurePosixPath(name).parent) for name in seed.files} - {"."})


def _owner_commands(seed: SeedFiles) -> str:
    """Return debugfs commands that give everything to the container's root."""
    names = [*_folders(seed), *sorted(seed.files), "lost+found"]
    return "".join(f"sif /{name} {key} {CONTAINER_ROOT_UID}\n" for name in names for key in ("uid", "gid"))


def _run(program: str, *arguments: str, commands: str | None = None) -> None:
    """Run a program of e2fsprogs, which a plain user's PATH may not name."""
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        raise DriverError("The seed could not be written.", detail=f"{program} is not installed (package e2fsprogs)")
    done = subprocess.run([path, *arguments], input=commands, capture_output=True, text=True, timeout=30, check=False)
    if done.returncode:
        raise DriverError("The seed could not be written.", detail=f"{program}: {done.stderr.strip()[-500:]}")
