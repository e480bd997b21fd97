"""Doing a failed job's work again, as a new job.

What a job worked on, and whether that still makes sense, only the app behind its action knows: it says so
here when it is loaded. The kernel knows when a job may be retried at all.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from uuid import UUID

from django.db import transaction

from panel.core.actors import Actor
from panel.core.errors import InvalidStateError
from panel.core.models import Job, JobStatus
from panel.core.permissions import Permission

_ENDED_BADLY = (JobStatus.ERROR, JobStatus.CANCELLED)
Resubmit = Callable[[Actor, Job], Job]
"""Checks rights and state as the first request did and returns a new job; called in a transaction."""
Hindrances = Callable[[Sequence[Job]], Mapping[UUID, str]]
"""Says of jobs that ended without success why they cannot be tried again now, each in a sentence that a customer may
read; a job that can is left out. In the same number of queries for any number of jobs."""
_RESUBMITS: dict[str, Resubmit] = {}
_RIGHTS: dict[str, Permission] = {}
_HINDRANCES: dict[str, Hindrances] = {}
_NEVER: dict[str, str] = {}
_UNKNOWN = "This job cannot be tried again. Ask for the action anew."


def retryable(
    actions: Iterable[str],
    resubmit: Resubmit,
    *,
    needs: Permission | None = None,
    hindrances: Hindrances | None = None,
) -> None:
    """Make jobs of these actions retryable, for those who have the right ``needs`` too; called when an app is ready.

    ``hindrances`` foresees what ``resubmit`` would refuse, so that nobody is offered what cannot work.
    """
    for action in actions:
        _RESUBMITS[action] = resubmit
        if needs is not None:
            _RIGHTS[action] = needs
        if hindrances is not None:
            _HINDRANCES[action] = hindrances


def never_retryable(action: str, why: str) -> None:
    """Say in a sentence what is done instead of trying such a job again; called when an app is ready."""
    _NEVER[action] = why


def retry_refusals(jobs: Iterable[Job]) -> dict[UUID, str]:
    """Return for each of these jobs that ended without success why it cannot be tried again; "" when it can."""
    by_look: defaultdict[Hindrances, list[Job]] = defaultdict(list)
    refused: dict[UUID, str] = {}
    for job in jobs:
        if job.status not in _ENDED_BADLY:
            continue
        refused[job.pk] = "" if job.action in _RESUBMITS else _NEVER.get(job.action, _UNKNOWN)
        if look := _HINDRANCES.get(job.action):
            by_look[look].append(job)
    for look, some in by_look.items():
        refused.update(look(some))
    return refused


def may_retry(actor: Actor, job: Job) -> bool:
    """True when somebody may have jobs tried again, and has the right that its action names; others count then."""
    return all(actor.may(right, job.customer_id) for right in _rights(job))


def _rights(job: Job) -> list[Permission]:
    return [Permission.JOB_CANCEL, *filter(None, [_RIGHTS.get(job.action)])]


@transaction.atomic
def job_retry(*, actor: Actor, job: Job) -> Job:
    """Submit the work of a failed or cancelled job again.

    Raises:
        InvalidStateError: the job succeeded or has not ended, or its work cannot be repeated, or not now.
        ResourceBusyError: another job works on the same thing now.
    """
    for right in _rights(job):
        actor.require(right, job.customer_id)
    if job.status not in _ENDED_BADLY:
        raise InvalidStateError("Only a job that failed or was cancelled can be tried again.", current=job.status)
    resubmit = _RESUBMITS.get(job.action)
    if resubmit is None:
        raise InvalidStateError(_NEVER.get(job.action, _UNKNOWN))
    return resubmit(actor, job)
