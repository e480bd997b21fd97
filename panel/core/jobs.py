"""A job's life: submit, claim, report, requeue, finish.

The row is the truth and the Celery message a doorbell: a lost message is sent again by the sweeper, a
repeated one finds the job claimed. Every write of a running attempt carries its fencing token.

Locks, always in this order: the rows of the work (guest, host), then the job's own row.
"""

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

from celery import current_app
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from panel.core import doorbell, events
from panel.core.actors import Actor
from panel.core.attempts import attempt_begin, attempt_end, attempt_forget
from panel.core.errors import JobLostError
from panel.core.holding import Resource, let_in, lonely_let_in, resource_take
from panel.core.host_slots import slot_free, slot_take
from panel.core.models import AttemptOutcome, Job, JobResource, JobStatus, ResourceSlot
from panel.core.parents import parent_recompute

logger = logging.getLogger(__name__)

JOB_TASK = "core.job_run"  # the one Celery task; by name, because its module stands above this one
CLOCK_MARGIN_S = 0.1  # the worker's clock and the database's may differ this much
LONGEST_WAIT_S = 60.0  # no job is put off for longer than this at once


# ── submit ──────────────────────────────────────────────────────────────────────────────────────────
@transaction.atomic
def job_submit(
    *,
    action: str,
    actor: Actor,
    resources: Iterable[Resource],
    customer_id: UUID | None = None,
    params: Mapping[str, Any] | None = None,
    host_id: UUID | None = None,
    slot_kind: str = "",
    queue: str = "jobs",
    may_wait: bool = False,
    wait_behind: frozenset[str] = frozenset(),
    parent: Job | None = None,
) -> Job:
    """Insert a job in the caller's transaction and ring a worker after commit.

    The job holds all ``resources``; with ``may_wait`` it waits behind a holder instead of being refused,
    with ``wait_behind`` only behind jobs of these actions.

    Raises:
        ResourceBusyError: another job holds a resource (or already waits); names that job.
    """
    job = Job.objects.create(
        action=action,
        queue=queue,
        params=dict(params or {}),
        customer_id=customer_id,
        parent=parent,
        actor_kind=actor.kind,
        actor_user_id=actor.user_id,
        actor_client_id=actor.client_id,
        actor_label=actor.label,
        request_id=actor.request_id,
        host_id=host_id,
        slot_kind=slot_kind,
    )
    for resource_type, resource_id in sorted(resources):
        resource_take(job, resource_type, resource_id, may_wait=may_wait, wait_behind=wait_behind)
    accepted = {"job_id": str(job.pk), "action": job.action}
    transaction.on_commit(lambda: logger.info("job accepted", extra=accepted), robust=True)
    ring(job)
    events.publish("job", job.pk, customer_id=customer_id)
    return job


def ring(job: Job) -> None:
    """Send the job's message after commit. A broker that is away only delays it until the next sweep."""
    transaction.on_commit(lambda: send(job.pk, job.queue), robust=True)


def send(job_id: UUID, queue: str, *, after_s: float = 0.0) -> bool:
    """Send one message and note the time; with ``after_s`` (a few seconds) it is delivered that much later.

    Returns False when the broker is away: then the job is due for the very next sweep.
    """
    if not doorbell.answers():  # Celery would wait for one that is silent, again and again
        Job.objects.filter(pk=job_id).update(sent_at=None)
        return False
    Job.objects.filter(pk=job_id).update(sent_at=Now())
    try:
        current_app.send_task(JOB_TASK, args=[str(job_id)], queue=queue, countdown=after_s or None)
    except Exception as error:  # noqa: BLE001 - any broker trouble is healed by the sweeper
        logger.warning("job %s not sent: %s", job_id, error)
        Job.objects.filter(pk=job_id).update(sent_at=None)
        return False
    return True


# ── claim ───────────────────────────────────────────────────────────────────────────────────────────
_CLAIM = """
UPDATE core_job SET status = 'running', attempt = attempt + 1, worker = %s,
       lease_until = clock_timestamp() + %s * interval '1 second',
       started_at = COALESCE(started_at, clock_timestamp())
WHERE id = %s AND status = 'queued' AND ((cancel_requested_at IS NOT NULL AND attempt = 0) OR (
  (run_after IS NULL OR run_after <= clock_timestamp())
  AND NOT EXISTS (SELECT 1 FROM core_jobresource r WHERE r.job_id = core_job.id AND r.slot = 'waiting')))
  AND (%s::text[] IS NULL OR queue = ANY(%s::text[]))
"""


