"""Changing a stopped guest's size."""

from panel.core.errors import PanelError
from panel.core.operations import Step, register
from panel.core.units import bytes_from_gib
from vms.models import Guest
from vms.operations.base import GuestOperation
from vms.operations.specs import guest_spec
from vms.selectors import root_left_alone
from vms.services.resize import resize_revert, resize_settle
from vms.states import GuestAction


@register
class GuestResize(GuestOperation):
    """Grow the disk and redefine the domain. The room was taken with the request."""

    action = GuestAction.RESIZE
    kind = GuestAction.RESIZE
    steps = (
        Step("ensure_disk_size", "Grow the disk", deadline_s=120),
        Step("ensure_defined", "Set the new size", cancellable=False),
    )

    def ensure_disk_size(self) -> None:
        if root_left_alone(self.guest):
            return  # it has the size it had
        volume = self.root_volume()
        others_gib = sum(self.guest.disks.filter(index__gt=0).values_list("size_gib", flat=True))
        wanted = bytes_from_gib(self.guest.disk_gib - others_gib)
        if self.driver.volume_info(volume).capacity_bytes < wanted:
            self.driver.volume_resize(volume, capacity_bytes=wanted)
        with self.fenced():
            self.guest.pool.volumes.filter(name=volume.name, capacity_bytes__lt=wanted).update(capacity_bytes=wanted)  # type: ignore[union-attr]

    def ensure_defined(self) -> None:
        self.driver.domain_define(guest_spec(self.guest))
        self.observe()

    def succeeded(self) -> None:
        super().succeeded()
        resize_settle(guest=Guest.objects.get(pk=self._guest_id), before=self.job.params["before"])

    def failed(self, error: PanelError) -> None:
        super().failed(error)
        resize_revert(guest=Guest.objects.get(pk=self._guest_id), before=self.job.params["before"])
