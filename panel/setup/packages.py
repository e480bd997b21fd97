"""Debian's packages: which are missing, and installing them without any of their servers starting."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from hosts.imagebuild.packages import PACKAGES as IMAGE_BUILDER
from panel.setup.errors import SetupError
from panel.setup.processes import run, untranslated

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
)
BUILD = ("gcc", "libc6-dev", "libpq-dev", "libvirt-dev", "pkg-config", "python3-dev", "python3-venv")
BROWSER = ("nodejs", "npm")
ALL = tuple(sorted({*RUNTIME, *BUILD, *BROWSER, *IMAGE_BUILDER}))

_POLICY = Path("/usr/sbin/policy-rc.d")
_POLICY_SAVED = Path("/usr/sbin/policy-rc.d.innkeeper-saved")
_POLICY_TEXT = "#!/bin/sh\n# innkeeper: nothing starts while packages are installed; removed afterwards\nexit 101\n"
_CLUSTER = Path("/etc/postgresql-common/createcluster.d/innkeeper.conf")
_OWN_SERVICES = ("redis-server.service", "postgresql.service")
_APT = ("apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Options::=--force-confold")


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
    restore_leftovers()
    finish_interrupted(log=log)
    lacking = missing(wanted)
    if not lacking:
        return f"{len(wanted)} present"
    with _no_services(), log.open("ab") as output:
        if not _apt(["update"], output=output) or not _candidates_exist(lacking):
            raise SetupError(
                "Debian's packages cannot be found: check /etc/apt/sources.list and the network, "
                f"then run make up again (log: {log})."
            )
        if not _apt(["install", "--no-install-recommends", *lacking], output=output):
            raise SetupError(f"apt-get could not install {', '.join(lacking)}; the reason is in {log}.")
    _disable_services(lacking)
    return f"installed {len(lacking)}: {', '.join(lacking[:4])}{' …' if len(lacking) > 4 else ''}"


def finish_interrupted(*, log: Path) -> None:
    """Let dpkg finish what a cut left half-configured."""
    if run(["dpkg", "--audit"], failure="dpkg cannot say whether it is in order"):
        with _no_services(), log.open("ab") as output:
            done = subprocess.run(["dpkg", "--configure", "-a"], stdout=output, stderr=output, check=False)
        if done.returncode:
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


def _apt(arguments: list[str], *, output: BinaryIO) -> bool:
    """Run apt-get apart from the terminal: a Ctrl-C must not cut dpkg in two, it takes effect afterwards."""
    environment = {**untranslated(), "DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1"}
    process = subprocess.Popen(
        [*_APT, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=environment,
        start_new_session=True,
    )
    try:
        return process.wait() == 0
    except KeyboardInterrupt:
        process.wait()
        raise


def _candidates_exist(packages: list[str]) -> bool:
    """True when apt knows a version of every package; ``apt-get update`` itself succeeds without any source."""
    shown = run(["apt-cache", "policy", *packages], failure="apt does not answer")
    return shown.count("Candidate:") == len(packages) and "Candidate: (none)" not in shown


def _disable_services(installed: list[str]) -> None:
    """Keep the servers we just installed from starting by themselves at the next boot."""
    if Path("/run/systemd/system").is_dir():
        units = [unit for unit in _OWN_SERVICES if unit.removesuffix(".service") in installed]
        if units:
            run(["systemctl", "disable", "--quiet", *units], failure="systemd cannot disable the packages' services")
