"""Deleting a volume that belongs to nobody, after making sure of that once more."""

from hosts import registry
from hosts.calls import guarded
from hosts.drivers.base import HypervisorDriver
from hosts.drivers.types import VolumeRef
from hosts.models import HostConnection, ImageFile, StoragePool, Volume
from panel.core.errors import InvalidStateError
from panel.core.operations import Operation, Step, register
from vms.models import Difference, Guest
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
        path = f"{self.pool.path.rstrip('/')}/{self.volume.name}"
        for connection in self.connections:
            for domain in self.driver(connection).domain_descriptions():
                used = [path == disk.path or path in disk.backing_paths for disk in domain.disks]
                if any(used) or any(disk.volume == self.volume for disk in domain.disks):
                    raise InvalidStateError("The volume is used by a domain of the host.", detail=domain.domain_name)
        self._ensure_no_overlay(path)

    def _ensure_no_overlay(self, path: str) -> None:
        """Look at all pools of the host; one that cannot be read might have an overlay, so its error counts."""
        driver = self.driver(self.connections[0])
        for pool in StoragePool.objects.managed().filter(host_id=self.pool.host_id).order_by("name"):
            for volume in driver.volume_list(pool.name):
                if volume.backing_path == path:
                    raise InvalidStateError(
                        f"The volume {volume.ref.name} is an overlay of it and would be lost with it.", detail=pool.name
                    )

    def ensure_deleted(self) -> None:
        for connection in self.connections:
            self.driver(connection).volume_delete(self.volume)

    def succeeded(self) -> None:
        Volume.objects.filter(pool=self.pool, name=self.volume.name).delete()
        settled(self.difference, how="released")
