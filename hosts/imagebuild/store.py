"""Where images are built and kept: one builder at a time, nothing half made is ever seen."""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hosts.imagebuild import manifest
from hosts.imagebuild.commands import BuildError, run
from hosts.imagebuild.disk import MIB
from hosts.imagebuild.progress import Progress
from hosts.imagebuild.recipes import Recipe, recipe_key

MACHINE = "x86_64"
UNUSED_S = 30 * 24 * 3600.0


def provide(recipe: Recipe, *, output: Path, cache: Path | None, progress: Progress) -> bool:
    """Put an image's files and ``manifest.json`` into ``output``: newly built, or from the cache if there is one.

    Killed at any moment, the next call finishes. Two calls for the same cache (or output) wait for each other.

    Returns: True when it was built here, False when it was there already. Raises: BuildError.
    """
    _check_machine(recipe)
    place = cache or output
    place.mkdir(parents=True, exist_ok=True)
    lock, scratch = place / f".{recipe.slug}.lock", place / f".{recipe.slug}.building"
    with _locked(lock) as waited, _drafts(scratch) as draft:
        if cache is None:
            if waited and (output / manifest.NAME).exists():
                return False  # another builder just did it
            _build(recipe, draft=draft, progress=progress)
            _deliver(draft / "files", output=output, move=True)
            return True
        kept = cache / f"{recipe.slug}-{recipe_key(recipe.slug)}"
        missing = not (kept / manifest.NAME).exists()
        if missing:
            _build(recipe, draft=draft, progress=progress)
            _remove(kept)
            (draft / "files").rename(kept)
        _deliver(kept, output=output, move=False)
        return missing


def prune(recipe: Recipe, *, kept: Path, unused_s: float = UNUSED_S) -> list[Path]:
    """Remove what other recipes of an image made beside ``kept``, unless it was used in the last ``unused_s``.

    Another checkout may still make servers from it; whose files are gone after so long builds them again. A folder in
    which a builder is at work is left alone. Returns what was removed.
    """
    removed = []
    for folder in sorted(kept.parent.glob(f"{recipe.slug}-{'[0-9a-f]' * 16}")):
        lock = folder / f".{recipe.slug}.lock"
        if folder == kept or not folder.is_dir() or time.time() - last_use(folder) < unused_s:
            continue
        with suppress(BlockingIOError), lock.open("w") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)
            removed.append(folder)
    return removed


def use(folder: Path) -> None:
    """Note that an image is in use now, so that it is not pruned."""
    os.utime(folder / manifest.NAME)


def last_use(folder: Path) -> float:
    """Return when an image was last used, in seconds of the epoch; of an unfinished one, when it was begun."""
    described = folder / manifest.NAME
    return (described if described.exists() else folder).stat().st_mtime


def _build(recipe: Recipe, *, draft: Path, progress: Progress) -> None:
    """Build into ``draft/files``, complete with manifest and safe on disk."""
    _check_space(recipe, directory=draft.parent)
    work, files = draft / "work", draft / "files"
    work.mkdir(parents=True)
    files.mkdir()
    description = recipe.build(work=work, output=files, progress=progress)
    for path in files.iterdir():
        _sync(path)
    manifest.write(description, directory=files)


def _deliver(files: Path, *, output: Path, move: bool) -> None:
    """Put finished files into ``output``; its manifest is removed first and put back last."""
    output.mkdir(parents=True, exist_ok=True)
    (output / manifest.NAME).unlink(missing_ok=True)
    for path in sorted(files.iterdir(), key=lambda path: (path.name == manifest.NAME, path.name)):
        source = path
        if not move:
            source = output / f".{path.name}.new"
            run("cp", "--sparse=always", "--reflink=auto", path, source, purpose=f"copy {path.name}")
        source.replace(output / path.name)


def _check_machine(recipe: Recipe) -> None:
    machine = os.uname().machine
    if machine != MACHINE:
        raise BuildError(f"The image {recipe.slug} is made of {MACHINE} programs; this machine is {machine}.")


def _check_space(recipe: Recipe, *, directory: Path) -> None:
    free = shutil.disk_usage(directory).free
    if free < recipe.needed_bytes:
        raise BuildError(
            f"Building {recipe.slug} needs {recipe.needed_bytes // MIB} MiB below {directory}, "
            f"but {free // MIB} MiB are free."
        )


@contextmanager
def _drafts(directory: Path) -> Iterator[Path]:
    """Give a directory for half-made things, empty now and gone afterwards. The lock says that nobody works there."""
    _remove(directory)
    try:
        yield directory
    finally:
        _remove(directory)


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Hold a lock; True when another holder had to be waited for."""
    with path.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            waited = False
        except BlockingIOError:
            fcntl.flock(stream, fcntl.LOCK_EX)
            waited = True
        yield waited


def _remove(path: Path) -> None:
    if path.exists():
        shutil.rmtree(path)


def _sync(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
