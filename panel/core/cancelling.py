"""Ending jobs early: who may ask for it, and what can be asked to end.

Whose right an action needs, only the app behind it knows: it says so here when it is loaded.
"""

from collections.abc import Iterable
from contextlib import suppress
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from panel.core import events
from panel.core.actors import Actor
from panel.core.audit import audit_record
from panel.core.errors import InvalidStateError, JobCancelledError
from panel.core.jobs import job_release, ring
from panel.core.models import Job, JobStatus
from panel.core.models.jobs import ACTIVE
from panel.core.operations import failure_record, registered
from panel.core.permissions import Permission

_RIGHTS: dict[str, Permission] = {}


def cancel_needs(actions: Iterable[str], permission: Permission) -> None:
    """Let only those cancel jobs of these actions who have this right too; called when an app is ready."""
    for action in actions:
        _RIGHTS[action] = permission


def can_cancel(job: Job) -> bool:
    """True when the job has not ended and what it does may be left undone."""
    operation = registered().get(job.action)
    return not job.is_final and (operation is None or operation.cancellable)


def may_cancel(actor: Actor, job: Job) -> bool:
    """True when somebody may cancel jobs, and may ask for this one's action."""
    return all(actor.may(right, job.customer_id) for right in _rights(job))


def _rights(job: Job) -> list[Permission]:
    return [Permission.JOB_CANCEL, *filter(None, [_RIGHTS.get(job.action)])]


@transaction.atomic
def job_cancel_by(*, actor: Actor, job: Job) -> Job:
    """Cancel a job for somebody who may cancel jobs and may ask for this one's action.

    Raises:
        PermissionDeniedError: one of the rights is missing.
        InvalidStateError: the job has ended, or must be carried out.
    """
    for right in _rights(job):
        actor.require(right, job.customer_id)
    asked_before = job.cancel_requested_at is not None
    if not job.is_final and not can_cancel(job):
        raise InvalidStateError("This job has to be carried out and cannot be cancelled.", current=job.status)
    _cancel_children(job)
    job = job_cancel(job_id=job.pk)
    if not asked_before:
        audit_record(
            actor=actor,
            action="job.cancel.requested",
            object_type="job",
            object_id=job.pk,
            object_label=job.action,
            customer_id=job.customer_id,
        )
    return job


def _cancel_children(parent: Job) -> None:
    """Ask the jobs to stop that a job of many is made of; before the parent is locked, as at a child's own end."""
    for child in parent.children.filter(status__in=ACTIVE).order_by("pk"):
        if can_cancel(child):
            with suppress(InvalidStateError):  # it ended meanwhile
                job_cancel(job_id=child.pk)


@transaction.atomic
def job_cancel(*, job_id: UUID) -> Job:
    """Ask a job to stop: before its first attempt it is closed at once, a running one at its next checkpoint.

    Raises:
        InvalidStateError: the job has ended.
    """
    job = Job.objects.select_for_update().get(pk=job_id)
    if job.is_final:
        raise InvalidStateError("The job has ended already.", current=job.status)
    if job.cancel_requested_at is None:
        Job.objects.filter(pk=job.pk).update(cancel_requested_at=Now())
    events.publish("job", job.pk, customer_id=job.customer_id)
    ring(job)
    job.refresh_from_db()
    return job


@transaction.atomic
def job_drop(job: Job, *, reason: str) -> bool:
    """End a job that was never begun and has become pointless. False when it was begun meanwhile."""
    error = JobCancelledError(reason)
    dropped = Job.objects.filter(pk=job.pk, status=JobStatus.QUEUED, attempt=0).update(
        status=JobStatus.CANCELLED, finished_at=Now(), error_code=error.code, error_message=reason
    )
    if not dropped:
        return False
    if (operation := registered().get(job.action)) is not None:
        failure_record(operation(job), error)
    job_release(job)
    return True
