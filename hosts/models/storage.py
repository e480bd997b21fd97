"""Pools and the volumes we made in them."""

from django.db import models
from django.db.models import F, Q

from hosts.models.hosts import Host
from panel.core.models.base import Record, VersionedRecord


class StoragePools(models.QuerySet["StoragePool"]):
    """Pools, by what the panel may do in them."""

    def managed(self) -> "StoragePools":
        """Only those that are pools of the host's libvirt: what is in them may be listed, made, grown and deleted."""
        return self.filter(left_alone=False)


class StoragePool(VersionedRecord):
    """A directory on a host. ``limit_gib`` is what may be sold, thin volumes counted at full size.

    ``left_alone``: a place where only disks are that were taken over and are left alone (block devices; "/" for the
    directories of containers, wherever they are). The host's libvirt has no pool of it.
    """

    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="pools")
    name = models.CharField(max_length=63)
    path = models.CharField(max_length=255)
    overcommit = models.DecimalField(max_digits=4, decimal_places=1, default=2)
    for_new_guests = models.BooleanField(default=True)  # False: there are only disks that were taken over
    left_alone = models.BooleanField(default=False)
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
    """A disk image in a pool, made by the panel. Deleted when the host no longer has it.

    ``left_alone``: it was taken over and is no file of a disk, but a block device or a container's own file system.
    The panel knows it, and neither grows nor deletes it. ``capacity_bytes`` 0: the host does not say.
    """

    pool = models.ForeignKey(StoragePool, on_delete=models.PROTECT, related_name="volumes")
    name = models.CharField(max_length=255)
    kind = models.CharField(max_length=16)  # root, disk, seed
    format = models.CharField(max_length=8)
    capacity_bytes = models.BigIntegerField()
    owner_id = models.UUIDField(null=True)  # the guest
    left_alone = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["pool", "name"], name="hosts_volume_name")]
        indexes = [models.Index(fields=["owner_id"], name="hosts_volume_owner")]

    def __str__(self) -> str:
        return self.name
