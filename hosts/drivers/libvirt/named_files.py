"""Which files of its host a domain's configuration names, wherever it does."""

import posixpath
import re
from collections.abc import Iterator

from hosts.drivers.libvirt.xml.elements import Element

_TEXTS = ("title", "description")  # of people
_NO_FILES = ("target", "partition")  # where something is in the guest, and a control group


def named_files(domain: Element) -> frozenset[str]:
    """Return every path in a configuration: disks and what is below them, kernel, firmware, media, directories.

    Not a list of elements that have some: libvirt gets new ones, and QEMU's own arguments (``<qemu:arg>``) may name
    files, too. What is no file (a socket, a device) does no harm.
    """
    values = (
        value
        for one in domain.iter()
        if isinstance(one.tag, str) and one.tag not in (*_TEXTS, *_NO_FILES)
        for value in (*one.attrib.values(), one.text or "")
    )
    return frozenset(f"/{posixpath.normpath(path).lstrip('/')}" for value in values for path in _paths(value.strip()))


def _paths(value: str) -> Iterator[str]:
    """Return the paths in a text such as "/srv/a.img" or "if=none,file=/srv/a.img"; the whole may have a comma."""
    if value.startswith("/"):
        yield value
    if "/" in value:
        parts = (part.removeprefix("file:") for part in re.split(r"[,=]", value))
        yield from (part for part in parts if part.startswith("/"))