def job_claim(job_id: UUID, *, worker: str, queues: Collection[str] | None = None) -> Job | None:
    """Move a job from queued to running, once, and take its host slot. ``queues``: only a job of one of these.

    Returns None when there is nothing to do now: somebody else has it, it waits for a resource or a
    time, or its host has no free slot (then whoever frees one rings it). A job that was cancelled before its
    first attempt has only to be closed and waits for none of these.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            served = None if queues is None else [*queues]
            cursor.execute(_CLAIM, [worker, settings.JOB_LEASE_S, job_id, served, served])
            if cursor.rowcount == 0:
                return None
        job = Job.objects.get(pk=job_id)
        untouched = job.attempt == 1 and job.cancel_requested_at is not None
        if not untouched and not slot_take(job):
            transaction.set_rollback(True)
            return None
        attempt_begin(job)
    events.publish("job", job.pk, customer_id=job.customer_id)
    return job


# ── while it runs ───────────────────────────────────────────────────────────────────────────────────
def _mine(job: Job) -> Any:
    return Job.objects.filter(pk=job.pk, attempt=job.attempt, status=JobStatus.RUNNING)


def job_verify(job: Job) -> None:
    """Raise JobLostError unless this attempt still has the job. Asked before every hypervisor call."""
    if not _mine(job).exists():
        raise JobLostError(job_id=str(job.pk))


@contextmanager
def job_fenced(job: Job) -> Iterator[None]:
    """A transaction that only this attempt gets through: nobody takes the job over before its end.

    Raises:
        JobLostError: another attempt has taken over; nothing was written.
    """
    with transaction.atomic():
        if _mine(job).select_for_update(no_key=True).first() is None:
            raise JobLostError(job_id=str(job.pk))
        yield


def job_renew(job: Job) -> bool:
    """Extend the lease; False when the job is no longer this attempt's."""
    lease = timedelta(seconds=settings.JOB_LEASE_S)
    return bool(_mine(job).update(lease_until=Now() + lease))


def job_report(job: Job, **fields: Any) -> None:
    """Write progress fields of this attempt and tell open pages.

    Raises:
        JobLostError: another attempt has taken over.
    """
    if not _mine(job).update(**fields):
        raise JobLostError(job_id=str(job.pk))
    for name, value in fields.items():
        setattr(job, name, value)
    events.publish("job", job.pk, customer_id=job.customer_id)


def job_requeue(job: Job, *, after_s: float, counts: bool = True, message: str = "") -> None:
    """Give this attempt up and try again later; keeps its resources, frees the host slot.

    ``counts`` False: it only waits for something and this is no retry. ``message`` is what it failed with.
    """
    with transaction.atomic():
        if not _mine(job).update(
            status=JobStatus.QUEUED,
            lease_until=None,
            retries=F("retries") + (1 if counts else 0),
            run_after=Now() + timedelta(seconds=after_s),
        ):
            raise JobLostError(job_id=str(job.pk))
        if counts:
            attempt_end(job, AttemptOutcome.AGAIN, message)
        else:
            attempt_forget(job)
        _pass_slot_on(job)
        transaction.on_commit(lambda: send(job.pk, job.queue, after_s=after_s + CLOCK_MARGIN_S), robust=True)
    events.publish("job", job.pk, customer_id=job.customer_id)


# ── the end ─────────────────────────────────────────────────────────────────────────────────────────
def job_finish(job: Job, status: JobStatus, **fields: Any) -> None:
    """Close the job, free what it held, ring who waited. Called inside the transaction of its effects.

    Raises:
        JobLostError: so that the caller's transaction writes nothing.
    """
    if not _mine(job).update(status=status, finished_at=Now(), lease_until=None, **fields):
        raise JobLostError(job_id=str(job.pk))
    attempt_end(job, status, fields.get("error_message", ""))
    job.status = status
    job_release(job)


def job_release(job: Job) -> None:
    """Free a closed job's resources and slot, let the next one in, recompute its parent."""
    held = list(job.resources.filter(slot=ResourceSlot.HOLDING).values_list("type", "resource_id"))
    job.resources.update(slot=None)
    for resource_type, resource_id in held:
        for following in let_in(JobResource.objects.filter(type=resource_type, resource_id=resource_id)):
            ring(following)
    _pass_slot_on(job)
    if job.parent_id:
        parent_recompute(job.parent_id)
    events.publish("job", job.pk, customer_id=job.customer_id, final=True)


def waiting_let_in() -> int:
    """Let in who waits for a resource that nobody holds, should a holder have ended unseen. Returns how many."""
    let_in = lonely_let_in()
    for following in let_in:
        ring(following)
    return len(let_in)


def _pass_slot_on(job: Job) -> None:
    for following in slot_free(job):
        ring(following)


def cancel_requested(job: Job) -> bool:
    """True when somebody asked this job to stop."""
    return Job.objects.filter(pk=job.pk, cancel_requested_at__isnull=False).exists()
