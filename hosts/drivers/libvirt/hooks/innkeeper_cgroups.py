"""What libvirt's LXC driver leaves out: a limit on processes, and a control group that systemd inside may use.

With control groups of version 1 the container's controller is moved into groups of our own before it makes init,
which inherits them. With version 2 libvirt and systemd-machined give every container a scope, and the limit is
written there.
"""

import os
import time

from innkeeper_guest import HookError

ROOT = "/sys/fs/cgroup"
_OWNER = 100_000  # root of a container, see <idmap>
_END_TIMEOUT_S = 5.0


def pid_of_controller(name: str) -> int:
    """Return the process that will become the parent of a container's init."""
    with open(f"/run/libvirt/lxc/{name}.pid", encoding="ascii") as file:
        return int(file.read())


def enter(name: str, max_processes: int) -> None:
    """Move a container's controller, before init exists, to where init shall be."""
    pid = pid_of_controller(name)
    if os.path.isdir(f"{ROOT}/systemd"):
        for path in (f"{_group('systemd', name)}", f"{_group('systemd', name)}/init"):
            _make(path)
            _give_away(path)
        _write(f"{_group('systemd', name)}/cgroup.procs", pid)
    if max_processes and has_version_1():
        _make(f"{_group('pids', name)}/guest")
        _write(f"{_group('pids', name)}/guest/pids.max", max_processes)
        _write(f"{_group('pids', name)}/guest/cgroup.procs", pid)


def started(name: str, max_processes: int) -> None:
    """Take the controller itself out of the limit again, so that a full container cannot starve it."""
    if not max_processes:
        return
    pid = pid_of_controller(name)
    if has_version_1():
        _write(f"{_group('pids', name)}/cgroup.procs", pid)
    else:
        _write(f"{_scope(pid)}/pids.max", max_processes)


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
        return "The host has neither a pids hierarchy nor systemd-machined."
    return ""


def _group(controller: str, name: str) -> str:
    return f"{ROOT}/{controller}/innkeeper/{name}"


def _scope(pid: int) -> str:
    """Return the machine's scope, version 2, in which a controller was put by systemd-machined."""
    with open(f"/proc/{pid}/cgroup", encoding="utf-8") as file:
        path = next((line.strip()[3:] for line in file if line.startswith("0::")), "")
    head, mark, _ = path.partition(".scope")
    if not mark:
        raise HookError("the container has no scope of its own")
    return f"{ROOT}{head}{mark}"


def _make(path: str) -> None:
    os.makedirs(path, mode=0o755, exist_ok=True)


def _give_away(path: str) -> None:
    for name in ("", "cgroup.procs", "tasks"):
        os.chown(os.path.join(path, name), _OWNER, _OWNER)


def _write(path: str, value: int) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(str(value))
