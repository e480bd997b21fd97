"""What must be true of the machine before anything is changed. Each refusal is one sentence that says what to do."""

import os
import shutil
import sys
from pathlib import Path

from hosts.imagebuild.store import MACHINE
from panel.setup.errors import SetupError
from panel.setup.layout import Layout, world_traversable

_GIB = 1024**3
_SYSTEM = Path("/usr")  # where Debian's packages go
_FIRST_BYTES = 2 * _GIB  # the first set-up's share of each: packages; environment and database; images while built
_LATER_BYTES = _GIB // 4  # of a set-up that is complete: logs and the database go on growing
_MAX_STATE_PATH = 60  # libvirt puts sockets of guests below it (unix(7) allows 107 bytes)


def check_machine(layout: Layout, *, complete: bool) -> str:
    """Check the system and its space; ``complete`` when it was set up before. Returns a few words for the screen."""
    if not Path("/etc/debian_version").exists() or shutil.which("apt-get") is None:
        raise SetupError("make up sets up Debian (12 or later) and its relatives; this system has no apt.")
    if os.uname().machine != MACHINE:
        raise SetupError(f"Innkeeper runs {MACHINE} servers only so far, and this machine is {os.uname().machine}.")
    if len(os.fsencode(layout.state)) > _MAX_STATE_PATH:
        raise SetupError(f"The path {layout.state} is too long; set INNKEEPER_STATE to a shorter one.")
    for place, variable in ((layout.state, "INNKEEPER_STATE"), (layout.cache, "INNKEEPER_CACHE")):
        if not world_traversable(_existing(place)):
            raise SetupError(f"Other users cannot enter {_existing(place)}, but the services must: set {variable}.")
    free = _check_space(layout, complete=complete)
    return f"root, Python {sys.version_info.major}.{sys.version_info.minor}, {free / _GIB:.0f} GiB free"


def _check_space(layout: Layout, *, complete: bool) -> int:
    """Return the bytes free where there is least. Raises: SetupError: it is too little on one of the file systems."""
    share = _LATER_BYTES if complete else _FIRST_BYTES
    shares: dict[int, list[Path]] = {}
    for place in (layout.state, layout.cache, *(() if complete else (_SYSTEM,))):
        shares.setdefault(_existing(place).stat().st_dev, []).append(place)
    least = []
    for places in shares.values():
        free, needed = shutil.disk_usage(_existing(places[0])).free, share * len(places)
        if free < needed:
            raise SetupError(
                f"{free / _GIB:.1f} GiB are free for {' and '.join(map(str, places))}, but "
                f"{needed / _GIB:.2g} GiB are needed: make room, or set INNKEEPER_STATE and INNKEEPER_CACHE."
            )
        least.append(free)
    return min(least)


def _existing(path: Path) -> Path:
    """Return the nearest part of ``path`` that exists."""
    return next(place for place in (path, *path.parents) if place.is_dir())
