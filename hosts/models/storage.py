"""Pools and the volumes we made in them."""

from django.db import models
from django.db.models import F, Q

from hosts.models.hosts import Host
from panel.core.models.base import Record, VersionedRecord

_OF_DEVICES = Q(path="/dev") | Q(path__startswith="/dev/")


class StoragePools(models.QuerySet["StoragePool"]):
    """Pools, by what they hold."""

    def of_files(self) -> "StoragePools":
        """Only those of files: libvirt knows them, and what is in them may be listed, made, grown and deleted."""
        return self.exclude(_OF_DEVICES)

    def of_devices(self) -> "StoragePools":
        """Only directories of block devices (LVM, ZFS): of disks that were taken over and stay as they are."""
        return self.filter(_OF_DEVICES)


class StoragePool(VersionedRecord):
    """A directory on a host. ``limit_gib`` is what may be sold, thin volumes counted at full size."""

    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="pools")
    name = models.CharField(max_length=63)
    path = models.CharField(max_length=255)
    overcommit = models.DecimalField(max_digits=4, decimal_places=1, default=2)
    for_new_guests = models.BooleanField(default=True)  # False: there are only disks that were taken over
    limit_gib = models.PositiveIntegerField(default=0)
    used_gib = models.PositiveIntegerField(default=0)
    capacity_bytes = models.BigIntegerField(default=0)
    available_bytes = models.BigIntegerField(default=0)

    objects = StoragePools.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["host", "name"], name="hosts_pool_name"),
            models.CheckConstraint(condition=Q(used_gib__lte=F("limit_gib")), name="hosts_pool_sold"),
        ]
        indexes = [models.Index(F("created_at").desc(), F("id").desc(), name="hosts_pool_newest")]

    def __str__(self) -> str:
        return self.name


class Volume(Record):
    """A disk image in a pool, made by the panel. Deleted when the host no longer has it."""

    pool = models.ForeignKey(StoragePool, on_delete=models.PROTECT, related_name="volumes")
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=16)  # root, disk, seed
    format = models.CharField(max_length=8)
    capacity_bytes = models.BigIntegerField()
    owner_id = models.UUIDField(null=True)  # the guest

    class Meta:
        constraints = [models.UniqueConstraint(fields=["pool", "name"], name="hosts_volume_name")]
        indexes = [models.Index(fields=["owner_id"], name="hosts_volume_owner")]

    def __str__(self) -> str:
        return self.name
