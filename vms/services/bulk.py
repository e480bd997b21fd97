"""One request for many guests: a parent job, and a job of its own for each guest that may be worked on now."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.db import transaction

from panel.core.actors import Actor
from panel.core.cancelling import cancel_needs
from panel.core.errors import InvalidStateError, PanelError
from panel.core.models import Job, JobStatus
from panel.core.parents import parent_make, parent_recompute
from panel.core.retry import retryable
from vms.models import Guest
from vms.services.actions import guest_action_submit
from vms.services.hindrances import bulk_hindrances
from vms.states import RULES, GuestAction

LIMIT = 100
BULK_ACTIONS = (
    GuestAction.START,
    GuestAction.SHUTDOWN,
    GuestAction.STOP,
    GuestAction.REBOOT,
    GuestAction.RESET,
)


def bulk_name(action: GuestAction) -> str:
    """Return the parent's action: ``guests.start`` of many ``guest.start``."""
    return f"guests.{action.verb}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A guest that was left out, and why: one sentence and its code."""

    guest: Guest
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkOutcome:
    """What became of a request for many guests: the parent of the jobs, and who was left out."""

    job: Job
    refused: tuple[Refusal, ...]


def connect() -> None:
    """Make jobs of many retryable and let only those cancel them who may ask for their action."""
    retryable([bulk_name(action) for action in BULK_ACTIONS], bulk_again, hindrances=bulk_hindrances)
    for action in BULK_ACTIONS:
        cancel_needs([bulk_name(action)], RULES[action].permission)


@transaction.atomic
def guests_action_submit(*, actor: Actor, guests: Collection[Guest], action: GuestAction) -> BulkOutcome:
    """Ask for an action of each guest; the rights to all of them were checked.

    Raises:
        InvalidStateError: none of them can be worked on now; nothing was changed.
    """
    customers = {guest.customer_id for guest in guests}
    parent = parent_make(
        action=bulk_name(action), actor=actor, customer_id=customers.pop() if len(customers) == 1 else None
    )
    refused = []
    # In the order of their ids: two requests for the same guests never wait for each other in a circle.
    for guest in sorted(guests, key=lambda one: one.pk):
        try:
            guest_action_submit(actor=actor, guest=guest, action=action, parent=parent)
        except PanelError as error:
            refused.append(Refusal(guest=guest, code=error.code, message=str(error)))
    if len(refused) == len(guests):
        raise InvalidStateError(_refused_all(refused))
    parent_recompute(parent.pk)
    parent.refresh_from_db()
    return BulkOutcome(job=parent, refused=tuple(refused))


def _refused_all(refused: Sequence[Refusal]) -> str:
    told = [f"{one.guest.name}: {one.message}" for one in refused[:4]]
    if len(refused) > len(told):
        told.append(f"And {len(refused) - len(told)} more.")
    return " ".join(["None of these servers can do this now.", *told])


def bulk_again(actor: Actor, job: Job) -> Job:
    """Ask anew for those guests whose job failed or was cancelled.

    Raises:
        InvalidStateError: none of them can be worked on now.
    """
    action = next(one for one in BULK_ACTIONS if bulk_name(one) == job.action)
    ended = job.children.filter(status__in=(JobStatus.ERROR, JobStatus.CANCELLED))
    guests = Guest.objects.filter(pk__in=ended.values("resources__resource_id"))
    for guest in guests:
        actor.require(RULES[action].permission, guest.customer_id)
    return guests_action_submit(actor=actor, guests=list(guests), action=action).job
