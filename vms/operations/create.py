"""Building a guest."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from hosts.copying import CopyProgress
from hosts.drivers.seed import seed_files
from hosts.drivers.types import VolumeFormat, VolumeRef
from hosts.models import ImageFile
from hosts.services.images import image_copy_wanted, image_lost, is_on_host, roles_for
from panel.core.actors import SYSTEM
from panel.core.errors import PanelError, VolumeNotFoundError, WaitError
from panel.core.models import Job, JobStatus
from panel.core.operations import Step, register
from panel.core.units import bytes_from_gib
from vms.models import GuestSecret
from vms.operations.base import GuestOperation
from vms.operations.specs import domain_spec, seed_request
from vms.states import GuestAction


class ImageNotCopiedError(PanelError):
    """The image could not be copied to the host."""

    code = "image_not_copied"


class ImageComingError(WaitError):
    """The image is being copied to the host; the job goes on when it is there."""

    code = "image_coming"


class BuildOperation(GuestOperation):
    """The steps that make a guest's disk, seed and domain; shared by create and rebuild."""

    def prepare(self) -> None:
        super().prepare()
        self._copied = CopyProgress(self, step="ensure_disk")

    def meanwhile(self) -> None:
        self._copied.report()

    def ensure_image(self) -> None:
        """Wait for the image on the host; the copy is a job of its own, once for all who wait."""
        host = self.guest.host
        assert host is not None  # noqa: S101 - prepare() made sure
        if is_on_host(host=host, image=self.guest.image, host_type=self.guest.host_type):
            return
        copy = image_copy_wanted(actor=SYSTEM, host=host, image=self.guest.image, host_type=self.guest.host_type)
        failed = self._copies(JobStatus.ERROR)
        if copy is not None and failed.count() >= 2:
            why = failed.values_list("error_message", flat=True).latest("finished_at")
            raise ImageNotCopiedError(f"The image could not be copied to the host. {why}")
        raise ImageComingError

    @contextmanager
    def _image_there(self) -> Iterator[None]:
        """Have the image copied again when the host turns out to have lost it, whatever was recorded."""
        try:
            yield
        except VolumeNotFoundError:
            if self._copies(JobStatus.SUCCESS).count() >= 2:
                raise
            assert self.guest.host is not None  # noqa: S101 - prepare() made sure
            image_lost(host=self.guest.host, image=self.guest.image, host_type=self.guest.host_type)
            raise ImageComingError from None

    def _copies(self, status: JobStatus) -> QuerySet[Job]:
        """Return the copies of the image to the host that have ended so since this job was asked for."""
        return Job.objects.filter(
            action="image.copy",
            status=status,
            created_at__gte=self.job.created_at,
            params__image=str(self.guest.image_id),
            params__host_type=self.guest.host_type,
            host_id=self.guest.host_id,
        )

    def image_volume(self) -> tuple[VolumeRef, ImageFile]:
        """The image's root disk on the guest's host."""
        file = ImageFile.objects.get(
            image_id=self.guest.image_id, role=roles_for(self.guest.image, self.guest.host_type)[0]
        )
        return VolumeRef(self.pool_name, file.volume_name), file

    def ensure_disk(self) -> None:
        """Make the root disk: an overlay on the image (KVM, Xen) or a sparse copy of it (LXC)."""
        volume, (base, file) = self.root_volume(), self.image_volume()
        capacity = max(bytes_from_gib(self.guest.disk_gib), file.capacity_bytes)
        self.undo("volume_delete", pool=volume.pool, name=volume.name)
        with self._image_there():
            if self.guest.host_type == "lxc":
                self._copied.begin()
                self.driver.volume_clone(volume, source=base, capacity_bytes=capacity, progress=self._copied.told)
                self._copied.report()
            else:
                self.driver.volume_create(
                    volume,
                    format=VolumeFormat.QCOW2,
                    capacity_bytes=capacity,
                    backing=base,
                    backing_format=VolumeFormat(file.format),
                )
        row = self.record_volume(volume, kind="root", capacity_bytes=capacity)
        with self.fenced():
            self.guest.disks.filter(index=0).update(volume=row)
        self._remember_kernel()

    def _remember_kernel(self) -> None:
        """The disk keeps the kernel it was made with, also when the image is built anew later."""
        boot: dict[str, str] = {}
        if self.guest.image.boot == "kernel":
            files = ImageFile.objects.filter(image_id=self.guest.image_id, role__in=("kernel", "initrd"))
            boot = {file.role: file.volume_name for file in files}
            boot["arguments"] = self.guest.image.kernel_arguments
        self.guest.boot_volumes = boot
        self.write(boot_volumes=boot)

    def ensure_seed(self) -> None:
        """Write name, keys, network and the password's hash where the guest finds them at boot."""
        volume = self.seed_volume()
        self.undo("volume_delete", pool=volume.pool, name=volume.name)
        self.driver.seed_write(volume, seed_files(seed_request(self.guest)))
        self.record_volume(volume, kind="seed", capacity_bytes=0)

    def ensure_defined(self) -> None:
        """Make the domain known to the hypervisor."""
        self.undo("undefine")
        with self._image_there():  # the image's kernel is one of the domain's files
            self.driver.domain_define(domain_spec(self.guest, root=self.root_volume(), seed=self.seed_volume()))

    def ensure_started(self) -> None:
        """Boot it, unless it was suspended meanwhile."""
        if not self.guest.suspensions.exists():
            self.undo("destroy")
            self.driver.domain_start(self.guest.pk)
        self.observe()

    # ── inverses ────────────────────────────────────────────────────────────────────────────────
    def undo_volume_delete(self, *, pool: str, name: str) -> None:
        """Delete a volume that this job made."""
        self.delete_volume(VolumeRef(pool, name))

    def undo_undefine(self) -> None:
        """Remove the domain that this job made."""
        self.driver.domain_undefine(self.guest.pk)

    def undo_destroy(self) -> None:
        """Cut the power of the domain that this job started."""
        self.driver.domain_destroy(self.guest.pk)

    def changes(self) -> dict[str, Any]:
        hash_in_seed = GuestSecret.objects.filter(guest=self.guest).exists()
        return {"booted_at": None, "seed_scrubbed_at": None if hash_in_seed else timezone.now()}

    def succeeded(self) -> None:
        super().succeeded()
        GuestSecret.objects.filter(guest=self.guest).delete()


@register
class GuestCreate(BuildOperation):
    """Build a guest: image, disk, seed, domain, power."""

    action = GuestAction.CREATE
    kind = GuestAction.CREATE
    steps = (
        Step("ensure_image", "Fetch the image"),
        Step("ensure_disk", "Make the disk", deadline_s=300),
        Step("ensure_seed", "Write name, keys and network"),
        Step("ensure_defined", "Set up the server"),
        Step("ensure_started", "Start it", deadline_s=60),
    )
