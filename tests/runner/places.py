"""Where a test run keeps what it makes. Nothing is shared with a running ``make up`` but the image cache."""

import fcntl
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lab.namespaces import netns_remove, netns_with_prefix
from lab.processes import LabError, call
from panel.setup.layout import checkout_id


@dataclass(frozen=True)
class Places:
    """The places of one run.

    Attributes:
        checkout: the clone under test.
        name: in the name of everything that the machine knows by name; at most 9 characters.
        state: databases, guests' disks, logs; removed at the end.
        run_dir: sockets; a short path.
        cache: built images; survives the run.
        kept_logs: where the logs of a failed run are left.
    """

    checkout: Path
    name: str
    state: Path
    run_dir: Path
    cache: Path
    kept_logs: Path

    @property
    def logs(self) -> Path:
        return self.state / "log"

    @property
    def images(self) -> Path:
        """One folder (a link into the cache) per image that is ready."""
        return self.state / "images"

    @property
    def kernels(self) -> Path:
        """Packages of kernels, in a full run."""
        return self.state / "kernels"

    @property
    def python(self) -> Path:
        return self.checkout / ".venv" / "bin" / "python"

    def netns(self, lane: str) -> str:
        """Return the name of the network namespace of a lane."""
        return f"{self.name}-{lane}"


def find_places(checkout: Path) -> Places:
    """Return the places of a run in ``checkout``."""
    letter = os.environ.get("INNKEEPER_TEST_LETTER", "")[:1]
    name = f"inkt{checkout_id(checkout.resolve())}{letter}"
    return Places(
        checkout=checkout.resolve(),
        name=name,
        state=Path("/var/tmp") / name,
        run_dir=Path("/run") / name,
        cache=Path(os.environ.get("INNKEEPER_CACHE") or "/var/cache/innkeeper").absolute(),
        kept_logs=checkout.resolve() / "var" / f"test-logs{letter}",
    )


def claim(places: Places) -> IO[str]:
    """Take the places for this run; clears what a killed run left. The run holds them while the file is open.

    Raises:
        LabError: another run of this checkout is at work.
    """
    lock = Path(f"{places.run_dir}.lock").open("w")  # noqa: SIM115 - open as long as the run lasts
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise LabError("Another test run of this checkout is at work; wait for it or use another clone.") from None
    clear(places)
    for folder, mode in ((places.state, 0o711), (places.run_dir, 0o755), (places.cache, 0o755)):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(mode)
    for folder in (places.logs, places.images):
        folder.mkdir()
    return lock


def clear(places: Places) -> None:
    """End every process in the run's namespaces and remove namespaces, mounts and folders."""
    for name in [*netns_with_prefix(f"{places.name}-")]:  # not those of a run beside this one, with a letter
        netns_remove(name)
    for target in reversed(_mounts_below(places.state, places.run_dir)):
        call(["umount", "--lazy", target], check=False)
    for folder in (places.state, places.run_dir):
        if folder.is_symlink() or (folder.exists() and folder.stat().st_uid != 0):
            raise LabError(f"{folder} is not root's; remove it.")
        shutil.rmtree(folder, ignore_errors=True)


def keep_logs(places: Places) -> None:
    """Put the logs of a failed run where they survive; those of the last failure only."""
    shutil.rmtree(places.kept_logs, ignore_errors=True)
    shutil.copytree(places.logs, places.kept_logs, ignore_dangling_symlinks=True)


def _mounts_below(*folders: Path) -> list[str]:
    targets = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    return [target for target in targets if any(Path(target).is_relative_to(folder) for folder in folders)]
