"""The only writer of ``Job.status``: submit, claim, report, finish, cancel.

The row is the truth and the Celery message a doorbell: a lost message is sent again by the sweeper, a
repeated one finds the job claimed. Every write of a running attempt carries its fencing token.
"""

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from celery import current_app
from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from panel.core import events
from panel.core.actors import Actor
from panel.core.errors import InvalidStateError, JobLostError, ResourceBusyError
from panel.core.models import HostSlot, Job, JobResource, JobStatus, ResourceSlot
from panel.core.models.jobs import ACTIVE

logger = logging.getLogger(__name__)

Resource = tuple[str, UUID]
JOB_TASK = "core.job_run"  # the one Celery task; by name, because its module stands above this one
CLOCK_MARGIN_S = 0.1  # the worker's clock and the database's may differ this much


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
        _take_resource(job, resource_type, resource_id, may_wait=may_wait, wait_behind=wait_behind)
    ring(job)
    events.publish("job", job.pk, customer_id=customer_id)
    return job


def _take_resource(
    job: Job, resource_type: str, resource_id: UUID, *, may_wait: bool, wait_behind: frozenset[str]
) -> None:
    if _take(job, resource_type, resource_id, ResourceSlot.HOLDING):
        return
    holder = active_job_of(resource_type, resource_id)
    if holder is None:  # it ended this very moment
        raise ResourceBusyError("Another job has just finished. Try again.", job_id=None)
    waits = may_wait or holder.action in wait_behind
    if not waits or not _take(job, resource_type, resource_id, ResourceSlot.WAITING):
        raise ResourceBusyError(
            f"Another job is working on this: {holder.action}.", job_id=str(holder.pk), action=holder.action
        )


def _take(job: Job, resource_type: str, resource_id: UUID, slot: ResourceSlot) -> bool:
    try:
        with transaction.atomic():
            JobResource.objects.create(job=job, type=resource_type, resource_id=resource_id, slot=slot)
    except IntegrityError:
        return False
    return True


def active_job_of(resource_type: str, resource_id: UUID) -> Job | None:
    """Return the job that holds a resource, if any."""
    return Job.objects.filter(
        resources__type=resource_type, resources__resource_id=resource_id, resources__slot=ResourceSlot.HOLDING
    ).first()


def ring(job: Job) -> None:
    """Send the job's message after commit. A broker that is away only delays it until the next sweep."""
    transaction.on_commit(lambda: send(job.pk, job.queue), robust=True)


def send(job_id: UUID, queue: str, *, after_s: float = 0.0) -> bool:
    """Send one message and note the time; with ``after_s`` (a few seconds) it is delivered that much later.

    Returns False when the broker is away: then the job is due for the very next sweep.
    """
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
WHERE id = %s AND status = 'queued' AND (run_after IS NULL OR run_after <= clock_timestamp())
  AND NOT EXISTS (SELECT 1 FROM core_jobresource r WHERE r.job_id = core_job.id AND r.slot = 'waiting')
"""


def job_claim(job_id: UUID, *, worker: str) -> Job | None:
    """Move a job from queued to running, once, and take its host slot.

    Returns None when there is nothing to do now: somebody else has it, it waits for a resource or a
    time, or its host has no free slot (then whoever frees one rings it).
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_CLAIM, [worker, settings.JOB_LEASE_S, job_id])
            if cursor.rowcount == 0:
                return None
        job = Job.objects.get(pk=job_id)
        if not _take_slot(job):
            transaction.set_rollback(True)
            return None
    events.publish("job", job.pk, customer_id=job.customer_id)
    return job


def _take_slot(job: Job) -> bool:
    if not job.slot_kind or job.host_id is None or job.slots.exists():
        return True
    slots = HostSlot.objects.filter(host_id=job.host_id, kind=job.slot_kind)
    free = slots.filter(job__isnull=True).select_for_update(skip_locked=True).order_by("number").first()
    if free is None:
        return not slots.exists()  # a host without slots of this kind does not bound it
    free.job = job
    free.save(update_fields=["job"])
    return True


# ── while it runs ───────────────────────────────────────────────────────────────────────────────────
def _mine(job: Job) -> Any:
    return Job.objects.filter(pk=job.pk, attempt=job.attempt, status=JobStatus.RUNNING)


