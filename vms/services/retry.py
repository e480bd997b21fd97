"""Trying a failed job on a guest again, and one that settles a difference."""

from typing import cast
from uuid import UUID

from panel.core.actors import Actor
from panel.core.errors import InvalidStateError
from panel.core.models import Job
from panel.core.permissions import Permission
from panel.core.retry import never_retryable, retryable
from vms.models import Difference, Guest
from vms.services.actions import guest_action_submit
from vms.services.hindrances import (
    CLOSED,
    DELETED,
    action_hindrances,
    guest_hindrance,
    release_hindrances,
    repair_hindrances,
)
from vms.services.limiter import MARK
from vms.services.reconcile.actions import difference_release, difference_repair
from vms.states import RULES, GuestAction, Lifecycle

AGAIN = (
    GuestAction.CREATE,
    GuestAction.START,
    GuestAction.SHUTDOWN,
    GuestAction.STOP,
    GuestAction.REBOOT,
    GuestAction.RESET,
    GuestAction.REBUILD,
    GuestAction.SUSPEND,
    GuestAction.UNSUSPEND,
    GuestAction.DELETE,
)  # not the password: nothing keeps it, and a new one could not be shown. Another size and a take-over: see billing


def connect() -> None:
    """Make failed jobs on guests retryable."""
    for action in AGAIN:
        retryable([action], guest_job_again, needs=RULES[_as(action)].permission, hindrances=action_hindrances)
    manage = Permission.FLEET_MANAGE
    retryable([GuestAction.REPAIR], repair_again, needs=manage, hindrances=repair_hindrances)
    retryable(["volume.release"], release_again, needs=manage, hindrances=release_hindrances)
    never_retryable(GuestAction.RESET_ROOT_PASSWORD, "Nothing keeps the password: ask for a new one at the server.")
    never_retryable(GuestAction.SCRUB_SEED, "The panel does this again by itself.")


def guest_job_again(actor: Actor, job: Job) -> Job:
    """Submit the action anew, with today's rights and state.

    Raises:
        InvalidStateError: the guest is gone, or the action makes no sense any more.
    """
    action = GuestAction(job.action)
    guest = guest_of_job(job)
    params = {name: value for name, value in job.params.items() if name != MARK}  # somebody asks for it now
    actor.require(RULES[_as(action)].permission, guest.customer_id)
    if why := guest_hindrance(job, guest):
        raise InvalidStateError(why, current=guest.lifecycle)
    if action is GuestAction.REBUILD:
        params = {"build_number": guest.build_number + 1}
    return guest_action_submit(actor=actor, guest=guest, action=action, params=params)


def _as(action: GuestAction) -> GuestAction:
    """Return the action whose right counts: a creation is mended by whoever may start the guest, not ordered again."""
    return GuestAction.START if action is GuestAction.CREATE else action


def guest_of_job(job: Job) -> Guest:
    """Return the guest that a job worked on. Raises InvalidStateError: it is gone."""
    guest = Guest.objects.filter(pk=job.resources.get(type="guest").resource_id).first()
    if guest is None or guest.lifecycle == Lifecycle.DELETED:
        raise InvalidStateError(DELETED)
    return guest


def repair_again(actor: Actor, job: Job) -> Job:
    """Repair the difference anew, if it is still there; also one whose repair nobody had asked for.

    Raises:
        InvalidStateError: it is closed, or cannot be repaired any more.
    """
    difference = _difference(job.params.get("difference"))
    return cast(Job, difference_repair(actor=actor, difference=difference).job)


def release_again(actor: Actor, job: Job) -> Job:
    """Release the volume anew, if it still belongs to nobody. Its name was typed in the first request.

    Raises:
        InvalidStateError: the difference is closed, or the volume must stay.
    """
    difference = _difference(job.resources.get(type="difference").resource_id)
    return cast(Job, difference_release(actor=actor, difference=difference, confirm=job.params["name"]).job)


def _difference(difference_id: UUID | str | None) -> Difference:
    row = Difference.objects.filter(pk=difference_id).first() if difference_id else None
    if row is None:
        raise InvalidStateError(CLOSED)
    return row
