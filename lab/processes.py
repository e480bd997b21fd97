"""Processes of a lab: started in a network namespace, with a log each, ended by their id."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path


class LabError(Exception):
    """The lab cannot be built. ``str(error)`` says what and where the reason is."""


def in_netns(netns: str | None, command: Sequence[str]) -> list[str]:
    """Return ``command`` to be run in a network namespace of ``/run/netns``; None is the caller's own.

    Not ``ip netns exec``, which mounts a new ``/sys`` and hides the control groups.
    """
    return [*command] if netns is None else ["nsenter", f"--net=/run/netns/{netns}", *command]


class Process:
    """One program in a process group of its own."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        cwd: Path = Path("/"),
        netns: str | None = None,
    ) -> None:
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                in_netns(netns, command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=None if environment is None else dict(environment),
                cwd=cwd,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def wait(self, *, timeout_s: float | None = None) -> int | None:
        """Return its exit status, None when it still runs after ``timeout_s``."""
        try:
            return self._process.wait(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def send(self, number: signal.Signals) -> None:
        """Send a signal to this one process; one that has ended is success."""
        if self.is_alive:
            self._process.send_signal(number)

    def stop(self, *, number: signal.Signals = signal.SIGTERM, timeout_s: float = 15) -> None:
        """Ask it to end, wait, then kill whatever is left of its group."""
        self.send(number)
        self.wait(timeout_s=timeout_s)
        self.kill()

    def kill(self) -> None:
        """Kill the whole group at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def tail(self, lines: int = 30) -> str:
        """Return the end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def wait_ready(process: Process, ready: Callable[[], bool], *, name: str, timeout_s: float = 60) -> None:
    """Wait until ``ready()``.

    Raises:
        LabError: the process ended, or was not ready in time.
    """
    deadline = time.monotonic() + timeout_s
    while not ready():
        if not process.is_alive or time.monotonic() > deadline:
            raise LabError(f"{name} did not start:\n{process.tail()}")
        time.sleep(0.05)


def free_port() -> int:
    """Return a TCP port of the loopback address that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def call(
    command: Sequence[str],
    *,
    netns: str | None = None,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    input: str | None = None,
    timeout_s: float = 120,
    check: bool = True,
) -> str:
    """Run a short program and return its standard output.

    Raises:
        LabError: it failed and ``check`` is set.
    """
    done = subprocess.run(
        in_netns(netns, command),
        input=input,
        stdin=subprocess.DEVNULL if input is None else None,
        capture_output=True,
        text=True,
        errors="replace",
        env=None if environment is None else dict(environment),
        cwd=cwd,
        timeout=timeout_s,
        check=False,
    )
    if check and done.returncode:
        raise LabError(
            f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip() or done.stdout.strip()}"
        )
    return done.stdout
