"""Building images and copying them to hosts."""

import json
import queue
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.db import connection as database

from hosts import registry
from hosts.calls import guarded
from hosts.copying import CopyProgress
from hosts.drivers.base import HypervisorDriver
from hosts.drivers.types import VolumeFormat, VolumeRef
from hosts.imagebuild.recipes import recipe_key
from hosts.models import Host, HostImage, Image, ImageFile, StoragePool
from hosts.services.images import image_copy_wanted, image_record, roles_for
from hosts.states import HostState, ImageState
from panel.core import events
from panel.core.actors import SYSTEM
from panel.core.errors import JobCancelledError, PanelError, VolumeNotFoundError
from panel.core.jobs import cancel_requested
from panel.core.operations import Operation, Step, register

_END_S = 20.0
_STEP = re.compile(r"^STEP (\d+)/(\d+) (.*)$")


class ImageBuildError(PanelError):
    """The image could not be built."""

    code = "image_build_failed"


class ImageFileMissingError(PanelError):
    """A file of the image is not in the cache that this machine uses now."""

    code = "image_file_missing"


@register
class ImageBuild(Operation):
    """Run an image's recipe on this machine and record what it made. Runs as root, in the builder."""

    action = "image.build"
    queue = "builder"
    steps = (Step("build", "Build the image"), Step("record", "Record the files"))

    def prepare(self) -> None:
        self.image = Image.objects.get(pk=self.job.resources.get(type="image").resource_id)
        self.recipe_key = recipe_key(self.image.slug)  # today's: that is what will be built
        self.folder = f"images/{self.image.slug}-{self.recipe_key}"
        self.target = Path(settings.CACHE_DIR) / self.folder

    def build(self) -> None:
        if (self.target / "manifest.json").is_file():
            return
        self.target.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "hosts.imagebuild", self.image.slug, "--output", str(self.target)]
        tail: list[str] = []
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=settings.BASE_DIR
        ) as process:
            try:
                for line in _lines(process, every_s=settings.JOB_RENEW_S):
                    self._heard(line)
                    tail = [*tail[-40:], *([line] if line else [])]
            except BaseException:
                _end(process)
                raise
        if process.returncode:
            # What is half made the builder takes away itself; in the folder is the lock another one may wait for.
            raise ImageBuildError(detail="\n".join(tail))

    def _heard(self, line: str) -> None:
        """Take a line of the builder's, or "" while it is silent. Raises: JobLostError, JobCancelledError."""
        self.verify()
        if cancel_requested(self.job):
            raise JobCancelledError
        if found := _STEP.match(line):
            number, count, title = int(found[1]), int(found[2]), found[3]
            self.progress(100 * (number - 1) // count, title)

    def record(self) -> None:
        self.manifest = json.loads((self.target / "manifest.json").read_text())

    def succeeded(self) -> None:
        image = image_record(image=self.image, manifest=self.manifest, folder=self.folder, recipe_key=self.recipe_key)
        if image.state == ImageState.RETIRED:
            return
        for host in Host.objects.filter(state=HostState.ACTIVE):
            for connection in host.connections.filter(enabled=True, host_type__in=image.host_types):
                image_copy_wanted(actor=SYSTEM, host=host, image=image, host_type=connection.host_type)

    def failed(self, error: PanelError) -> None:
        image_id = self.job.resources.get(type="image").resource_id
        Image.objects.filter(pk=image_id, state=ImageState.BUILDING).update(state=ImageState.ERROR)
        events.publish("image", image_id)


def _lines(process: subprocess.Popen[str], *, every_s: float) -> Iterator[str]:
    """Yield the lines that a process prints until it ends, and "" whenever it printed none for ``every_s``."""
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def read() -> None:
        for line in process.stdout or ():
            lines.put(line.strip())
        lines.put(None)

    threading.Thread(target=read, name="builder-output", daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=every_s)
        except queue.Empty:
            line = ""
        if line is None:
            return
        yield line


def _end(process: subprocess.Popen[str]) -> None:
    """End the builder: it takes what it runs, and what is half made, with it."""
    process.terminate()
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()


@register
class ImageCopy(Operation):
    """Put an image's files on a host, as volumes named by their content."""

    action = "image.copy"
    steps = (Step("copy", "Copy the image to the host", deadline_s=900),)

    def prepare(self) -> None:
        self.host = Host.objects.get(pk=self.job.params["host"])
        self.host_type: str = self.job.params["host_type"]
        image = Image.objects.get(pk=self.job.params["image"])
        self.files = list(ImageFile.objects.filter(image=image, role__in=roles_for(image, self.host_type)))
        self.pools = list(StoragePool.objects.filter(host=self.host, for_new_guests=True))

    def copy(self) -> None:
        self._copied = copied = CopyProgress(self, step="copy")
        driver = self._driver(meanwhile=self._meanwhile)
        sources = [Path(settings.CACHE_DIR) / file.path for file in self.files]
        if not all(source.is_file() for source in sources):
            raise ImageFileMissingError("The image's files are not in the panel's cache any more. Build it again.")
        copied.expect(len(self.pools) * sum(source.stat().st_blocks * 512 for source in sources))
        for file, source in zip(self.files, sources, strict=True):
            for pool in self.pools:
                copied.begin()
                self.undo("half_made", pool=pool.name, name=file.volume_name)
                driver.volume_upload(
                    VolumeRef(pool.name, file.volume_name),
                    source=source,
                    format=VolumeFormat(file.format),
                    progress=copied.told,
                )
                copied.report()
                with self.fenced():
                    HostImage.objects.get_or_create(host=self.host, file=file, pool=pool)

    def undo_half_made(self, *, pool: str, name: str) -> None:
        """Delete what there is of a copy, unless it is whole: then servers may be made of it."""
        driver, volume = self._driver(), VolumeRef(pool, name)
        try:
            driver.volume_info(volume)
        except VolumeNotFoundError:
            driver.volume_delete(volume)

    def _driver(self, *, meanwhile: Callable[[], None] | None = None) -> HypervisorDriver:
        return guarded(
            lambda: registry.driver_for(self.host.pk, self.host_type),
            fence=self.verify,
            deadline_s=lambda: self.step_now.deadline_s,
            meanwhile=meanwhile,
        )

    def _meanwhile(self) -> None:
        """Called every second of a copy. Raises: JobLostError, JobCancelledError."""
        self._copied.report()
        try:
            cancelled = cancel_requested(self.job)
        except (OperationalError, InterfaceError):  # away for a moment, which ends no copy
            database.close()
            return
        if cancelled:
            raise JobCancelledError
