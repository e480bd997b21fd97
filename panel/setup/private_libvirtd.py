"""A libvirtd of our own, beside any other on the machine, for machines without systemd and for test hosts.

It lives in a mount and UTS namespace that a holder process keeps open, so libvirtd may die and come back and still
find its mounts and its guests. One instance may share the machine's network namespace or have one of its own.
"""

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from panel.setup.errors import SetupError
from panel.setup.kvm_probe import kvm_usable
from panel.setup.libvirtd_files import libvirtd_conf, put, qemu_conf
from panel.setup.processes import ProcessRef, in_namespace, namespace_id, run, wait_for

_HOLDER = Path(__file__).with_name("namespace_holder.py")
_REAPER = Path(__file__).with_name("reaper.py")
_START_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 10.0
_MAX_SOCKET_PATH = 107  # sun_path in unix(7), without its final zero
_BOOT_FILE = "innkeeper-boot"  # in its /run; the hook scripts write there which start of the host this is
_BINDS = {
    "etc": "/etc/libvirt",
    "lib": "/var/lib/libvirt",
    "cache": "/var/cache/libvirt",
    "log": "/var/log/libvirt",
}


@dataclass(frozen=True)
class PrivateLibvirtd:
    """One libvirtd with everything that is its own.

    Args:
        name: the host name it sees and the guests' host is called; also in its process titles.
        directory: where its configuration, domains and logs are kept; survives ``stop``.
        run_dir: its ``/run``; short, because unix socket paths are limited. Outside the namespace its sockets are
            below this path; a path below it means the same inside when it is itself below ``/run``.
        hooks: every file in here is installed as one of libvirt's hook scripts. libvirtd looks for hooks only when
            it starts, so ``start`` starts it anew when they, or its configuration, are not what they were.
        netns: name of a network namespace in ``/run/netns`` (or its path) to live in; None for the caller's.
        socket_group: group whose members may use the sockets; None leaves them to root.
        listen_tcp: address for the unprotected TCP socket (port 16509) and for migration. Tests only.
        host_uuid: the host's identity; by default derived from the machine's and from ``directory``.
    """

    name: str
    directory: Path
    run_dir: Path
    hooks: Path
    netns: str | None = None
    socket_group: str | None = None
    listen_tcp: str | None = None
    host_uuid: str | None = None

    @property
    def socket(self) -> Path:
        """The read-write socket, as seen outside the namespace."""
        return self.run_dir / "libvirt" / "libvirt-sock"

    @property
    def kvm_uri(self) -> str:
        return f"qemu+unix:///system?socket={self.socket}"

    @property
    def lxc_uri(self) -> str:
        return f"lxc+unix:///system?socket={self.socket}"

    def is_alive(self) -> bool:
        """True when libvirtd accepts connections."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            try:
                client.connect(str(self.socket))
            except OSError:
                return False
        return True

    def is_running(self) -> bool:
        """True when anything of it runs, be it only its guests."""
        return self._anchor() is not None

    def start(self) -> None:
        """Start what is missing of holder, virtlogd and libvirtd; what runs is left alone.

        But a libvirtd of an older configuration, or with older hook scripts, is replaced; its guests do not notice.

        Raises:
            SetupError: something did not start; the sentence says what and where its log is.
        """
        if len(str(self.socket)) > _MAX_SOCKET_PATH:
            raise SetupError(f"The path {self.run_dir} is too long for unix sockets; choose a shorter one.")
        logs = [self.directory / "log" / driver for driver in ("qemu", "lxc")]  # virtlogd does not make them
        for directory in (self.run_dir, *self._sources(), *logs):
            directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        anchor = self._hold()
        digest, noted = self._write_configuration(), self.run_dir / "configuration"
        outdated = self._daemon("libvirtd")
        if outdated is not None and not (noted.exists() and noted.read_text() == digest):
            outdated.end(timeout_s=_STOP_TIMEOUT_S)
        if self._daemon("virtlogd") is None:
            self._enter(anchor, ["virtlogd", "-d"], failure="virtlogd does not start")
        if self._daemon("libvirtd") is None:
            listen = ["--listen"] if self.listen_tcp else []
            reaped = [sys.executable, "-I", str(_REAPER), "libvirtd", "-d", *listen]
            self._enter(anchor, reaped, failure="libvirtd does not start")
            noted.write_text(digest)
        if not wait_for(self.is_alive, timeout_s=_START_TIMEOUT_S):
            raise SetupError(f"libvirtd does not answer; its log is {self.directory / 'log' / 'libvirtd.log'}.")

    def stop(self, *, guests: bool) -> None:
        """Stop libvirtd; with ``guests`` also cut their power, and end everything that lives in the namespace.

        Without ``guests`` they run on, with virtlogd, which keeps their consoles, and the holder; a later ``start``
        finds them again.
        """
        anchor = self._anchor()
        uts = namespace_id(anchor.pid, "uts") if anchor is not None else None
        if guests and anchor is not None:
            with suppress(SetupError):  # a libvirtd that cannot stop them is no reason to leave them running
                self.start()
                for uri in (self.kvm_uri, self.lxc_uri):
                    _destroy_domains(uri)
        for daemon in ("libvirtd", "virtlogd") if guests else ("libvirtd",):
            process = self._daemon(daemon)
            if process is not None:
                process.end(timeout_s=_STOP_TIMEOUT_S)
        if guests:
            if anchor is not None:
                self._remove_groups(anchor)
            self._empty_namespace(uts)
            # For the panel that is as a restart of the host: what should run is started again with the next ``start``.
            (self.run_dir / _BOOT_FILE).unlink(missing_ok=True)

    def _sources(self) -> list[Path]:
        return [self.directory / name for name in _BINDS]

    def _write_configuration(self) -> str:
        """Write what libvirtd reads when it starts. Returns a digest of it."""
        etc = self.directory / "etc"
        filters = Path("/etc/libvirt/nwfilter")
        if filters.is_dir() and not (etc / "nwfilter").exists():
            shutil.copytree(filters, etc / "nwfilter")
        (etc / "hooks").mkdir(exist_ok=True)
        identity = self.host_uuid or _derived_uuid(self.directory)
        conf = libvirtd_conf(host_uuid=identity, socket_group=self.socket_group, listen_tcp=self.listen_tcp)
        scripts = [path for path in sorted(self.hooks.iterdir()) if path.is_file()] if self.hooks.is_dir() else []
        files = {
            etc / "libvirtd.conf": conf.encode(),
            etc / "qemu.conf": qemu_conf(migration_host=self.listen_tcp).encode(),
            **{etc / "hooks" / script.name: script.read_bytes() for script in scripts},
        }
        digest = hashlib.sha256()
        for path, content in files.items():
            put(path, content, mode=0o755 if path.parent.name == "hooks" else 0o644)
            digest.update(f"{path}\0{len(content)}\0".encode() + content)
        for stale in (etc / "hooks").iterdir():
            if stale not in files and not stale.is_dir():  # Python keeps its cache there
                stale.unlink()
        return digest.hexdigest()

    def _anchor(self) -> ProcessRef | None:
        """Return a process that lives in the namespace; the holder, or a daemon that outlived it."""
        return ProcessRef.load(self._holder_file) or self._daemon("libvirtd") or self._daemon("virtlogd")

    @property
    def _holder_file(self) -> Path:
        return self.run_dir / "holder.json"

    def _hold(self) -> ProcessRef:
        """Return the holder, made anew when there is none: in a daemon's namespace if one outlived it."""
        holder = ProcessRef.load(self._holder_file)
        if holder is not None:
            return holder
        survivor = self._anchor()
        spec = {
            "name": self.name,
            "run_dir": str(self.run_dir),
            "prepared": survivor is not None,
            "hide_kvm": Path("/dev/kvm").exists() and not kvm_usable(),
            "own_network": self.netns is not None,
            "binds": [[str(self.directory / name), target] for name, target in _BINDS.items()],
        }
        if survivor is not None:
            into = ["nsenter", f"--target={survivor.pid}", "--mount", "--uts", "--net"]
        else:
            network = ["nsenter", f"--net={_netns_path(self.netns)}"] if self.netns else []
            into = [*network, "unshare", "--mount", "--uts", "--propagation", "private"]
        return _spawn_holder([*into, sys.executable, "-I", str(_HOLDER), json.dumps(spec)], note=self._holder_file)

    def _daemon(self, name: str) -> ProcessRef | None:
        try:
            process = ProcessRef.of(int((self.run_dir / f"{name}.pid").read_text()))
            comm = Path(f"/proc/{process.pid}/comm").read_text().strip() if process else ""
        except (OSError, ValueError):
            return None
        return process if comm == name else None

    def _enter(self, anchor: ProcessRef, command: Sequence[str], *, failure: str) -> None:
        inside = ["nsenter", f"--target={anchor.pid}", "--mount", "--uts", "--net", "--wd=/"]
        run([*inside, *command], failure=failure, timeout_s=_START_TIMEOUT_S)

    def _remove_groups(self, anchor: ProcessRef) -> None:
        """Remove the control groups in which the hook scripts and libvirt put guests, unless others use them."""
        groups = [f"/sys/fs/cgroup/{name}" for name in ("pids/innkeeper", "systemd/innkeeper", "*/machine")]
        found = f"for group in {' '.join(groups)}; do rmdir $group 2>/dev/null; done; true"
        with suppress(SetupError):  # the namespace is about to go; what stays of them is empty
            self._enter(anchor, ["sh", "-c", found], failure="Control groups cannot be removed")

    def _empty_namespace(self, uts: int | None) -> None:
        """End whatever is left in the namespace, the holder too; its mounts go with the last process."""
        # By UTS, not mount namespace: QEMU and a container's controller have mount namespaces of their own.
        if uts is not None and uts != namespace_id("self", "uts"):
            for process in [*in_namespace(uts, "uts")]:
                process.end(timeout_s=_STOP_TIMEOUT_S)
        self._holder_file.unlink(missing_ok=True)


