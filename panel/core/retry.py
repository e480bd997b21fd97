"""Doing a failed job's work again, as a new job.

What a job worked on, and whether that still makes sense, only the app behind its action knows: it says so
here when it is loaded. The kernel knows when a job may be retried at all.
"""

from collections.abc import Callable, Iterable

from django.db import transaction

from panel.core.actors import Actor
from panel.core.errors import InvalidStateError
from panel.core.models import Job, JobStatus
from panel.core.permissions import Permission

Resubmit = Callable[[Actor, Job], Job]
"""Checks rights and state as the first request did and returns a new job; called in a transaction."""
_RESUBMITS: dict[str, Resubmit] = {}
_RIGHTS: dict[str, Permission] = {}


def retryable(actions: Iterable[str], resubmit: Resubmit, *, needs: Permission | None = None) -> None:
    """Make jobs of these actions retryable, for those who have the right ``needs`` too; called when an app is ready."""
    for action in actions:
        _RESUBMITS[action] = resubmit
        if needs is not None:
            _RIGHTS[action] = needs


def can_retry(job: Job) -> bool:
    """True when the job ended without success and its action knows how to begin again."""
    return job.status in (JobStatus.ERROR, JobStatus.CANCELLED) and job.action in _RESUBMITS


def may_retry(actor: Actor, job: Job) -> bool:
    """True when somebody may have jobs tried again, and has the right that its action names; others count then."""
    return all(actor.may(right, job.customer_id) for right in _rights(job))


def _rights(job: Job) -> list[Permission]:
    return [Permission.JOB_CANCEL, *filter(None, [_RIGHTS.get(job.action)])]


@transaction.atomic
def job_retry(*, actor: Actor, job: Job) -> Job:
    """Submit the work of a failed or cancelled job again.

    Raises:
        InvalidStateError: the job succeeded or has not ended, or its work cannot be repeated.
        ResourceBusyError: another job works on the same thing now.
    """
    for right in _rights(job):
        actor.require(right, job.customer_id)
    if job.status not in (JobStatus.ERROR, JobStatus.CANCELLED):
        raise InvalidStateError("Only a job that failed or was cancelled can be tried again.", current=job.status)
    resubmit = _RESUBMITS.get(job.action)
    if resubmit is None:
        raise InvalidStateError("This job cannot be tried again. Ask for the action anew.")
    return resubmit(actor, job)
