"""Prepare a private libvirtd's mount and UTS namespace, then hold it for ever.

Run as a script, already inside the new namespaces (``unshare --mount --uts``), with one argument: a JSON object
``{"name", "run_dir", "prepared", "hide_kvm", "own_network", "binds": [[source, target], …]}``; ``prepared`` when the
namespace has its mounts already and only lost its holder. Prints ``ready``, waits for a line on its standard input and
becomes ``sleep``; prints one sentence and returns 1 when it cannot. That line comes when whoever started it has noted
its process id: a set-up that is cut before leaves no holder that nobody knows of. It must stand alone: no import from
this package.

The mounts, and why:

* a directory of the caller's over ``/run``, because libvirtd, virtlogd and the domains keep sockets and pid files
  there, and a second libvirtd on the machine must not see the first one's;
* directories over ``/etc/libvirt`` and libvirt's three directories below ``/var``, for the same reason;
* with a network namespace of its own, a fresh ``/sys``, so that ``/sys/class/net`` shows that one's interfaces;
* a cgroup tree that is wholly version 1 or wholly version 2: libvirt's LXC driver refuses the hybrid layout;
* a ``/dev`` without ``kvm`` when acceleration does not work: with it, libvirt 9 probes QEMU anew at each define.
"""

import json
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

_CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "net_cls", "perf_event")
_CGROUPS = Path("/sys/fs/cgroup")
_LOOP_MAJOR = 7
_LOOP_NODES = 1024


def main() -> NoReturn:
    spec = json.loads(sys.argv[1])
    try:
        if not spec["prepared"]:
            _prepare(spec)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", None) or error
        print(f"cannot make the namespace: {str(reason).strip()}", flush=True)
        sys.exit(1)
    print("ready", flush=True)
    if not sys.stdin.readline():
        sys.exit(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    os.execvp("sleep", ["sleep", "infinity"])  # noqa: S606 - there is no shell on purpose


def _prepare(spec: dict[str, Any]) -> None:
    socket.sethostname(spec["name"])
    version_2 = _is_version_2()
    for source, target in spec["binds"]:
        os.makedirs(target, exist_ok=True)
        _mount("--bind", source, target)
    _bind_run(Path(spec["run_dir"]))
    if spec["own_network"]:
        _mount("-t", "sysfs", "sysfs", "/sys")
    if not version_2:
        _mount_version_1()
    elif spec["own_network"]:
        _mount("-t", "cgroup2", "cgroup2", str(_CGROUPS))
    if spec["hide_kvm"]:
        _replace_dev(Path(spec["run_dir"]))


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True, text=True)


def _bind_run(run_dir: Path) -> None:
    """Put ``run_dir`` over ``/run``, and again at its own path when that lies below ``/run``: one path, one meaning."""
    below = run_dir.relative_to("/run") if run_dir.is_relative_to("/run") else None
    if below is not None:
        (run_dir / below).mkdir(parents=True, exist_ok=True)
    _mount("--bind", str(run_dir), "/run")
    if below is not None:
        _mount("--bind", "/run", f"/run/{below}")


def _is_version_2() -> bool:
    return any(
        line.split()[1:3] == [str(_CGROUPS), "cgroup2"] for line in Path("/proc/mounts").read_text().splitlines()
    )


def _mount_version_1() -> None:
    _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(_CGROUPS))
    enabled = {line.split()[0] for line in Path("/proc/cgroups").read_text().splitlines() if line.endswith("1")}
    for controller in _CONTROLLERS:
        if controller in enabled:
            _mount_controller(controller, controller)
    _mount_controller("systemd", "none,name=systemd")


def _mount_controller(name: str, options: str) -> None:
    target = _CGROUPS / name
    target.mkdir()
    try:
        _mount("-t", "cgroup", "-o", options, "cgroup", str(target))
    except subprocess.CalledProcessError:
        target.rmdir()  # the kernel keeps this controller for itself; libvirt does without


def _replace_dev(scratch: Path) -> None:
    """Mount a copy of ``/dev`` without ``kvm`` over it.

    Loop devices are made by the kernel when they are needed, in the real ``/dev`` only, so their nodes are all
    there from the start.
    """
    new = scratch / ".dev"
    new.mkdir(exist_ok=True)
    _mount("-t", "tmpfs", "-o", "mode=755,nosuid", "tmpfs", str(new))
    mounts = set(_mount_points())
    for entry in os.scandir("/dev"):
        if entry.name != "kvm":
            _copy_node(Path(entry.path), new / entry.name, mounts)
    for number in range(_LOOP_NODES):
        node = new / f"loop{number}"
        if not node.exists():
            os.mknod(node, 0o660 | stat.S_IFBLK, os.makedev(_LOOP_MAJOR, number))
    # The old mounts must go, not only be hidden: QEMU's driver moves every mount that /proc/mounts shows below /dev.
    for target in reversed([path for path in _mount_points() if path == "/dev" or path.startswith("/dev/")]):
        subprocess.run(["umount", "--lazy", target], check=True, capture_output=True, text=True)
    _mount("--move", str(new), "/dev")
    new.rmdir()


def _mount_points() -> list[str]:
    """Return every mount's target in the order they were made; one that was mounted on twice appears twice."""
    return [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]


def _copy_node(source: Path, target: Path, mounts: set[str]) -> None:
    found = source.lstat()
    if stat.S_ISLNK(found.st_mode):
        target.symlink_to(source.readlink())
    elif stat.S_ISDIR(found.st_mode):
        target.mkdir(mode=stat.S_IMODE(found.st_mode))
        if str(source) in mounts:
            _mount("--rbind", str(source), str(target))
            return
        for entry in os.scandir(source):
            _copy_node(Path(entry.path), target / entry.name, mounts)
    elif stat.S_ISCHR(found.st_mode) or stat.S_ISBLK(found.st_mode):
        os.mknod(target, found.st_mode, found.st_rdev)
        os.chown(target, found.st_uid, found.st_gid)
        target.chmod(stat.S_IMODE(found.st_mode))  # mknod's mode passed through the umask


if __name__ == "__main__":
    main()
