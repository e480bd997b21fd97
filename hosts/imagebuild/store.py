"""Where images are built and kept: one builder at a time, nothing half made is ever seen."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hosts.imagebuild import manifest
from hosts.imagebuild.commands import BuildError, run
from hosts.imagebuild.disk import MIB
from hosts.imagebuild.progress import Progress
from hosts.imagebuild.recipes import Recipe, recipe_key


def provide(recipe: Recipe, *, output: Path, cache: Path, progress: Progress) -> bool:
    """Put an image's files and ``manifest.json`` into ``output``, from the cache or newly built.

    Killed at any moment, the next call finishes. Two calls for the same cache wait for each other.

    Returns: True when it was built, False when the cache had it. Raises: BuildError.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with _locked(cache / f"{recipe.slug}.lock"):
        kept = cache / f"{recipe.slug}-{recipe_key(recipe.slug)}"
        missing = not (kept / manifest.NAME).exists()
        if missing:
            _build(recipe, kept=kept, progress=progress)
        _deliver(kept, output=output)
    return missing


def _build(recipe: Recipe, *, kept: Path, progress: Progress) -> None:
    draft = kept.with_name(f"{recipe.slug}.building")
    _remove(draft)  # what a killed build left; the lock says that nobody works there
    _remove(kept)
    _check_space(recipe, directory=kept.parent)
    try:
        work, files = draft / "work", draft / "files"
        work.mkdir(parents=True)
        files.mkdir()
        description = recipe.build(work=work, output=files, progress=progress)
        for path in files.iterdir():
            _sync(path)
        manifest.write(description, directory=files)
        files.rename(kept)
    finally:
        _remove(draft)


def _deliver(kept: Path, *, output: Path) -> None:
    """Copy an image out of the cache; the manifest is removed first and put back last."""
    output.mkdir(parents=True, exist_ok=True)
    (output / manifest.NAME).unlink(missing_ok=True)
    for path in sorted(kept.iterdir()):
        if path.name != manifest.NAME:
            draft = output / f".{path.name}.new"
            run("cp", "--sparse=always", "--reflink=auto", path, draft, purpose=f"copy {path.name}")
            draft.replace(output / path.name)
    run("cp", kept / manifest.NAME, output / ".manifest.new", purpose="copy the manifest")
    (output / ".manifest.new").replace(output / manifest.NAME)


def _check_space(recipe: Recipe, *, directory: Path) -> None:
    free = shutil.disk_usage(directory).free
    if free < recipe.needed_bytes:
        raise BuildError(
            f"Building {recipe.slug} needs {recipe.needed_bytes // MIB} MiB below {directory}, "
            f"but {free // MIB} MiB are free."
        )


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _remove(path: Path) -> None:
    if path.exists():
        shutil.rmtree(path)


def _sync(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
