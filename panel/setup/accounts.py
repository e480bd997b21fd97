"""The system's user for the services, and the folders and secrets they need."""

import grp
import os
import pwd
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from panel.setup.layout import Layout
from panel.setup.processes import run

SERVICE_USER = "innkeeper"
DATABASE_USER = "postgres"
_SECRET_FILES = ("django_key", "token_pepper", "key_encryption_key")


@dataclass(frozen=True)
class _Folder:
    path: Path
    owner: str
    mode: int


def ensure_user() -> str:
    """Make the services' user; returns a few words for the screen."""
    try:
        pwd.getpwnam(SERVICE_USER)
    except KeyError:
        home = ["--home-dir", "/nonexistent", "--no-create-home"]
        run(
            ["useradd", "--system", "--user-group", *home, "--shell", "/usr/sbin/nologin", SERVICE_USER],
            failure="The user for the services cannot be made",
        )
        return f"made {SERVICE_USER}"
    return SERVICE_USER


def join_group(group: str) -> None:
    """Let the services' user into a group that exists."""
    if SERVICE_USER not in grp.getgrnam(group).gr_mem:
        run(["usermod", "--append", "--groups", group, SERVICE_USER], failure=f"The group {group} cannot be joined")


def ensure_folders(layout: Layout) -> str:
    """Make every folder with its owner and mode. Returns a few words for the screen."""
    for folder in _folders(layout):
        folder.path.mkdir(mode=folder.mode, parents=True, exist_ok=True)
        shutil.chown(folder.path, folder.owner, pwd.getpwnam(folder.owner).pw_gid)
        folder.path.chmod(folder.mode)
    return str(layout.state)


def _folders(layout: Layout) -> list[_Folder]:
    return [
        _Folder(layout.state, "root", 0o755),
        _Folder(layout.cache, "root", 0o755),
        _Folder(layout.pool, "root", 0o711),
        _Folder(layout.logs, "root", 0o750),
        _Folder(layout.secrets, SERVICE_USER, 0o700),
        _Folder(layout.state / "tls", SERVICE_USER, 0o700),
        _Folder(layout.state / "static", SERVICE_USER, 0o755),
        _Folder(layout.state / "work", SERVICE_USER, 0o700),
        _Folder(layout.state / "redis", SERVICE_USER, 0o700),
        _Folder(layout.state / "postgres", DATABASE_USER, 0o700),
        _Folder(layout.run_dir, "root", 0o755),
        _Folder(layout.postgres_socket, DATABASE_USER, 0o755),
        _Folder(layout.metrics, SERVICE_USER, 0o750),
        _Folder(layout.redis_socket.parent, SERVICE_USER, 0o700),
    ]


def ensure_secrets(layout: Layout) -> str:
    """Make the secrets that do not exist yet; one that exists is never changed."""
    made = 0
    for name in _SECRET_FILES:
        path = layout.secrets / name
        if not path.exists() or not path.read_text().strip():
            _write_secret(path, secrets.token_urlsafe(48))
            made += 1
    return f"made {made}" if made else "present"


def _write_secret(path: Path, value: str) -> None:
    """Write a secret so that the file appears whole and was never readable by others."""
    partial = path.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(value + "\n")
        file.flush()
        os.fsync(file.fileno())
    shutil.chown(partial, SERVICE_USER, pwd.getpwnam(SERVICE_USER).pw_gid)
    partial.replace(path)


def as_user(user: str, command: list[str]) -> list[str]:
    """Return ``command`` to be run as ``user`` with its groups and without any privilege to come back."""
    account = pwd.getpwnam(user)
    if account.pw_uid == 0:
        return command
    identity = [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--init-groups"]
    return ["setpriv", *identity, "--inh-caps=-all", "--no-new-privs", *command]
