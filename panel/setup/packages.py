"""Debian's packages: which are missing, and installing them without any of their servers starting."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from hosts.imagebuild.packages import PACKAGES as IMAGE_BUILDER
from panel.setup.errors import SetupError
from panel.setup.machine_lock import machine_lock
from panel.setup.processes import run, untranslated
from panel.setup.reasons import explain_output

RUNTIME = (
    "dmidecode",
    "e2fsprogs",
    "git",
    "iproute2",
    "iptables",  # libvirt's driver for networks asks for it when it starts
    "libvirt-clients",
    "libvirt-daemon-driver-lxc",
    "libvirt-daemon-driver-qemu",
    "libvirt-daemon-system",
    "nftables",
    "openssl",
    "postgresql",
    "qemu-system-x86",
    "qemu-utils",
    "redis-server",
    "util-linux",
    # Where systemd is init, it gives each container a scope of its own, in which the limits are (machined).
    *(("systemd-container",) if Path("/run/systemd/system").is_dir() else ()),
)
BUILD = ("gcc", "libc6-dev", "libpq-dev", "libvirt-dev", "pkg-config", "python3-dev", "python3-venv")
BROWSER = ("nodejs", "npm")
ALL = tuple(sorted({*RUNTIME, *BUILD, *BROWSER, *IMAGE_BUILDER}))

_POLICY = Path("/usr/sbin/policy-rc.d")
_POLICY_SAVED = Path("/usr/sbin/policy-rc.d.innkeeper-saved")
_POLICY_TEXT = "#!/bin/sh\n# innkeeper: nothing starts while packages are installed; removed afterwards\nexit 101\n"
_CLUSTER = Path("/etc/postgresql-common/createcluster.d/innkeeper.conf")
_TO_DISABLE = Path("/var/lib/innkeeper/services-to-disable")
_OWN_SERVICES = ("redis-server.service", "postgresql.service")
_LOCK = "packages"
_SOURCE = "Debian's package source: check /etc/apt/sources.list and the network"
_NO_PACKAGES = "Debian's packages cannot be found: check /etc/apt/sources.list and the network, then run make up again."
_APT = (
    "apt-get",
    "-q",
    "-y",
    "-o",
    "DPkg::Lock::Timeout=300",
    "-o",
    "Dpkg::Options::=--force-confold",
)


def missing(wanted: tuple[str, ...]) -> list[str]:
    """Return the packages of ``wanted`` that are not installed. A program on PATH stands for ``nodejs`` and ``npm``."""
    listed = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Abbrev}\n", *wanted],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    installed = {name for name, _, status in (line.partition(" ") for line in listed.splitlines()) if "i" in status[1:]}
    installed |= {package for package, program in (("nodejs", "node"), ("npm", "npm")) if shutil.which(program)}
    return [name for name in wanted if name not in installed]


def install(wanted: tuple[str, ...], *, log: Path) -> str:
    """Install what is missing of ``wanted``. Returns a few words for the screen.

    Raises:
        SetupError: apt has no source, or it failed; its output is in ``log``.
    """
    with machine_lock(_LOCK):
        restore_leftovers()
        finish_interrupted(log=log)
        _disable_services()
        lacking = missing(wanted)
        if not lacking:
            return f"{len(wanted)} present"
        _note_services(lacking)
        with _no_services(), log.open("ab") as output:
            listed = _apt(["update"], output=output)
            if not _candidates_exist(lacking):
                why = explain_output(listed.said, source=_SOURCE)
                raise SetupError(f"{why or _NO_PACKAGES} (log: {log})")
            done = _apt(["install", "--no-install-recommends", *lacking], output=output)
            if not done.well:
                why = explain_output(done.said, source=_SOURCE) or "the reason is at the end of its log"
                raise SetupError(f"apt-get could not install {', '.join(lacking)}: {why} (log: {log})")
        _disable_services()
    return f"installed {len(lacking)}: {', '.join(lacking[:4])}{' …' if len(lacking) > 4 else ''}"


def restore_unless_busy() -> None:
    """Take away what a killed run left, unless another checkout installs packages now and will do so itself."""
    with machine_lock(_LOCK, wait=False) as free:
        if free:
            restore_leftovers()
            _disable_services()


def finish_interrupted(*, log: Path) -> None:
    """Let dpkg finish what a cut left half-configured."""
    if run(["dpkg", "--audit"], failure="dpkg cannot say whether it is in order"):
        with _no_services(), log.open("ab") as output:
            well = _uncut(["dpkg", "--configure", "-a"], output=output, environment=untranslated())
        if not well:
            raise SetupError(f"dpkg was interrupted and cannot finish; see {log} and run dpkg --configure -a.")


def restore_leftovers() -> None:
    """Take away what a killed run left of the policy against starting services."""
    if _POLICY.exists() and _POLICY.read_text(errors="replace") == _POLICY_TEXT:
        _POLICY.unlink()
    if _POLICY_SAVED.exists():
        _POLICY_SAVED.replace(_POLICY)
    _CLUSTER.unlink(missing_ok=True)


@contextmanager
def _no_services() -> Iterator[None]:
    """Forbid services to start (policy-rc.d, see invoke-rc.d(8)) and PostgreSQL to make its main cluster."""
    if _POLICY.exists():
        _POLICY.replace(_POLICY_SAVED)
    try:
        _POLICY.write_text(_POLICY_TEXT)
        _POLICY.chmod(0o755)
        _CLUSTER.parent.mkdir(parents=True, exist_ok=True)
        _CLUSTER.write_text("create_main_cluster = false\n")
        yield
    finally:
        restore_leftovers()


@dataclass(frozen=True)
class _Ended:
    well: bool
    said: str


def _apt(arguments: list[str], *, output: BinaryIO) -> _Ended:
    environment = {**untranslated(), "DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1"}
    begin = output.seek(0, os.SEEK_END)
    well = _uncut([*_APT, *arguments], output=output, environment=environment)
    with open(output.name, "rb") as written:
        written.seek(begin)
        return _Ended(well, written.read().decode(errors="replace"))


def _uncut(command: list[str], *, output: BinaryIO, environment: dict[str, str]) -> bool:
    """Run a program apart from the terminal: a Ctrl-C must not cut dpkg in two, it takes effect afterwards."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=environment,
        start_new_session=True,
    )
    try:
        return process.wait() == 0
    except KeyboardInterrupt:
        print("(stops when Debian's packages are in order) ", end="", flush=True)
        process.wait()
        raise


def _candidates_exist(packages: list[str]) -> bool:
    """True when apt knows a version of every package; ``apt-get update`` itself succeeds without any source."""
    shown = run(["apt-cache", "policy", *packages], failure="apt does not answer")
    return shown.count("Candidate:") == len(packages) and "Candidate: (none)" not in shown


def _note_services(lacking: list[str]) -> None:
    """Write down which servers are about to be installed: a cut before they are disabled must not be forgotten."""
    units = [unit for unit in _OWN_SERVICES if unit.removesuffix(".service") in lacking]
    if units and Path("/run/systemd/system").is_dir():
        _TO_DISABLE.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        _TO_DISABLE.write_text("\n".join(units))


def _disable_services() -> None:
    """Keep the servers that were installed from starting by themselves at the next boot."""
    if not _TO_DISABLE.exists():
        return
    for unit in _TO_DISABLE.read_text().split():
        if not missing((unit.removesuffix(".service"),)):
            run(["systemctl", "disable", "--quiet", unit], failure="systemd cannot disable the packages' services")
    _TO_DISABLE.unlink()
