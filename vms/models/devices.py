"""What is plugged into a guest."""

from django.db import models

from hosts.models import Network, Volume
from panel.core.models.base import Record
from vms.models.guests import Guest


class Disk(Record):
    """A volume attached to a guest; index 0 is the root disk."""

    guest = models.ForeignKey(Guest, on_delete=models.CASCADE, related_name="disks")
    index = models.PositiveSmallIntegerField(default=0)
    size_gib = models.PositiveIntegerField()
    volume = models.OneToOneField(Volume, null=True, on_delete=models.SET_NULL, related_name="disk")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["guest", "index"], name="vms_disk_index")]

    def __str__(self) -> str:
        return f"disk {self.index} of {self.guest_id}"


class Nic(Record):
    """A guest's attachment to a network."""

    guest = models.ForeignKey(Guest, on_delete=models.CASCADE, related_name="nics")
    index = models.PositiveSmallIntegerField(default=0)
    network = models.ForeignKey(Network, on_delete=models.PROTECT, related_name="nics")
    mac = models.CharField(max_length=17, unique=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["guest", "index"], name="vms_nic_index")]

    def __str__(self) -> str:
        return self.mac
