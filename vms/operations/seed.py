"""The seed after the first boot: a new root password, and taking hashes out again."""

from typing import Any

from django.utils import timezone

from hosts.drivers.seed import seed_files
from hosts.drivers.types import PowerState
from panel.core.errors import PanelError
from panel.core.operations import Step, register
from vms.models import Guest, GuestSecret
from vms.operations.base import GuestOperation
from vms.operations.power import SHUTDOWN_WAIT_S
from vms.operations.specs import seed_request
from vms.states import GuestAction


@register
class GuestResetRootPassword(GuestOperation):
    """Put a new password's hash in the seed and restart a running guest, which then applies it."""

    action = GuestAction.RESET_ROOT_PASSWORD
    kind = GuestAction.RESET_ROOT_PASSWORD
    steps = (
        Step("ensure_seed", "Hand the new password over"),
        Step("restart", "Restart it", deadline_s=SHUTDOWN_WAIT_S + 60, cancellable=False),
    )

    def ensure_seed(self) -> None:
        self.driver.seed_write(self.seed_volume(), seed_files(seed_request(self.guest)))

    def restart(self) -> None:
        state = self.driver.domain_info(self.guest.pk).state
        if state is PowerState.RUNNING and self.driver.domain_reboot(self.guest.pk, timeout_s=SHUTDOWN_WAIT_S):
            state = PowerState.SHUTOFF  # it went down and booted: there is nothing left to cut
        if state is not PowerState.SHUTOFF:
            self.driver.domain_reset(self.guest.pk)
        self.observe()

    def changes(self) -> dict[str, Any]:
        return {"booted_at": None, "seed_scrubbed_at": None}

    def succeeded(self) -> None:
        super().succeeded()
        GuestSecret.objects.filter(guest=self.guest).delete()

    def failed(self, error: PanelError) -> None:
        """Forget the password. The seed may have its hash already and is scrubbed."""
        super().failed(error)
        GuestSecret.objects.filter(guest_id=self._guest_id).delete()
        before = {"password_set": self.job.params["password_set"]}
        Guest.objects.filter(pk=self._guest_id).update(seed_scrubbed_at=None, **before)


@register
class GuestScrubSeed(GuestOperation):
    """Rewrite the seed of a guest that has booted, without the password's hash.

    Not when a new password or a new build waits behind this job: that one writes the seed.
    """

    action = GuestAction.SCRUB_SEED
    kind = GuestAction.SCRUB_SEED
    cancellable = False
    steps = (Step("ensure_scrubbed", "Take the password's hash out of the seed"),)

    scrubbed = False

    def ensure_scrubbed(self) -> None:
        if self.guest.before_rebuild or GuestSecret.objects.filter(guest=self.guest).exists():
            return
        self.driver.seed_write(self.seed_volume(), seed_files(seed_request(self.guest, with_hash=False)))
        self.scrubbed = True

    def changes(self) -> dict[str, Any]:
        return {"seed_scrubbed_at": timezone.now()} if self.scrubbed else {}