def _spawn_holder(command: Sequence[str], *, note: Path) -> ProcessRef:
    """Start the holder and write it down in ``note``; it ends by itself when this is cut in between."""
    holder = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd="/",
        start_new_session=True,  # a Ctrl-C at the terminal is not for it
    )
    assert holder.stdin is not None  # noqa: S101 - for the type checker; PIPE was asked for
    assert holder.stdout is not None  # noqa: S101
    with holder.stdin, holder.stdout:
        said = holder.stdout.readline().strip()
        ref = ProcessRef.of(holder.pid)
        if said != "ready" or ref is None:
            raise SetupError(f"The namespace for libvirtd cannot be made: {said or 'it ended at once'}")
        ref.save(note)
        holder.stdin.write("\n")
    return ref


def _destroy_domains(uri: str) -> None:
    names = run(["virsh", "-q", "-c", uri, "list", "--uuid"], failure="The guests cannot be listed")
    for domain in names.split():
        run(["virsh", "-q", "-c", uri, "destroy", domain], failure=f"Guest {domain} cannot be stopped")


def _derived_uuid(directory: Path) -> str:
    machine = Path("/etc/machine-id")
    seed = machine.read_text().strip() if machine.exists() else os.uname().nodename
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"innkeeper:{seed}:{directory}"))


def _netns_path(netns: str) -> str:
    return netns if netns.startswith("/") else f"/run/netns/{netns}"
