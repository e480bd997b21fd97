"""Which modules a page's script imports, so that the browser fetches them all at once instead of level by level."""

import re
from functools import cache
from pathlib import PurePosixPath

from django.contrib.staticfiles import finders

_IMPORT = re.compile(r'^(?:import|export)\b[^;]*?["\'](\.[^"\']+)["\'];', re.MULTILINE)


@cache
def modules_of(script: str) -> tuple[str, ...]:
    """Return the static names of every module that ``script`` imports, in whatever depth, by relative imports."""
    found: dict[str, None] = {}
    waiting = [script]
    while waiting:
        name = waiting.pop()
        for reference in _IMPORT.findall(_text(name)):
            imported = _resolve(PurePosixPath(name).parent, reference)
            if imported not in found and imported != script:
                found[imported] = None
                waiting.append(imported)
    return tuple(sorted(found))


def _text(name: str) -> str:
    path = finders.find(name)
    if not path:
        return ""
    with open(path, encoding="utf-8") as file:
        return file.read()


def _resolve(folder: PurePosixPath, reference: str) -> str:
    parts = list(folder.parts)
    for part in PurePosixPath(reference).parts:
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)
