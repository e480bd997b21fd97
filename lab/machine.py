"""A machine of its own in namespaces, with a clone that can be set up: network, mounts, users, ``/run``.

Packages and programs are the real machine's. Nothing is downloaded in there: it has no way out.
"""

import os
import shutil
import signal
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from lab.namespaces import netns_make, netns_remove
from lab.processes import LabError, Process, call, wait_ready
from panel.setup.code_copy import tracked_files
from panel.setup.layout import checkout_id
from panel.setup.processes import in_namespace

_GIT = ("git", "-c", "user.name=lab", "-c", "user.email=lab@example.com", "-c", "commit.gpgsign=false")
_REMEMBERED = Path("/var/lib/innkeeper")  # what the real machine knows of its own clones
# A /sys that shows this network, with the control groups that it hides; /run, users and memory of its own.
_PREPARE = f"""
set -e
mkdir -p {{scratch}}/groups {{scratch}}/etc {_REMEMBERED}
mount --rbind /sys/fs/cgroup {{scratch}}/groups
mount -t sysfs sysfs /sys
mount --rbind {{scratch}}/groups /sys/fs/cgroup
umount --lazy {{scratch}}/groups
mount -t tmpfs -o mode=755 tmpfs {{scratch}}/etc
mkdir {{scratch}}/etc/upper {{scratch}}/etc/work
mount -t overlay -o lowerdir=/etc,upperdir={{scratch}}/etc/upper,workdir={{scratch}}/etc/work overlay /etc
mount -t tmpfs -o mode=755 tmpfs {_REMEMBERED}
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/lock
echo ready
exec sleep infinity
"""


@dataclass(frozen=True)
class MachineContents:
    """What ``make up`` could leave on a machine. Two of them are equal when nothing was left behind."""

    links: frozenset[str]
    rules: frozenset[str]
    forwarding: frozenset[str]
    loops: frozenset[str]
    mounts: frozenset[str]
    run: frozenset[str]
    policies: frozenset[str]
    processes: frozenset[str]

    def differs_from(self, before: "MachineContents") -> dict[str, list[str]]:
        """Return what is in only one of the two, by kind. Of mounts only new ones: copies of the real machine's go."""
        kinds = [one.name for one in fields(self)]
        found = {kind: sorted(getattr(self, kind) ^ getattr(before, kind)) for kind in kinds}
        found["mounts"] = sorted(self.mounts - before.mounts)
        return {kind: things for kind, things in found.items() if things}


