"""Reinstalling a guest."""

import contextlib
from typing import Any

from panel.core.errors import DomainNotFoundError, PanelError
from panel.core.models import Job
from panel.core.operations import Step, register
from vms.models import Guest
from vms.operations.create import BuildOperation
from vms.services.access import rebuild_revert
from vms.states import GuestAction


@register
class GuestRebuild(BuildOperation):
    """Replace a guest's disk by a new one from an image. Name, addresses and size stay.

    Once removing begins nothing is undone: the next try converges. A job that ends before that puts back what the
    request had changed; a guest that was stopped by then is off.
    """

    action = GuestAction.REBUILD
    kind = GuestAction.REBUILD
    steps = (
        Step("ensure_image", "Fetch the image"),
        Step("ensure_old_gone", "Remove the old disk", deadline_s=120, cancellable=False),
        Step("ensure_disk", "Make the disk", deadline_s=300, cancellable=False),
        Step("ensure_seed", "Write name, keys and network", cancellable=False),
        Step("ensure_defined", "Set up the server", cancellable=False),
        Step("ensure_started", "Start it", deadline_s=60, cancellable=False),
    )

    def undo(self, inverse: str, **before: Any) -> None:
        """Journal nothing: only what makes a guest may unmake it."""

    def ensure_old_gone(self) -> None:
        """Stop it and remove domain and disk, once: a later attempt finds the new disk, maybe in use."""
        if self.guest.build_number == self.job_build_number():
            return
        with contextlib.suppress(DomainNotFoundError):
            self.stop_now()
        self.write(before_rebuild={})  # first: a call that fails may have been carried out
        self.driver.domain_undefine(self.guest.pk)
        self.delete_volume(self.root_volume())
        self.write(build_number=self.job_build_number())
        self.guest.build_number = self.job_build_number()

    def job_build_number(self) -> int:
        """The number of this build: the same for all attempts of the job."""
        number: int = self.job.params["build_number"]
        return number

    def failed(self, error: PanelError) -> None:
        guest = Guest.objects.select_for_update(of=("self",)).get(pk=self._guest_id)
        if not guest.before_rebuild:
            super().failed(error)
            return
        rebuild_revert(guest=guest)
        Job.objects.filter(pk=self.job.pk).update(params={**self.job.params, "reverted": True})
        self._record({})
