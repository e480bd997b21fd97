"""Who holds a thing that jobs work on, and who waits for it: at most one job each. Ringing them is for the caller."""

from contextlib import suppress
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, QuerySet

from panel.core.errors import ResourceBusyError
from panel.core.models import Job, JobResource, ResourceSlot

Resource = tuple[str, UUID]
_TAKE_TRIES = 5  # holders that may end, one after the other, while one request asks


def resource_take(
    job: Job, resource_type: str, resource_id: UUID, *, may_wait: bool, wait_behind: frozenset[str]
) -> None:
    """Let a new job hold a resource, or wait for its holder where it may. See ``jobs.job_submit``.

    Raises:
        ResourceBusyError: another job holds it (or already waits); names that job.
    """
    for _ in range(_TAKE_TRIES):
        if _take(job, resource_type, resource_id, ResourceSlot.HOLDING):
            return
        holder = _holder_locked(resource_type, resource_id)
        if holder is None:  # it ended this very moment
            continue
        waits = may_wait or holder.action in wait_behind
        if waits and _take(job, resource_type, resource_id, ResourceSlot.WAITING):
            return
        raise ResourceBusyError(
            f"Another job is working on this: {holder.action}.", job_id=str(holder.pk), action=holder.action
        )
    raise ResourceBusyError("Another job has just finished. Try again.", job_id=None)


def _holder_locked(resource_type: str, resource_id: UUID) -> Job | None:
    """Return the holder with its row locked, so that it cannot end before whoever waits for it is written down."""
    holder = active_job_of(resource_type, resource_id)
    if holder is None:
        return None
    list(Job.objects.select_for_update(no_key=True).filter(pk=holder.pk))
    still = active_job_of(resource_type, resource_id)
    return still if still == holder else None


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


def let_in(rows: QuerySet[JobResource]) -> list[Job]:
    """Make those of these rows that wait hold. Returns their jobs, to be rung."""
    waiting = list(rows.filter(slot=ResourceSlot.WAITING).select_related("job"))
    for row in waiting:
        row.slot = ResourceSlot.HOLDING
        row.save(update_fields=["slot"])
    return [row.job for row in waiting]


def lonely_let_in() -> list[Job]:
    """Let in who waits for a resource that nobody holds. Returns their jobs, to be rung."""
    held = JobResource.objects.filter(
        type=OuterRef("type"), resource_id=OuterRef("resource_id"), slot=ResourceSlot.HOLDING
    )
    lonely = JobResource.objects.filter(~Exists(held), slot=ResourceSlot.WAITING)
    found: list[Job] = []
    for pk in list(lonely.values_list("pk", flat=True)[:100]):
        with suppress(IntegrityError), transaction.atomic():  # somebody came first: then that one lets it in
            found += let_in(JobResource.objects.filter(pk=pk))
    return found
