"""Removing a guest, without a trace on its host."""

from django.utils import timezone

from hosts import registry
from hosts.calls import guarded
from hosts.drivers.base import HypervisorDriver
from hosts.drivers.descriptions import FileUse
from hosts.drivers.types import VolumeRef
from hosts.models import HostConnection, Volume
from hosts.services.capacity import pools_left_alone
from panel.core import events
from panel.core.actors import SYSTEM
from panel.core.errors import DomainNotFoundError, PanelError
from panel.core.models import Job
from panel.core.operations import Step, register
from vms.models import Guest, GuestSecret
from vms.operations.base import GuestOperation
from vms.operations.file_uses import is_shared, needed_volumes
from vms.services.actions import guest_audit
from vms.services.allocation import give_back
from vms.services.file_needs import left_note
from vms.states import GuestAction, Lifecycle


@register
class GuestDelete(GuestOperation):
    """Cut the power, remove domain, volumes, seed and rules, give address and room back."""

    action = GuestAction.DELETE
    kind = GuestAction.DELETE
    cancellable = False
    steps = (
        Step("ensure_stopped", "Cut the power", cancellable=False),
        Step("ensure_undefined", "Remove the server", cancellable=False),
        Step("ensure_volumes_gone", "Delete its disks", deadline_s=120, cancellable=False),
    )

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self.kept: dict[VolumeRef, FileUse] = {}  # what others need

    def prepare(self) -> None:
        super().prepare()
        self.write(lifecycle=Lifecycle.DELETING)
        events.publish("guest", self.guest.pk, customer_id=self.guest.customer_id)

    def ensure_stopped(self) -> None:
        try:
            self.stop_now()
        except DomainNotFoundError:
            return

    def ensure_undefined(self) -> None:
        self.driver.domain_undefine(self.guest.pk)

    def ensure_volumes_gone(self) -> None:
        with self.fenced():  # these are whoever made them's to erase
            Volume.objects.filter(owner_id=self.guest.pk, left_alone=True).delete()
        owned = Volume.objects.filter(pool__host=self.guest.host, owner_id=self.guest.pk)
        volumes = {VolumeRef(pool, name) for pool, name in owned.values_list("pool__name", "name")}
        if not self.guest.domain_name:  # also what was made and not written down
            volumes |= {self.root_volume(), self.seed_volume()}
        self.kept = self._needed_by_others(volumes)
        for volume in sorted(volumes - self.kept.keys()):
            self.delete_volume(volume)
        if self.kept:
            self.progress(100, left_note(self.kept))

    def _needed_by_others(self, volumes: set[VolumeRef]) -> dict[VolumeRef, FileUse]:
        """Return what of it others need; where all domains are the panel's own, each has its disks for itself."""
        assert self.guest.host is not None  # noqa: S101 - prepare() made sure
        host_id = self.guest.host.pk
        if not self.guest.domain_name and not is_shared(host_id):
            return {}
        return needed_volumes(volumes, host_id=host_id, driver=self._driver_of, but_of=self.guest.pk)

    def _driver_of(self, connection: HostConnection) -> HypervisorDriver:
        return guarded(
            lambda: registry.driver_of(connection), fence=self.verify, deadline_s=lambda: self.step_now.deadline_s
        )

    def failed(self, error: PanelError) -> None:
        """Say why it is still there; it can be deleted again."""
        super().failed(error)
        guest = Guest.objects.filter(pk=self._guest_id).exclude(lifecycle=Lifecycle.DELETED)
        guest.update(lifecycle=Lifecycle.DELETING, error_message=str(error))

    def succeeded(self) -> None:
        super().succeeded()
        guest = (
            Guest.objects.select_for_update(of=("self",))
            .select_related("host", "pool", "customer")
            .get(pk=self.guest.pk)
        )
        if guest.deleted_at is not None:
            return
        GuestSecret.objects.filter(guest=guest).delete()
        guest.disks.all().delete()
        self._forget_kept(guest)
        give_back(guest)
        if guest.domain_name and guest.host_id is not None:
            pools_left_alone(host_id=guest.host_id)
        Guest.objects.filter(pk=guest.pk).update(
            deleted_at=timezone.now(),
            power_state="shutoff",
            external_id=None,
            ssh_keys=[],
            user_data="",
            before_rebuild={},
        )

    def _forget_kept(self, guest: Guest) -> None:
        """The panel has nothing more to do with what is left where it is; the audit says what, and who needs it."""
        for volume, use in sorted(self.kept.items()):
            rows = Volume.objects.filter(pool__host=guest.host, pool__name=volume.pool, name=volume.name)
            rows.delete()
            path = f"{volume.pool}/{volume.name}"
            guest_audit(SYSTEM, guest, "guest.delete.disk_left", disk=(path, None), needed_by=(None, use.by))
