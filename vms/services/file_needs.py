"""Whether a file of a host is needed by somebody. Pure."""

import posixpath
from collections.abc import Collection, Iterable, Set

from hosts.drivers.descriptions import FileUse


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
