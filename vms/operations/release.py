"""Deleting a volume that belongs to nobody, after making sure of that once more."""

from hosts import registry
from hosts.calls import guarded
from hosts.drivers.base import HypervisorDriver
from hosts.drivers.descriptions import FileUse
from hosts.drivers.types import VolumeRef
from hosts.models import HostConnection, ImageFile, StoragePool, Volume
from panel.core.errors import InvalidStateError
from panel.core.operations import Operation, Step, register
from vms.models import Difference, Guest
from vms.operations.file_uses import needed_volumes
from vms.services.reconcile.settle import settled
from vms.states import Lifecycle


@register
class VolumeRelease(Operation):
    """Delete a volume without an owner."""

    action = "volume.release"
    steps = (
        Step("ensure_unused", "Make sure that nobody uses it", deadline_s=60),
        Step("ensure_deleted", "Delete it", deadline_s=60, cancellable=False),
    )

    def prepare(self) -> None:
        self.difference = Difference.objects.get(pk=self.job.resources.get(type="difference").resource_id)
        self.pool = StoragePool.objects.get(pk=self.job.params["pool"])
        self.volume = VolumeRef(self.pool.name, self.job.params["name"])
        self.connections = list(HostConnection.objects.filter(host_id=self.pool.host_id, enabled=True))
        row = Volume.objects.filter(pool=self.pool, name=self.volume.name).first()
        living = Guest.objects.exclude(lifecycle=Lifecycle.DELETED)
        owned = row is not None and row.owner_id is not None and living.filter(pk=row.owner_id).exists()
        names = {file.volume_name for file in ImageFile.objects.only("sha256", "format")}
        if owned or self.volume.name in names:
            raise InvalidStateError("The volume has an owner by now.")

    def driver(self, connection: HostConnection) -> HypervisorDriver:
        """Return the guarded driver of one connection."""
        return guarded(
            lambda: registry.driver_of(connection), fence=self.verify, deadline_s=lambda: self.step_now.deadline_s
        )

    def ensure_unused(self) -> None:
        use = needed_volumes({self.volume}, host_id=self.pool.host_id, driver=self.driver).get(self.volume)
        if use is not None:
            raise InvalidStateError(_said(use), detail=use.by)

    def ensure_deleted(self) -> None:
        for connection in self.connections:
            self.driver(connection).volume_delete(self.volume)

    def succeeded(self) -> None:
        Volume.objects.filter(pool=self.pool, name=self.volume.name).delete()
        settled(self.difference, how="released")


def _said(use: FileUse) -> str:
    if not use.path:
        return f"The host does not say what the disks in {use.by} are built on: it may be this volume."
    if use.domain is not None:
        return "The volume is used by a domain of the host."
    return f"The volume {use.by.rpartition('/')[2]} is an overlay of it and would be lost with it."
