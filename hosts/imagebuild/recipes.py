"""The images that can be built, and a key for each that changes whenever its recipe does."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hosts.imagebuild import debian, micro
from hosts.imagebuild.manifest import Manifest

_HERE = Path(__file__).parent
_NOT_PART_OF_A_RECIPE = {"__init__.py", "__main__.py", "packages.py", "progress.py", "recipes.py", "store.py"}


@dataclass(frozen=True, slots=True)
class Recipe:
    """How an image is built. ``build`` takes ``work``, ``output`` and ``progress``."""

    slug: str
    build: Callable[..., Manifest]
    steps: int
    needed_bytes: int
    module: str
    files: Path


RECIPES = {
    "micro": Recipe("micro", micro.build, micro.STEPS, micro.NEEDED_BYTES, "micro.py", micro.FILES),
    "debian-12": Recipe("debian-12", debian.build, debian.STEPS, debian.NEEDED_BYTES, "debian.py", debian.FILES),
}


def recipe_key(slug: str) -> str:
    """Return 16 hex digits over everything of this package that goes into an image.

    Package versions do not count: an image in the cache stays as old as it is until the recipe changes.
    """
    recipe = RECIPES[slug]
    others = {other.module for other in RECIPES.values()} - {recipe.module}
    modules = [path for path in _HERE.glob("*.py") if path.name not in _NOT_PART_OF_A_RECIPE | others]
    digest = hashlib.sha256(slug.encode())
    for path in sorted(modules) + sorted(recipe.files.rglob("*")):
        if path.is_file():
            digest.update(f"\0{path.relative_to(_HERE)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]
