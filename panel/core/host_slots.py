"""A host's slots: how many jobs it bears at once, of each kind of heavy work and of all kinds together.

Each job on a host takes one of the kind ``job``, so that a host that hangs keeps only that many workers.
"""

from collections import Counter

from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from panel.core.models import HostSlot, Job, JobStatus, ResourceSlot

EVERY_JOB = "job"
_LOOK_AT = 200  # of those that wait for a host, the oldest


def _kinds(job: Job) -> list[str]:
    """Name what a job needs, in the order it is taken in: last what all share, so that it is never taken in vain."""
    return [job.slot_kind, EVERY_JOB] if job.slot_kind else [EVERY_JOB]


def slot_take(job: Job) -> bool:
    """Give a job the slots of its host that it needs; False, to be rolled back by the caller, when one is not free.

    A host without slots of a kind does not bound it.
    """
    if job.host_id is None:
        return True
    held = set(job.slots.values_list("kind", flat=True))
    for kind in _kinds(job):
        if kind in held:
            continue
        slots = HostSlot.objects.filter(host_id=job.host_id, kind=kind)
        free = slots.filter(job__isnull=True).select_for_update(skip_locked=True).order_by("number").first()
        if free is not None:
            free.job = job
            free.save(update_fields=["job"])
        elif slots.exists():
            return False
    return True


def slot_free(job: Job) -> list[Job]:
    """Free a job's slots. Returns who should be rung: the oldest that could run now, as many as there are slots free.

    As many, not only one for each freed here: who was rung for another may not have claimed it yet.
    """
    if job.host_id is None or not HostSlot.objects.filter(job=job).update(job=None):
        return []
    slots = HostSlot.objects.filter(host_id=job.host_id)
    bounded = set(slots.values_list("kind", flat=True))
    free = Counter(slots.filter(job__isnull=True).values_list("kind", flat=True))
    waiting = (
        Job.objects.filter(status=JobStatus.QUEUED, host_id=job.host_id)
        .filter(Q(run_after__isnull=True) | Q(run_after__lte=Now()))
        .exclude(pk=job.pk)
        .exclude(resources__slot=ResourceSlot.WAITING)
        .order_by("created_at")
    )
    rung = []
    for one in waiting[:_LOOK_AT]:
        needed = [kind for kind in _kinds(one) if kind in bounded]
        if needed and all(free[kind] for kind in needed):
            free.subtract(needed)
            rung.append(one)
    return rung


def slot_missing() -> Q:
    """The condition of jobs whose host bounds their kind of work, or all work, and has no slot free."""
    slots = HostSlot.objects.filter(host_id=OuterRef("host_id"))
    own = HostSlot.objects.filter(job=OuterRef("pk"))

    def lacks(kind: OuterRef | str) -> Q:
        mine = slots.filter(kind=kind)
        return Q(Exists(mine)) & ~Exists(mine.filter(job__isnull=True)) & ~Exists(own.filter(kind=kind))

    return lacks(OuterRef("slot_kind")) | lacks(EVERY_JOB)
