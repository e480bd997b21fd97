"""Bringing a guest's host back to what the panel has."""

from hosts.drivers.seed import seed_files
from panel.core.errors import DomainNotFoundError, InvalidStateError, VolumeNotFoundError
from panel.core.operations import Step, register
from vms.operations.power import StartsGuest
from vms.operations.specs import guest_spec, seed_request, seed_volume
from vms.selectors import root_left_alone
from vms.services.reconcile.settle import repaired
from vms.states import GuestAction, PowerWanted


@register
class GuestRepair(StartsGuest):
    """Write a guest's seed, configuration and rules as they should be. A guest that runs is not stopped.

    One whose domain was gone is started again when it should run. Sizes count from the next start.
    """

    action = GuestAction.REPAIR
    kind = GuestAction.REPAIR
    steps = (
        Step("ensure_volumes", "Look for its disks"),
        Step("ensure_defined", "Set its configuration"),
        Step("ensure_guarded", "Load its address rules"),
        Step("ensure_power", "Start it if it was gone", deadline_s=60),
    )

    def prepare(self) -> None:
        super().prepare()
        self.was_gone = False

    def ensure_volumes(self) -> None:
        if not root_left_alone(self.guest):
            self.driver.volume_info(self.root_volume())
        seed = seed_volume(self.guest)
        if seed is None:
            return
        try:
            self.driver.volume_info(seed)
        except VolumeNotFoundError:
            self.driver.seed_write(seed, seed_files(seed_request(self.guest, with_hash=False)))
            self.record_volume(seed, kind="seed", capacity_bytes=0)

    def ensure_defined(self) -> None:
        try:
            self.driver.domain_info(self.guest.pk)
        except DomainNotFoundError:
            if self.guest.domain_name:
                raise InvalidStateError(
                    "The server was taken over and its domain is gone: the panel does not know how it was made."
                ) from None
            self.was_gone = True
        if not self.driver.domain_is_current(guest_spec(self.guest)):
            self.driver.domain_define(guest_spec(self.guest))

    def ensure_guarded(self) -> None:
        self.driver.domain_protect(self.guest.pk)

    def ensure_power(self) -> None:
        wanted = self.guest.power_wanted == PowerWanted.ON and not self.guest.suspensions.exists()
        if self.was_gone and wanted:
            self.ensure_started()
        else:
            self.observe()

    def succeeded(self) -> None:
        super().succeeded()
        repaired(guest_id=self.guest.pk)
