"""Finding and ending processes by their id, never by their name.

A process id alone is not an identity: ids are reused. Everywhere an id is kept, the process's start time (field
22 of ``/proc/PID/stat``, in clock ticks since boot) is kept beside it.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from panel.setup.errors import SetupError
from panel.setup.reasons import explain_output

_POLL_S = 0.05


@dataclass(frozen=True)
class ProcessRef:
    """One process of this boot."""

    pid: int
    start_ticks: int

    @classmethod
    def of(cls, pid: int) -> "ProcessRef | None":
        """Return the running process with this id; None when there is none (a zombie is none)."""
        try:
            # The command's name may hold spaces and parentheses, so the fields are counted after its last one.
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] in "ZX" else cls(pid, int(fields[19]))

    @classmethod
    def load(cls, path: Path) -> "ProcessRef | None":
        """Return the process a former ``save`` wrote down, if it still runs."""
        try:
            ref = cls(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError):
            return None
        return ref if ref.is_alive() else None

    def save(self, path: Path) -> None:
        """Write the process down; the file appears whole."""
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(self)))
        partial.replace(path)

    def is_alive(self) -> bool:
        return ProcessRef.of(self.pid) == self

    def end(self, *, timeout_s: float) -> bool:
        """Ask it to end, wait, and kill it when it does not. Returns False when it had to be killed."""
        self.send(signal.SIGTERM)
        if wait_for(lambda: not self.is_alive(), timeout_s=timeout_s):
            return True
        self.send(signal.SIGKILL)
        wait_for(lambda: not self.is_alive(), timeout_s=5)
        return False

    def send(self, number: signal.Signals) -> None:
        """Send a signal; a process that is gone is success."""
        if self.is_alive():
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return


def wait_for(condition: Callable[[], bool], *, timeout_s: float, poll_s: float = _POLL_S) -> bool:
    """Poll ``condition`` until it holds; False when it did not within ``timeout_s``."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(poll_s)
    return True


def namespace_id(pid: int | str, kind: str) -> int | None:
    """Return the inode of a process's namespace (``mnt``, ``uts``, ``net``); None when it cannot be read."""
    try:
        return os.stat(f"/proc/{pid}/ns/{kind}").st_ino
    except OSError:
        return None


def in_namespace(inode: int, kind: str) -> Iterator[ProcessRef]:
    """Yield every process that is in a namespace."""
    for entry in os.listdir("/proc"):
        if entry.isdigit() and namespace_id(entry, kind) == inode:
            ref = ProcessRef.of(int(entry))
            if ref is not None:
                yield ref


def untranslated() -> dict[str, str]:
    """Return this process's environment in the locale that every Debian has and nobody translates."""
    return {**os.environ, "LC_ALL": "C.UTF-8"}


def run(
    command: Sequence[str],
    *,
    failure: str,
    input: str | None = None,
    timeout_s: float = 120,
    cwd: Path | None = None,
) -> str:
    """Run a command and return what it printed, in English: some of it is read by programs.

    Raises:
        SetupError: it failed; the message is ``failure`` and the last line the command wrote, or what that means.
    """
    try:
        done = subprocess.run(
            command,
            input=input,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
            cwd=cwd,
            env=untranslated(),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SetupError(f"{failure}: {error}") from error
    if done.returncode:
        explained = explain_output(done.stderr)
        if explained:
            raise SetupError(f"{failure}: {explained}")
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise SetupError(f"{failure}: {lines[-1] if lines else f'{command[0]} returned {done.returncode}'}")
    return done.stdout
