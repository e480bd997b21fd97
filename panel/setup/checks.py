"""What must be true of the machine before anything is changed. Each refusal is one sentence that says what to do."""

import os
import shutil
import sys
from pathlib import Path

from panel.setup.errors import SetupError
from panel.setup.layout import Layout, world_traversable

_NEEDED_BYTES = 4 * 1024**3
_MAX_STATE_PATH = 60  # libvirt puts sockets of guests below it (unix(7) allows 107 bytes)


def check_machine(layout: Layout) -> str:
    """Check privileges, the system, and space. Returns a few words for the screen."""
    if os.geteuid() != 0:
        raise SetupError("make up needs root, since it makes networks and starts servers: run it as root or with sudo.")
    if not Path("/etc/debian_version").exists() or shutil.which("apt-get") is None:
        raise SetupError("make up sets up Debian (12 or later) and its relatives; this system has no apt.")
    _check_state(layout)
    free = min(_free_bytes(layout.state), _free_bytes(layout.cache))
    if free < _NEEDED_BYTES:
        raise SetupError(
            f"There are {free / 1024**3:.1f} GiB free for {layout.state} and {layout.cache}; "
            f"{_NEEDED_BYTES // 1024**3} GiB are needed: make room, or set INNKEEPER_STATE and INNKEEPER_CACHE."
        )
    return f"root, Python {sys.version_info.major}.{sys.version_info.minor}, {free / 1024**3:.0f} GiB free"


def _check_state(layout: Layout) -> None:
    existing = _existing(layout.state)
    if not world_traversable(existing):
        raise SetupError(f"Other users cannot enter {existing}, but the services must: set INNKEEPER_STATE elsewhere.")
    if len(os.fsencode(layout.state)) > _MAX_STATE_PATH:
        raise SetupError(f"The path {layout.state} is too long; set INNKEEPER_STATE to a shorter one.")


def _free_bytes(path: Path) -> int:
    return shutil.disk_usage(_existing(path)).free


def _existing(path: Path) -> Path:
    """Return the nearest part of ``path`` that exists."""
    return next(place for place in (path, *path.parents) if place.is_dir())
