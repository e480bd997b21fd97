"""A host's slots: how many jobs it bears at once, of each kind of heavy work and of all kinds together.

Each job on a host takes one of the kind ``job``, so that a host that hangs keeps only that many workers. On a host that
is known not to answer it also takes the host's only ``silent`` slot, and one of the few that all such hosts share.
"""

from collections import Counter
from uuid import UUID

from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Coalesce, Now

from panel.core.models import HostSlot, Job, JobResource, JobStatus, ResourceSlot, SilentHost

EVERY_JOB = "job"
SILENT = "silent"  # of a host that does not answer: one, and of the fleet
FLEET = UUID(int=0)  # stands for all hosts together
SILENT_AT_ONCE = 2  # jobs on hosts that do not answer, however many such hosts there are
_LOOK_AT = 200  # of those that wait for a host, the oldest

Place = tuple[UUID, str]  # a host and a kind


def silence_note(host_id: UUID) -> None:
    """A host does not answer: its jobs go one at a time, and with those of other such hosts ``SILENT_AT_ONCE``.

    Those at work already end by their calls' deadlines.
    """
    slots = [HostSlot(host_id=host_id, kind=SILENT, number=0)]
    slots += [HostSlot(host_id=FLEET, kind=SILENT, number=number) for number in range(SILENT_AT_ONCE)]
    HostSlot.objects.bulk_create(slots, ignore_conflicts=True)
    SilentHost.objects.bulk_create([SilentHost(host_id=host_id)], ignore_conflicts=True)


def silence_over(host_id: UUID) -> None:
    """It answers: its jobs have all their slots again. Those that wait are rung by the next sweep."""
    SilentHost.objects.filter(host_id=host_id).delete()


def _places(job: Job, *, silent: bool) -> list[Place]:
    """Name what a job needs, in the order it is taken in: last what most share, so that it is never taken in vain."""
    if job.host_id is None:
        return []
    kinds = [job.slot_kind, EVERY_JOB] if job.slot_kind else [EVERY_JOB]
    places = [(job.host_id, kind) for kind in kinds]
    return [*places, (job.host_id, SILENT), (FLEET, SILENT)] if silent else places


def _is_silent(host_id: UUID) -> bool:
    return SilentHost.objects.filter(host_id=host_id).exists()


def slot_take(job: Job) -> bool:
    """Give a job the slots of its host that it needs; False, to be rolled back by the caller, when one is not free.

    A host without slots of a kind does not bound it.
    """
    if job.host_id is None:
        return True
    held = set(job.slots.values_list("host_id", "kind"))
    for host_id, kind in _places(job, silent=_is_silent(job.host_id)):
        if (host_id, kind) in held:
            continue
        slots = HostSlot.objects.filter(host_id=host_id, kind=kind)
        free = slots.filter(job__isnull=True).select_for_update(skip_locked=True).order_by("number").first()
        if free is not None:
            free.job = job
            free.save(update_fields=["job"])
        elif slots.exists():
            return False
    return True


def slot_free(job: Job) -> list[Job]:
    """Free a job's slots. Returns who should be rung: those that could run now for the longest, as many as there are
    slots free. Who asks every second whether an image has come is never before the job that copies it.

    As many, not only one for each freed here: who was rung for another may not have claimed it yet. Who waits for its
    turn among the jobs of several silent hosts is left to the sweep.
    """
    if job.host_id is None or not HostSlot.objects.filter(job=job).update(job=None):
        return []
    silent = _is_silent(job.host_id)
    slots = HostSlot.objects.filter(host_id__in=(job.host_id, FLEET))
    bounded = set(slots.values_list("host_id", "kind"))
    free = Counter(slots.filter(job__isnull=True).values_list("host_id", "kind"))
    waiting = (
        Job.objects.filter(status=JobStatus.QUEUED, host_id=job.host_id)
        .filter(Q(run_after__isnull=True) | Q(run_after__lte=Now()))
        .exclude(pk=job.pk)
        .exclude(resources__slot=ResourceSlot.WAITING)
        .order_by(Coalesce("run_after", "created_at"))
    )
    rung = []
    for one in waiting[:_LOOK_AT]:
        needed = [place for place in _places(one, silent=silent) if place in bounded]
        if needed and all(free[place] for place in needed):
            free.subtract(needed)
            rung.append(one)
    return rung


def could_run() -> Q:
    """The condition of queued jobs that nothing keeps from running: no time, no holder of a resource, no full host."""
    waits = JobResource.objects.filter(job=OuterRef("pk"), slot=ResourceSlot.WAITING)
    return (Q(run_after__isnull=True) | Q(run_after__lte=Now())) & ~Exists(waits) & ~slot_missing()


def slot_missing() -> Q:
    """The condition of jobs whose host bounds their kind of work, or all work, and has no slot free."""
    own = HostSlot.objects.filter(job=OuterRef("pk"))

    def lacks(kind: OuterRef | str, host_id: OuterRef | UUID) -> Q:
        slots = HostSlot.objects.filter(host_id=host_id, kind=kind)
        taken = ~Exists(slots.filter(job__isnull=True)) & ~Exists(own.filter(host_id=host_id, kind=kind))
        return Q(Exists(slots)) & taken

    of_host = OuterRef("host_id")
    silent = Q(Exists(SilentHost.objects.filter(host_id=of_host)))
    return (
        lacks(OuterRef("slot_kind"), of_host)
        | lacks(EVERY_JOB, of_host)
        | (silent & (lacks(SILENT, of_host) | lacks(SILENT, FLEET)))
    )
