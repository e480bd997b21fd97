"""A host's slots: how many jobs of a kind of heavy work it bears at once."""

from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from panel.core.models import HostSlot, Job, JobStatus, ResourceSlot


def slot_take(job: Job) -> bool:
    """Give a job a free slot of its host, if it needs one; False when none is free.

    A host without slots of the job's kind does not bound it. In the caller's transaction.
    """
    if not job.slot_kind or job.host_id is None or job.slots.exists():
        return True
    slots = HostSlot.objects.filter(host_id=job.host_id, kind=job.slot_kind)
    free = slots.filter(job__isnull=True).select_for_update(skip_locked=True).order_by("number").first()
    if free is None:
        return not slots.exists()
    free.job = job
    free.save(update_fields=["job"])
    return True


def slot_free(job: Job) -> list[Job]:
    """Free a job's slot. Returns who should be rung: the oldest that could run now, one for each free slot.

    For each, not only for the one freed here: who was rung for another may not have claimed it yet.
    """
    slot = HostSlot.objects.filter(job=job).first()
    if slot is None:
        return []
    slot.job = None
    slot.save(update_fields=["job"])
    free = HostSlot.objects.filter(host_id=slot.host_id, kind=slot.kind, job__isnull=True).count()
    waiting = (
        Job.objects.filter(status=JobStatus.QUEUED, host_id=slot.host_id, slot_kind=slot.kind)
        .filter(Q(run_after__isnull=True) | Q(run_after__lte=Now()))
        .exclude(pk=job.pk)
        .exclude(resources__slot=ResourceSlot.WAITING)
        .order_by("created_at")
    )
    return list(waiting[:free])


def slot_missing() -> Q:
    """The condition of jobs whose host bounds their kind of work and has no slot free."""
    slots = HostSlot.objects.filter(host_id=OuterRef("host_id"), kind=OuterRef("slot_kind"))
    own = HostSlot.objects.filter(job=OuterRef("pk"))
    return Q(Exists(slots)) & ~Exists(slots.filter(job__isnull=True)) & ~Exists(own)
