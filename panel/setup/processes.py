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
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from panel.setup.errors import SetupError
from panel.setup.reasons import explain_output

_POLL_S = 0.05
_INTERRUPTED_S = 5.0  # what a program may take to clean up after an interrupt


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


@contextmanager
def running(command: Sequence[str], **options: Any) -> Iterator["subprocess.Popen[Any]"]:
    """Start a program (options as of ``Popen``) and wait for its end.

    It has a process group of its own. What cuts the block, as Ctrl-C does, interrupts the whole group and waits: a
    program that is killed at once leaves what it started at work, and takes nothing away that it has half made.
    """
    with subprocess.Popen(command, start_new_session=True, **options) as process:
        try:
            yield process
            process.wait()
        except BaseException:
            _send_group(process.pid, signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=_INTERRUPTED_S)
            _send_group(process.pid, signal.SIGKILL)
            raise


def _send_group(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, number)


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
        with running(
            command,
            stdin=subprocess.PIPE if input is not None else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            cwd=cwd,
            env=untranslated(),
        ) as process:
            printed, complaints = process.communicate(input, timeout=timeout_s)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SetupError(f"{failure}: {error}") from error
    if process.returncode:
        explained = explain_output(complaints)
        if explained:
            raise SetupError(f"{failure}: {explained}")
        lines = (complaints.strip() or printed.strip()).splitlines()
        raise SetupError(f"{failure}: {lines[-1] if lines else f'{command[0]} returned {process.returncode}'}")
    return str(printed)
