"""Being a customer in front of a server: logging in by SSH as root."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lab.processes import LabError, call

_OPTIONS = {
    "StrictHostKeyChecking": "no",
    "UserKnownHostsFile": "/dev/null",
    "GlobalKnownHostsFile": "/dev/null",
    "LogLevel": "ERROR",
    "ConnectTimeout": "10",
    "ServerAliveInterval": "5",
    "ServerAliveCountMax": "3",
    "IdentityAgent": "none",
}


@dataclass(frozen=True)
class KeyPair:
    """A key of a customer; ``private`` is the file that ``ssh -i`` takes."""

    private: Path
    public: str


def key_make(directory: Path, name: str = "id") -> KeyPair:
    """Make an Ed25519 key without a passphrase."""
    directory.mkdir(parents=True, exist_ok=True)
    private = directory / name
    call(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "customer@example.com", "-f", str(private)])
    return KeyPair(private, private.with_suffix(".pub").read_text().strip())


@dataclass(frozen=True)
class Login:
    """A way in: to an address, with a key or a password."""

    address: str
    key: KeyPair | None = None
    password: str = ""
    netns: str | None = None

    def run(self, command: str, *, given: str | None = None, timeout_s: float = 60, check: bool = True) -> str:
        """Run a shell command in the guest as root and return what it printed, without the last line end.

        ``given``: its standard input.

        Raises:
            LabError: no login, or the command failed and ``check`` is set.
        """
        return call(
            self._ssh(command),
            netns=self.netns,
            environment=self._environment,
            input=given,
            timeout_s=timeout_s,
            check=check,
        ).rstrip("\n")

    def start(self, command: str) -> "subprocess.Popen[bytes]":
        """Start a command in the guest and do not wait for it."""
        return subprocess.Popen(
            self._ssh(command),
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def send(self, file: Path, *, timeout_s: float = 120) -> None:
        """Copy a file into root's home. Raises: LabError."""
        command = ["scp", *self._options, str(file), f"root@{self.address}:"]
        call(command, netns=self.netns, environment=self._environment, timeout_s=timeout_s)

    def works(self) -> bool:
        """True when root gets in."""
        try:
            return self.run("id -u") == "0"
        except (LabError, subprocess.TimeoutExpired):
            return False

    def _ssh(self, command: str) -> list[str]:
        return ["ssh", *self._options, f"root@{self.address}", command]

    @property
    def _options(self) -> list[str]:
        """What ``ssh`` and ``scp`` are told alike."""
        options = dict(_OPTIONS)
        if self.key is not None:
            options |= {"IdentitiesOnly": "yes", "PasswordAuthentication": "no", "BatchMode": "yes"}
        else:
            options |= {"PubkeyAuthentication": "no", "NumberOfPasswordPrompts": "1"}
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        identity = [] if self.key is None else ["-i", str(self.key.private)]
        return ["-F", "none", *words, *identity]

    @property
    def _environment(self) -> dict[str, str]:
        """The password goes by a program that prints it from the environment, never by an argument."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        if self.key is not None:
            return kept
        program = Path(__file__).with_name("askpass")
        return {**kept, "SSH_ASKPASS": str(program), "SSH_ASKPASS_REQUIRE": "force", "LAB_PASSWORD": self.password}


def fingerprints(address: str, *, netns: str | None = None) -> set[str]:
    """Return the SHA-256 fingerprints of the host keys that a guest's SSH server shows."""
    scanned = call(["ssh-keyscan", "-T", "20", "-t", "ed25519,ecdsa,rsa", address], netns=netns)
    listed = call(["ssh-keygen", "-l", "-f", "-"], input=scanned)
    return {line.split()[1] for line in listed.splitlines()}