class Machine:
    """One machine with a clone of a checkout, in ``directory``, which everybody must be able to enter.

    What each ``make`` prints is kept in ``logs``.
    """

    def __init__(self, name: str, *, directory: Path, logs: Path, checkout: Path) -> None:
        self.netns = name
        self._logs = logs
        self.clone = directory / "clone"
        self._directory = directory
        self._checkout = checkout
        self._origin = directory / "origin"
        self._holder: Process | None = None
        self._runs = 0
        self._lent: list[str] = []

    @property
    def state(self) -> Path:
        return self.clone / "var"

    @property
    def cache(self) -> Path:
        return self._directory / "cache"

    @property
    def run_dir(self) -> Path:
        """``make up``'s folder below the machine's ``/run``, as seen from outside."""
        return Path(f"/proc/{self._pid}/root/run/innkeeper-{checkout_id(self.clone)}")

    def start(self) -> None:
        """Make the machine and its clone. Raises: LabError."""
        self._directory.mkdir(mode=0o755)
        self._clone()
        netns_make(self.netns)
        scratch = self._directory / "scratch"
        prepare = ["unshare", "--mount", "--uts", "--propagation", "private", "sh", "-c"]
        command = [*prepare, _PREPARE.format(scratch=scratch)]
        holder = self._holder = Process(command, log=self._logs / "machine.log", netns=self.netns)
        wait_ready(holder, lambda: holder.log.read_text().endswith("ready\n"), name="The machine")

    def stop(self) -> None:
        """End everything on it; its mounts go with the last process."""
        netns_remove(self.netns)
        if self._holder is not None:
            self._holder.kill()
        if _REMEMBERED.is_dir() and not any(_REMEMBERED.iterdir()):
            _REMEMBERED.rmdir()

    def begin(self, *words: str) -> Process:
        """Start ``make WORDS`` in the clone, in a process group of its own, as a terminal would."""
        self._runs += 1
        log = self._logs / f"{self._runs:02}-make-{words[-1]}.log"
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        environment = {**kept, "INNKEEPER_CACHE": str(self.cache), "PYTHONDONTWRITEBYTECODE": "1"}
        return Process(self._inside(["make", *words]), log=log, environment=environment, cwd=self.clone)

    def make(self, *words: str, timeout_s: float = 120) -> str:
        """Run ``make WORDS`` to its end and return what it printed. Raises: LabError."""
        process = self.begin(*words)
        status = process.wait(timeout_s=timeout_s)
        said = process.log.read_text()
        if status != 0:
            process.kill()
            raise LabError(f"make {' '.join(words)} ended with {status}:\n{said}")
        return said

    def call(self, *command: str) -> str:
        """Run a program on the machine and return its output. Raises: LabError."""
        return call(self._inside(command))

    def lend(self, source: Path, target: Path) -> None:
        """Show a folder of the real machine in the clone, in the place of what would be downloaded."""
        target.mkdir(parents=True, exist_ok=True)
        self.call("mount", "--bind", str(source.resolve()), str(target))
        self._lent.append(str(target))

    def pull(self, path: str, text: str) -> None:
        """Have somebody else commit a file, and pull it into the clone."""
        file = self._origin / path
        file.write_text(text)
        call([*_GIT, "add", path], cwd=self._origin)
        call([*_GIT, "commit", "-q", "-m", f"Add {path}."], cwd=self._origin)
        call([*_GIT, "pull", "-q", "--ff-only"], cwd=self.clone)

    def contents(self) -> MachineContents:
        """Look at everything that a set-up changes outside its state."""
        forwarding = ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding")
        root = Path(f"/proc/{self._pid}/root")
        return MachineContents(
            links=frozenset(self.call("ip", "-brief", "link").split("\n")),
            rules=frozenset(self.call("nft", "--stateless", "list", "ruleset").split("\n")),
            forwarding=frozenset(f"{name} {self.call('cat', f'/proc/sys/{name}')}" for name in forwarding),
            loops=frozenset(line for line in call(["losetup", "-nO", "BACK-FILE"]).split("\n") if self._is_ours(line)),
            mounts=frozenset(self._mounts()),
            run=frozenset(str(path.relative_to(root)) for path in (root / "run").rglob("*")),
            policies=frozenset(path.name for path in Path("/usr/sbin").glob("policy-rc.d*")),
            processes=frozenset(self.processes()),
        )

    def processes(self) -> list[str]:
        """Return the machine's processes, by id and command; those too that are in a network of their own."""
        here = {process.pid for process in in_namespace(os.stat(f"/proc/{self._pid}/ns/net").st_ino, "net")}
        own = {os.getpid(), self._pid}
        found = []
        for pid in (int(entry) for entry in os.listdir("/proc") if entry.isdigit()):
            try:
                command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if pid not in own and command and (pid in here or self._is_ours(command)):
                found.append(f"{pid} {command}")
        return found

    def _mounts(self) -> list[str]:
        lines = Path(f"/proc/{self._pid}/mounts").read_text().splitlines()
        return [line for line in lines if line.split()[1] not in self._lent]

    @property
    def _pid(self) -> int:
        if self._holder is None:
            raise LabError("The machine is not started.")
        return self._holder.pid

    def _inside(self, command: Sequence[str]) -> list[str]:
        return ["nsenter", f"--target={self._pid}", "--mount", "--uts", "--net", f"--wd={self.clone}", *command]

    def _is_ours(self, text: str) -> bool:
        return f"{self.clone}/" in text

    def _clone(self) -> None:
        for path in tracked_files(self._checkout):
            if (self._checkout / path).is_file():
                (self._origin / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(self._checkout / path, self._origin / path)
        for words in (("init", "-q", "-b", "main"), ("add", "--all", "--force"), ("commit", "-q", "-m", "Begin.")):
            call([*_GIT, *words], cwd=self._origin)
        call([*_GIT, "clone", "-q", str(self._origin), str(self.clone)])
        for folder in (self._directory, self.clone):
            folder.chmod(0o755)


def interrupt(process: Process) -> None:
    """Press Ctrl-C at the process's terminal: the signal goes to its whole group."""
    os.killpg(process.pid, signal.SIGINT)
