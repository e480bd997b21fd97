"""``python -m hosts.imagebuild {micro|debian-12} --output DIR [--cache DIR]``, as root.

Prints ``STEP n/m text`` while it works. Ends with status 1 and one sentence on standard
error when the image cannot be built.
"""

import argparse
import os
import signal
import sys
from pathlib import Path

from hosts.imagebuild.commands import BuildError
from hosts.imagebuild.progress import Progress
from hosts.imagebuild.recipes import RECIPES
from hosts.imagebuild.store import provide, prune


def main(arguments: list[str] | None = None) -> int:
    """Build one image; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m hosts.imagebuild", description="Build a starter image.")
    parser.add_argument("slug", choices=sorted(RECIPES))
    parser.add_argument("--output", type=Path, required=True, help="directory for the files and manifest.json")
    parser.add_argument("--cache", type=Path, help="directory where finished images are kept for the next time")
    options = parser.parse_args(arguments)
    if os.geteuid() != 0:
        return _fail("Images are built as root, because their files belong to root.")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the scratch directory is removed
    recipe = RECIPES[options.slug]
    progress = Progress(total=recipe.steps)
    os.umask(0o022)
    try:
        built = provide(
            recipe,
            output=options.output.resolve(),
            cache=options.cache and options.cache.resolve(),
            progress=progress,
        )
        prune(recipe, kept=options.output.resolve())
    except BuildError as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(f"Could not write the image: {error.strerror}: {error.filename}.")
    progress.finish(f"{options.slug} {'built' if built else 'was built already'}")
    return 0


def _fail(sentence: str) -> int:
    print(sentence, file=sys.stderr)  # noqa: T201  the program's answer
    return 1


if __name__ == "__main__":
    sys.exit(main())
