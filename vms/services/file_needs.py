"""Whether a file of a host is needed by somebody. Pure."""

import posixpath
from collections.abc import Collection, Iterable, Mapping, Set

from hosts.drivers.descriptions import FileUse
from hosts.drivers.types import VolumeRef


def is_named(path: str, named: Set[str]) -> bool:
    """True when a file, or a directory that it is in, is among those that are named; "/" names nothing."""
    while path not in ("", "/"):
        if path in named:
            return True
        path = posixpath.dirname(path)
    return False


def needed(paths: Collection[str], uses: Iterable[FileUse]) -> dict[str, FileUse]:
    """Return which of these files others need, and one use of each.

    An overlay that is among the files needs what it is on only where others need the overlay.
    """
    by_path = {path: [use for use in uses if not use.path or is_named(path, {use.path})] for path in paths}
    found: dict[str, FileUse] = {}
    while True:
        free = by_path.keys() - found.keys()
        more = {path: [use for use in by_path[path] if use.domain is not None or use.by not in free] for path in free}
        if not any(more.values()):
            return found
        found |= {path: others[0] for path, others in more.items() if others}


def left_note(kept: Mapping[VolumeRef, FileUse]) -> str:
    """Return what the owner of the volumes reads when they are left where they are; nothing of whoever needs them."""
    used = ", ".join(volume.name for volume in sorted(kept) if kept[volume].path)
    unknown = ", ".join(volume.name for volume in sorted(kept) if not kept[volume].path)
    said = [
        f"Used by others on the host, and so left where it is: {used}." if used else "",
        f"Perhaps used by others, which the host does not say, and so left where it is: {unknown}." if unknown else "",
    ]
    return " ".join(filter(None, said))
