"""What usually keeps a set-up from going on, as one sentence that says what to do."""

import errno
import re

_SPACE = (
    "No space is left{where}: make room, or set INNKEEPER_STATE and INNKEEPER_CACHE to folders on a larger disk, "
    "then run make up again; it continues where it was."
)
_READ_ONLY = (
    "The file system{where} is read-only: make it writable, or set INNKEEPER_STATE and INNKEEPER_CACHE to folders "
    "on another one."
)
_REFUSED = "This user may not open or change{what}: run it as root or with sudo."
# What pip, npm and apt say when they cannot fetch; pip without a connection finds no version at all.
_UNREACHABLE = re.compile(
    r"connection (refused|reset|timed out)|could not (connect|resolve)|from versions: none|"
    r"temporary failure (in name resolution|resolving)|name or service not known|network is unreachable|"
    r"no route to host|read timed out|failed to establish a new connection|cannot connect to proxy|"
    r"\be(connrefused|connreset|notfound|timedout|ai_again|hostunreach|netunreach)\b|network timeout",
    re.IGNORECASE,
)


def explain_error(error: OSError) -> str:
    """Return what an operating system's error means for the person at the terminal."""
    name = error.filename if isinstance(error.filename, str) else str(error.filename or "")
    where = f" for {name}" if name else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _SPACE.format(where=where)
    if error.errno == errno.EROFS:
        return _READ_ONLY.format(where=f" of {name}" if name else "")
    if error.errno in (errno.EACCES, errno.EPERM):
        return _REFUSED.format(what=f" {name}" if name else " this")
    return f"The system refuses{where}: {error.strerror or error}."


def explain_output(text: str, *, source: str = "") -> str:
    """Return what the output of a failed program means; an empty string when it says nothing that is known here.

    Args:
        source: what the program fetches from, and how to set another one, for "… does not answer: …".
    """
    if "No space left on device" in text or "ENOSPC" in text or "Disk quota exceeded" in text:
        return _SPACE.format(where="")
    if "Read-only file system" in text or "EROFS" in text:
        return _READ_ONLY.format(where="")
    if source and _UNREACHABLE.search(text):
        name, _, remedy = source.partition(": ")
        return f"{name} does not answer: {remedy}, then run make up again."
    return ""
