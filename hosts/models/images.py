"""Images: what a guest is made from."""

from django.db import models
from django.db.models import F

from hosts.models.hosts import Host
from hosts.states import ImageState
from panel.core.models.base import Record, VersionedRecord


class Image(VersionedRecord):
    """An installable operating system. ``boot``: ``disk`` has its own boot loader, ``kernel`` is booted
    directly with kernel and initrd from the image. Content never changes; a new build is a new checksum.
    """

    slug = models.SlugField(max_length=63, unique=True)
    name = models.CharField(max_length=120)
    os = models.CharField(max_length=32)
    os_version = models.CharField(max_length=32, blank=True)
    state = models.CharField(max_length=16, choices=ImageState, default=ImageState.BUILDING)
    boot = models.CharField(max_length=8, choices=[("disk", "Disk"), ("kernel", "Kernel")], default="disk")
    cloud_init = models.BooleanField(default=False)
    host_types = models.JSONField(default=list)
    min_disk_gib = models.PositiveIntegerField(default=1)
    min_memory_mib = models.PositiveIntegerField(default=64)
    kernel_arguments = models.CharField(max_length=255, blank=True)
    lxc_init = models.CharField(max_length=120, default="/sbin/init")
    size_bytes = models.BigIntegerField(default=0)
    checksum = models.CharField(max_length=64, blank=True)  # SHA-256 over its files' checksums
    recipe_key = models.CharField(max_length=64, blank=True)

    class Meta:
        indexes = [models.Index(F("created_at").desc(), F("id").desc(), name="hosts_image_newest")]

    def __str__(self) -> str:
        return self.name


class ImageFile(Record):
    """One file of an image. ``role``: kvm_disk, kernel, initrd, lxc_root. ``path`` is below the image cache."""

    image = models.ForeignKey(Image, on_delete=models.CASCADE, related_name="files")
    role = models.CharField(max_length=16)
    path = models.CharField(max_length=255)
    format = models.CharField(max_length=8)
    sha256 = models.CharField(max_length=64)
    size_bytes = models.BigIntegerField()
    capacity_bytes = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["image", "role"], name="hosts_imagefile_role")]

    def __str__(self) -> str:
        return f"{self.role} of {self.image_id}"

    @property
    def volume_name(self) -> str:
        """The file's name as a volume on every host: content-addressed, so it never changes."""
        return f"image-{self.sha256[:24]}.{self.format}"


class HostImage(Record):
    """An image file that a host's pool was seen to have."""

    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="images")
    file = models.ForeignKey(ImageFile, on_delete=models.CASCADE, related_name="copies")
    pool = models.ForeignKey("hosts.StoragePool", on_delete=models.CASCADE, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["host", "file", "pool"], name="hosts_hostimage_once")]

    def __str__(self) -> str:
        return f"{self.file_id} on {self.host_id}"
