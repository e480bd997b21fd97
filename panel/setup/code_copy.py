"""A copy of the code for the services, when they cannot enter the folder of the clone."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from panel.setup.layout import Layout
from panel.setup.processes import run

_KEPT = frozenset({"node_modules"})  # made in the copy itself
_NOT_CODE = frozenset({".git", ".venv", "var", "node_modules", "__pycache__", ".mypy_cache", ".ruff_cache"})
_NOT_RUN = frozenset({".ci", "bench", "contrib", "docs", "lab", "tests", "CHANGELOG.md", "README.md"})


def sync_code(layout: Layout) -> str:
    """Bring the copy in step with the clone. Returns a few words for the screen."""
    if layout.code == layout.checkout:
        return "run from the clone"
    layout.code.mkdir(mode=0o755, exist_ok=True)
    wanted = [path for path in tracked_files(layout.checkout) if (layout.checkout / path).is_file()]
    changed = sum(_copy(layout.checkout / path, layout.code / path) for path in wanted)
    gone = _remove_others(layout.code, {str(path) for path in wanted})
    return f"{len(wanted)} files in {layout.code}, {changed} new, {gone} removed"


def tracked_files(checkout: Path) -> list[Path]:
    """Return the clone's files, relative: what git knows or would take; of an unpacked archive, everything."""
    git = ["git", "-c", "safe.directory=*", "-C", str(checkout)]
    listed = subprocess.run(
        [*git, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"],
        capture_output=True,
        check=False,
    )
    if listed.returncode == 0 and listed.stdout:
        return [Path(os.fsdecode(name)) for name in listed.stdout.split(b"\0") if name]
    found = []
    for folder, folders, files in os.walk(checkout):
        folders[:] = [name for name in folders if name not in _NOT_CODE]
        found += [Path(folder, name).relative_to(checkout) for name in files]
    return found


def code_digest(checkout: Path) -> str:
    """Return a digest of everything in the clone that the panel's processes run or that their set-up depends on."""
    digest = hashlib.sha256()
    for path in sorted(tracked_files(checkout)):
        if path.parts[0] not in _NOT_RUN and (checkout / path).is_file():
            digest.update(os.fsencode(path) + b"\0" + hashlib.sha256((checkout / path).read_bytes()).digest())
    return digest.hexdigest()


def _copy(source: Path, target: Path) -> bool:
    """Copy one file if it differs; it is replaced whole, because a service may be reading the old one."""
    if target.is_file() and target.read_bytes() == source.read_bytes():
        return False
    target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    shutil.copyfile(source, partial)
    partial.chmod(0o755 if os.access(source, os.X_OK) and source.stat().st_mode & 0o100 else 0o644)
    partial.replace(target)
    return True


def _remove_others(copy: Path, wanted: set[str]) -> int:
    removed = 0
    for folder, folders, files in os.walk(copy):
        folders[:] = [name for name in folders if name not in _KEPT]
        for name in files:
            path = Path(folder, name)
            if str(path.relative_to(copy)) not in wanted and path.suffix != ".pyc":
                path.unlink()
                removed += 1
    return removed


def compile_code(layout: Layout) -> None:
    """Compile the modules ahead: the services may not write beside them, and each would compile them all."""
    packages = [str(path.parent) for path in sorted(layout.code.glob("*/__init__.py"))]
    command = [str(layout.python), "-m", "compileall", "-q", *packages]
    run(command, failure="The code cannot be compiled", timeout_s=300)
