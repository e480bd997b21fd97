"""Trying a failed job on a guest again."""

from panel.core.actors import Actor
from panel.core.errors import InvalidStateError
from panel.core.models import Job
from panel.core.retry import retryable
from vms.models import Guest
from vms.services.actions import guest_action_submit
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
)  # not resize and the password: their request carried what is no longer there


def connect() -> None:
    """Make failed jobs on guests retryable."""
    retryable(AGAIN, guest_job_again)


def guest_job_again(actor: Actor, job: Job) -> Job:
    """Submit the action anew, with today's rights and state.

    Raises:
        InvalidStateError: the guest is gone, or the action makes no sense any more.
    """
    action = GuestAction(job.action)
    guest = Guest.objects.filter(pk=job.resources.get(type="guest").resource_id).first()
    if guest is None or guest.lifecycle == Lifecycle.DELETED:
        raise InvalidStateError("The server has been deleted.")
    params = job.params
    if action is GuestAction.CREATE:  # asked for by whoever may repair it, not ordered again
        actor.require(RULES[GuestAction.START].permission, guest.customer_id)
        if guest.build_number > 1:  # its undo would take away a disk that another job has made
            raise InvalidStateError("The server has been built since. Rebuild it instead.")
    else:
        actor.require(RULES[action].permission, guest.customer_id)
    if action is GuestAction.REBUILD:
        begun = guest.build_number + 1 == params["build_number"] and not params.get("reverted")
        halfway = begun and guest.lifecycle == Lifecycle.ERROR
        if guest.build_number != params["build_number"] and not halfway:
            raise InvalidStateError("The rebuild changed nothing. Ask for it anew.")
        params = {"build_number": guest.build_number + 1}
    return guest_action_submit(actor=actor, guest=guest, action=action, params=params)
