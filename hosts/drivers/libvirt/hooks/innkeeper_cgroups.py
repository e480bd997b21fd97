"""What libvirt's LXC driver leaves out: a limit on processes, and a control group that systemd inside may use.

With control groups of version 1 the hook makes groups, and the container's controller enters them before there is an
init (script ``innkeeper_lxc``), so that init and all its children are born in them. With version 2 libvirt and
systemd-machined give every container a scope, and systemd, whose the scope is, is told its limit as soon as it exists.

A container that was taken over has libvirt's own controller: with version 1 its init, and all that it has started until
then, is put into the group once it runs.
"""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from glob import glob

from innkeeper_guest import HookError
from innkeeper_process import run

ROOT = "/sys/fs/cgroup"
CONTAINER_ROOT_UID = 100_000  # as the driver has it in <idmap>
_END_TIMEOUT_S = 5.0


def prepare(name: str, max_processes: int) -> None:
    """Make a container's groups, before anything of it runs."""
    if os.path.isdir(f"{ROOT}/systemd") and not os.path.isdir("/run/systemd/system"):
        group = f"{_group('systemd', name)}/guest"
        os.makedirs(group, exist_ok=True)
        for path in (group, f"{group}/cgroup.procs", f"{group}/tasks"):
            os.chown(path, CONTAINER_ROOT_UID, CONTAINER_ROOT_UID)
    if max_processes and has_version_1():
        group = f"{_group('pids', name)}/guest"
        os.makedirs(group, exist_ok=True)
        _write(f"{group}/pids.max", max_processes)


def started(name: str, max_processes: int, controller: int) -> None:
    """Take the controller itself out of the limit again, so that a full container cannot starve it."""
    if max_processes and has_version_1():
        _enclose(f"{_group('pids', name)}/guest", controller)
        _write(f"{_group('pids', name)}/cgroup.procs", controller)
    elif max_processes:
        # Written into the file the limit would last until systemd next looks after its units.
        run("systemctl", "set-property", "--runtime", "--", _scope(controller), f"TasksMax={max_processes}")


def remove(name: str) -> None:
    """Remove a container's groups; its last processes may take a moment to end."""
    deadline = time.monotonic() + _END_TIMEOUT_S
    for group in groups_of(name):
        while os.path.isdir(group):
            try:
                os.rmdir(group)
            except OSError as error:
                if time.monotonic() > deadline:
                    raise HookError(f"a control group stays: {error}") from error
                time.sleep(0.02)


def groups_of(name: str) -> list[str]:
    """Return the groups made for a container, innermost first."""
    tops = [_group(controller, name) for controller in ("pids", "systemd")]
    return [path for top in tops if os.path.isdir(top) for path, _, _ in os.walk(top, topdown=False)]


def has_version_1() -> bool:
    """True when processes are limited by a hierarchy of version 1."""
    return os.path.isfile(f"{ROOT}/pids/cgroup.procs")


def obstacle() -> str:
    """Return why processes cannot be limited on this host; "" when they can."""
    if has_version_1():
        return ""
    try:
        with open(f"{ROOT}/cgroup.controllers", encoding="ascii") as file:
            controllers = file.read().split()
    except OSError:
        return "The host has no control groups."
    if "pids" not in controllers or not os.path.isdir("/run/systemd/machines"):
        return "The host has neither a pids hierarchy nor systemd-machined (package systemd-container)."
    return ""


def _group(controller: str, name: str) -> str:
    return f"{ROOT}/{controller}/innkeeper/{name}"


def _enclose(group: str, controller: int) -> None:
    """Put all processes below a controller into a group; what they make from then on is born there."""
    deadline = time.monotonic() + _END_TIMEOUT_S
    while outside := set(_below(controller)) - _members(group):
        if time.monotonic() > deadline:
            raise HookError("the container's processes cannot be limited")
        for pid in outside:
            with suppress(ProcessLookupError):
                _write(f"{group}/cgroup.procs", pid)


def _members(group: str) -> set[int]:
    with open(f"{group}/cgroup.procs", encoding="ascii") as file:
        return set(map(int, file.read().split()))


def _below(pid: int) -> Iterator[int]:
    """Name the processes that a process has made, and those that these have."""
    for path in glob(f"/proc/{pid}/task/*/children"):
        with suppress(FileNotFoundError, ProcessLookupError), open(path, encoding="ascii") as file:
            for child in map(int, file.read().split()):
                yield child
                yield from _below(child)


def _scope(pid: int) -> str:
    """Return the name of the machine's scope, in which a controller was put by systemd-machined."""
    parts = _group_of(pid).split("/")
    scopes = [part for part in parts if part.startswith("machine-") and part.endswith(".scope")]
    if not scopes:
        raise HookError("the container has no scope of its own")
    return scopes[0]


def _group_of(pid: int) -> str:
    """Return the path of a process's group, version 2."""
    with open(f"/proc/{pid}/cgroup", encoding="utf-8") as file:
        return next((line.strip()[3:] for line in file if line.startswith("0::")), "")


def _write(path: str, value: int) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(str(value))
