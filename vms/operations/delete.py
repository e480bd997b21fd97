"""Removing a guest, without a trace on its host."""

from django.utils import timezone

from hosts.drivers.types import VolumeRef
from hosts.models import Volume
from hosts.services.capacity import pools_left_alone
from panel.core import events
from panel.core.errors import DomainNotFoundError, PanelError
from panel.core.operations import Step, register
from vms.models import Guest, GuestSecret
from vms.operations.base import GuestOperation
from vms.services.allocation import give_back
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
        for volume in sorted(volumes):
            self.delete_volume(volume)

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