def job_verify(job: Job) -> None:
    """Raise JobLostError unless this attempt still has the job. Asked before every hypervisor call."""
    if not _mine(job).exists():
        raise JobLostError(job_id=str(job.pk))


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


def job_requeue(job: Job, *, after_s: float, counts: bool = True) -> None:
    """Give this attempt up and try again later; keeps its resources, frees the host slot.

    ``counts`` False: it only waits for something and this is no retry.
    """
    with transaction.atomic():
        if not _mine(job).update(
            status=JobStatus.QUEUED,
            lease_until=None,
            retries=F("retries") + (1 if counts else 0),
            run_after=Now() + timedelta(seconds=after_s),
        ):
            raise JobLostError(job_id=str(job.pk))
        _free_slot(job)
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
    job.status = status
    job_release(job)


def job_release(job: Job) -> None:
    """Free a closed job's resources and slot, let the next one in, recompute its parent."""
    held = list(job.resources.filter(slot=ResourceSlot.HOLDING).values_list("type", "resource_id"))
    job.resources.update(slot=None)
    for resource_type, resource_id in held:
        waiting = JobResource.objects.filter(
            type=resource_type, resource_id=resource_id, slot=ResourceSlot.WAITING
        ).select_related("job")
        for row in waiting:
            row.slot = ResourceSlot.HOLDING
            row.save(update_fields=["slot"])
            ring(row.job)
    _free_slot(job)
    if job.parent_id:
        parent_recompute(job.parent_id)
    events.publish("job", job.pk, customer_id=job.customer_id, final=True)


def _free_slot(job: Job) -> None:
    for slot in HostSlot.objects.filter(job=job):
        slot.job = None
        slot.save(update_fields=["job"])
        following = (
            Job.objects.filter(status=JobStatus.QUEUED, host_id=slot.host_id, slot_kind=slot.kind)
            .exclude(pk=job.pk)
            .exclude(resources__slot=ResourceSlot.WAITING)
            .order_by("created_at")
            .first()
        )
        if following is not None:
            ring(following)


def parent_recompute(parent_id: UUID) -> None:
    """Bring a parent job in step with its children; it ends when all of them have."""
    parent = Job.objects.select_for_update().get(pk=parent_id)
    statuses = list(parent.children.values_list("status", flat=True))
    done = sum(status not in ACTIVE for status in statuses)
    percent = 100 * done // len(statuses) if statuses else 100
    fields: dict[str, Any] = {"progress_percent": percent, "status": JobStatus.RUNNING}
    if done == len(statuses):
        failed = sum(status == JobStatus.ERROR for status in statuses)
        fields = {
            "progress_percent": 100,
            "status": JobStatus.ERROR if failed else JobStatus.SUCCESS,
            "finished_at": Now(),
            "error_code": "children_failed" if failed else "",
            "error_message": f"{failed} of {len(statuses)} failed." if failed else "",
        }
    Job.objects.filter(pk=parent_id).update(**fields)
    events.publish("job", parent_id, customer_id=parent.customer_id, final="finished_at" in fields)


# ── cancel ──────────────────────────────────────────────────────────────────────────────────────────
@transaction.atomic
def job_cancel(*, job_id: UUID) -> Job:
    """Cancel a queued job at once; ask a running one to stop at its next checkpoint.

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


def cancel_requested(job: Job) -> bool:
    """True when somebody asked this job to stop."""
    return Job.objects.filter(pk=job.pk, cancel_requested_at__isnull=False).exists()


def jobs_due(now: datetime) -> Any:
    """Queued jobs that nobody claimed for a while, and whose time has come."""
    stale = now - timedelta(seconds=settings.JOB_RESEND_S)
    return Job.objects.filter(
        Q(run_after__isnull=True) | Q(run_after__lte=now),
        Q(sent_at__isnull=True) | Q(sent_at__lte=stale) | Q(run_after__gt=F("sent_at")),
        status=JobStatus.QUEUED,
        children__isnull=True,
    )


def job_drop(job: Job, *, reason: str) -> None:
    """End a queued job that has become pointless."""
    if Job.objects.filter(pk=job.pk, status=JobStatus.QUEUED).update(
        status=JobStatus.CANCELLED, finished_at=Now(), error_code="job_cancelled", error_message=reason
    ):
        job_release(job)
