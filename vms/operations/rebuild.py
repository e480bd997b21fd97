"""Reinstalling a guest."""

import contextlib
from typing import Any

from panel.core.errors import DomainNotFoundError
from panel.core.operations import Step, register
from vms.operations.create import BuildOperation
from vms.states import GuestAction


@register
class GuestRebuild(BuildOperation):
    """Replace a guest's disk by a new one from an image. Name, addresses and size stay.

    Nothing is undone on failure: the old disk is gone by intent, and the next try converges.
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
        """Stop it and remove domain and disk, once; a later attempt must not remove the new disk's data."""
        with contextlib.suppress(DomainNotFoundError):
            self.stop_now()
        self.driver.domain_undefine(self.guest.pk)
        self.driver.volume_delete(self.root_volume())
        self.write(build_number=self.job_build_number())
        self.guest.build_number = self.job_build_number()

    def job_build_number(self) -> int:
        """The number of this build: the same for all attempts of the job."""
        number: int = self.job.params.get("build_number", 1)
        return number
