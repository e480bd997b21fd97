"""Running the services in the foreground: starting, restarting with a growing pause, ending in order."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from panel.setup.accounts import as_user
from panel.setup.errors import SetupError
from panel.setup.processes import ProcessRef, wait_for
from panel.setup.reasons import explain_output
from panel.setup.services import Service

_POLL_S = 0.5
_ALSO_EVERY_S = 5.0
_PAUSE_S = (1, 2, 5, 10, 30)
_STEADY_S = 60.0  # a service that ran this long starts its pauses from the beginning
_LOG_LIMIT_BYTES = 20_000_000
_TAIL_CHARS = 4000


@dataclass
class _Running:
    service: Service
    process: "subprocess.Popen[bytes]"
    started: float
    failures: int = 0
    restart_at: float | None = None


class Supervisor:
    """Keeps services running. Only the main thread may use it: the kernel ties the children to that thread."""

    def __init__(self, *, register: Path, say: Callable[[str], None]) -> None:
        """``register`` is the file that names the children, for the next run when this one is killed."""
        self._register = register
        self._say = say
        self._running: dict[str, _Running] = {}

    def end_leftovers(self) -> int:
        """End what a killed run left behind. Returns how many processes that were."""
        alive = [ref for ref in registered(self._register).values() if ref.is_alive()]
        for ref in reversed(alive):
            ref.end(timeout_s=10)
            _kill_group(ref.pid)
        self._register.unlink(missing_ok=True)
        return len(alive)

    def start(self, *services: Service) -> None:
        """Start services at the same time and wait until all are ready.

        Raises:
            SetupError: one ended or was not ready in time; names its log.
        """
        for service in services:
            self._running[service.name] = _Running(service, _spawn(service), time.monotonic())
            self._note()
        for service in services:
            _await(self._running[service.name])

    def watch(self, *, also: Callable[[], None]) -> NoReturn:
        """Restart what ends, until a signal's handler raises. ``also`` looks after what are no children of ours."""
        look_at = time.monotonic()
        while True:
            if time.monotonic() >= look_at:
                also()
                for running in self._running.values():
                    log_rotate(running.service.log)
                look_at = time.monotonic() + _ALSO_EVERY_S
            for running in self._running.values():
                self._look_after(running)
            time.sleep(_POLL_S)

    def names(self) -> dict[str, int]:
        """Return the process id of every service."""
        return {name: running.process.pid for name, running in self._running.items()}

    def stop(self) -> None:
        """End every service: all that use the stores at the same time, then the stores."""
        running_now = list(self._running.values())
        for is_store in (False, True):
            tier = [running for running in running_now if running.service.store is is_store]
            for running in tier:
                _signal(running.process, running.service.stop_signal)
            for running in tier:
                _wait(running)
        self._running.clear()
        self._register.unlink(missing_ok=True)

    def _look_after(self, running: _Running) -> None:
        now = time.monotonic()
        if running.restart_at is None:
            if running.process.poll() is None:
                return
            _kill_group(running.process.pid)  # what it left behind must not run beside its successor
            steady = now - running.started > _STEADY_S
            running.failures = 0 if steady else running.failures + 1
            pause = _PAUSE_S[min(running.failures, len(_PAUSE_S) - 1)]
            running.restart_at = now + pause
            name, code = running.service.name, running.process.returncode
            self._say(f"{name} ended ({_reason(code)}); again in {pause} s; log: {running.service.log}")
        elif now >= running.restart_at:
            running.process, running.started, running.restart_at = _spawn(running.service), now, None
            self._note()
            self._say(f"{running.service.name} started again")

    def _note(self) -> None:
        found = {name: ProcessRef.of(running.process.pid) for name, running in self._running.items()}
        partial = self._register.with_suffix(".partial")
        partial.write_text(json.dumps({name: vars(ref) for name, ref in found.items() if ref is not None}))
        partial.replace(self._register)


def registered(register: Path) -> dict[str, ProcessRef]:
    """Return the services that a supervisor noted, by name; none when there is no such file."""
    try:
        noted = json.loads(register.read_text())
    except (OSError, ValueError):
        return {}
    return {name: ProcessRef(**entry) for name, entry in noted.items()} if isinstance(noted, dict) else {}


def _await(running: _Running) -> None:
    service, process = running.service, running.process
    wait_for(lambda: process.poll() is not None or service.ready(), timeout_s=service.ready_s, poll_s=0.1)
    if process.poll() is not None or not service.ready():
        said = service.log.read_text(errors="replace")[-_TAIL_CHARS:]
        reason = explain_output(said)
        raise SetupError(f"{service.name} did not start{f': {reason}' if reason else ''} (its log: {service.log}).")


def log_rotate(log: Path, *, limit_bytes: int = _LOG_LIMIT_BYTES) -> bool:
    """Move what a large log holds into ``LOG.1``. Returns whether it was too large.

    The file itself stays and is emptied: a process that appends to it goes on doing so.
    """
    if not log.exists() or log.stat().st_size <= limit_bytes:
        return False
    shutil.copyfile(log, log.with_suffix(".log.1"))
    os.truncate(log, 0)
    return True


def _spawn(service: Service) -> "subprocess.Popen[bytes]":
    # A process group of its own: Ctrl-C at the terminal is for the supervisor, which ends the others in order.
    # Should the supervisor be killed, the kernel asks its children to end, each in its own good order.
    at_death = f"--pdeathsig={service.stop_signal.name.removeprefix('SIG')}"
    command = ["setpriv", at_death, *_without_setpriv(as_user(service.user, list(service.command)))]
    with service.log.open("ab") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=dict(service.environment),
            cwd=service.cwd,
            start_new_session=True,
            pass_fds=service.pass_fds,
        )


def _without_setpriv(command: list[str]) -> list[str]:
    return command[1:] if command[0] == "setpriv" else command


def _signal(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    if process.poll() is None:
        process.send_signal(number)


def _wait(running: _Running) -> None:
    try:
        running.process.wait(timeout=running.service.stop_s)
    except subprocess.TimeoutExpired:
        _kill_group(running.process.pid)
        running.process.wait()
    _kill_group(running.process.pid)


def _kill_group(group: int) -> None:
    """Kill what is left of a service's process group; its id is the service's own process id."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def _reason(code: int) -> str:
    return f"exit status {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
