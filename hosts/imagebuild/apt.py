"""Packages from the machine's own sources, without touching the machine's package lists."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from hosts.imagebuild.commands import BuildError, run

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_TARGET_FORMAT = "$(ORIGIN)|$(CODENAME)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)"
_LOCAL_HOSTS = ("", "localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True, slots=True, order=True)
class Source:
    """One suite of a package archive."""

    uri: str
    suite: str
    components: tuple[str, ...]

    @property
    def line(self) -> str:
        """The source in the one-line style of sources.list(5)."""
        return f"deb [signed-by={KEYRING}] {self.uri} {self.suite} {' '.join(self.components)}"

    @property
    def for_guests(self) -> "Source | None":
        """The same for use inside a guest: without a password; None when only this machine can reach it."""
        parts = urlsplit(self.uri)
        host = parts.netloc.rpartition("@")[2]
        if parts.scheme not in ("http", "https") or host.rpartition(":")[0] in _LOCAL_HOSTS[1:] or host in _LOCAL_HOSTS:
            return None
        return Source(urlunsplit(parts._replace(netloc=host)), self.suite, self.components)


class Apt:
    """The machine's apt configuration with lists and archives in a directory of our own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        for folder in ("state/lists/partial", "cache/archives/partial"):
            (directory / folder).mkdir(parents=True, exist_ok=True)
        self._options = (
            "-o", f"Dir::State={directory}/state",
            "-o", f"Dir::Cache={directory}/cache",
            "-o", "APT::Update::Post-Invoke-Success::=true",
            "-o", "APT::Sandbox::User=root",
            "-o", "Dir::State::status=/dev/null",
        )  # fmt: skip

    def update(self) -> None:
        """Fetch the lists of packages. Raises: BuildError."""
        run("apt-get", *self._options, "-q", "-o", "Acquire::Languages=none", "-o", "APT::Update::Error-Mode=any",
            "update", purpose="fetch the lists of packages from this machine's sources")  # fmt: skip

    def download(self, packages: tuple[str, ...], *, directory: Path) -> list[Path]:
        """Fetch packages, verified by apt, into ``directory``; return the files, sorted."""
        directory.mkdir(parents=True, exist_ok=True)
        run("apt-get", *self._options, "-q", "download", *packages,
            cwd=directory, purpose=f"download {len(packages)} packages")  # fmt: skip
        return sorted(directory.glob("*.deb"))

    def kernel_package(self, metapackage: str) -> str:
        """Return the newest kernel's package name, which the metapackage depends on."""
        listing = run("apt-cache", *self._options, "depends", "--important", metapackage,
                      purpose=f"find the kernel of {metapackage}")  # fmt: skip
        for line in listing.splitlines():
            if line.strip().startswith("Depends: linux-image-"):
                return line.split()[-1]
        raise BuildError(f"Could not find the kernel: {metapackage} names none.")

    def sources(self, codename: str) -> list[Source]:
        """Return Debian's own suites of a release among the machine's sources (others' archives are left out).

        Raises: BuildError when there is none.
        """
        listing = run("apt-get", *self._options, "indextargets", "--format", _TARGET_FORMAT,
                      "Created-By: Packages", purpose="read this machine's package sources")  # fmt: skip
        found: dict[tuple[str, str], set[str]] = {}
        for line in listing.splitlines():
            origin, release, uri, suite, component = line.split("|")
            if origin == "Debian" and release.split("-")[0] == codename:
                found.setdefault((uri.rstrip("/"), suite), set()).add(component)
        if not any(suite == codename for _, suite in found):
            raise BuildError(f"This machine's package sources offer no Debian {codename}; add it to its apt sources.")
        return sorted(Source(uri, suite, tuple(sorted(parts))) for (uri, suite), parts in found.items())


def acquire_options() -> list[str]:
    """Return the machine's settings for fetching (proxies, checks), each as ``Key "value";``."""
    dump = subprocess.run(
        ["apt-config", "dump", "--format", '%f "%v";%n', "Acquire"], capture_output=True, text=True, check=False
    )
    wanted = ("Acquire::http", "Acquire::https", "Acquire::Check-", "Acquire::Retries")
    return [line for line in dump.stdout.splitlines() if line.startswith(wanted) and '"";' not in line]


def guest_options() -> list[str]:
    """Return those settings a guest needs for the same sources: checks, but no proxy (it may carry a password)."""
    return [option for option in acquire_options() if option.startswith("Acquire::Check-")]
