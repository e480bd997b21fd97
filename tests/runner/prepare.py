"""What must be on the machine before the tests, and the images they boot, built meanwhile."""

import os
import re
import sys
import threading
from pathlib import Path

from hosts.imagebuild.recipes import recipe_key
from hosts.imagebuild.store import use
from lab.processes import LabError, Process, call
from panel.setup import packages, python_env
from panel.setup.steps import Step
from tests.runner.places import Places

TEST_PACKAGES = ("busybox-static", "chromium", "fonts-dejavu-core", "openssh-client")
IMAGES = ("micro", "debian-12")


_KERNEL = re.compile(r"linux-image-([0-9.]+)-([0-9]+)-cloud-amd64")


def steps(places: Places, *, full: bool = False) -> list[Step]:
    """Return the steps; each finds out itself whether there is anything to do."""
    log = places.logs / "setup.log"
    wanted = tuple(sorted({*packages.ALL, *TEST_PACKAGES}))
    lock = places.checkout / "requirements-dev.lock"
    venv = places.checkout / ".venv"
    kernels = Step("Kernels to upgrade to", lambda: fetch_kernels(places.kernels))
    return [
        Step("Debian packages", lambda: packages.install(wanted, log=log)),
        Step("Python packages", lambda: python_env.ensure_venv(venv, lock, log=log)),
        Step("Browser packages", lambda: python_env.ensure_node_modules(places.checkout, log=log)),
        *([kernels] if full else []),
    ]


def fetch_kernels(folder: Path) -> str:
    """Download the packages of Debian's two newest cloud kernels: servers in the lab do not reach Debian."""
    names = call(["apt-cache", "pkgnames", "linux-image-"]).split()
    found = [match for match in map(_KERNEL.fullmatch, names) if match]
    newest = sorted(found, key=lambda match: (*map(int, match[1].split(".")), int(match[2])))[-2:]
    folder.mkdir()
    call(["apt-get", "download", "-q", *(match[0] for match in newest)], cwd=folder, timeout_s=300)
    return ", ".join(match[0] for match in newest)


class ImageBuilds(threading.Thread):
    """Builds the images one after the other, below everything else in priority; ready ones appear in ``images``."""

    def __init__(self, places: Places) -> None:
        super().__init__(name="images", daemon=True)
        self._places = places
        self._stop_wanted = threading.Event()
        self._process: Process | None = None
        self.failed: dict[str, str] = {}

    def run(self) -> None:
        for slug in IMAGES:
            try:
                self._provide(slug)
            except Exception as error:  # noqa: BLE001 - a lane waits for this image: it must hear whatever it was
                self.failed[slug] = str(error) if isinstance(error, LabError) else f"{type(error).__name__}: {error}"
            if self._stop_wanted.is_set():
                return

    def stop(self) -> None:
        """End a build that is at work; it removes what it has half made."""
        self._stop_wanted.set()
        if self._process is not None:
            self._process.stop(timeout_s=30)

    def _provide(self, slug: str) -> None:
        # The same place the panel builds to, so that a test panel finds the image made.
        target = self._places.cache / "images" / f"{slug}-{recipe_key(slug)}"
        if not (target / "manifest.json").is_file():
            self._build(slug, target)
        use(target)
        (self._places.images / slug).symlink_to(target)

    def _build(self, slug: str, target: Path) -> None:
        command = [sys.executable, "-m", "hosts.imagebuild", slug, "--output", str(target)]
        gently = [] if slug == IMAGES[0] else ["nice", "-n", "10"]
        log = self._places.logs / f"image-{slug}.log"
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        self._process = Process([*gently, *command], log=log, environment=environment, cwd=self._places.checkout)
        if self._process.wait():
            raise LabError(f"The image {slug} could not be built:\n{self._process.tail(10)}")
