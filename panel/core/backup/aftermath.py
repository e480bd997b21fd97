"""What is put right in a restored database before anybody sees it: time has passed that it knows nothing of.

No job of then is carried on, nothing is undone, and nothing is asked of a host: what is there now is looked at by the
collector, and what the database does not know of is listed and left alone.
"""

from collections.abc import Callable

from django.db.models import F
from django.utils import timezone

from panel.core.attempts import attempts_cut
from panel.core.errors import PanelError
from panel.core.jobs import job_finish
from panel.core.models import HostSlot, Job, JobResource, JobStatus, JobUndo
from panel.core.models.jobs import ACTIVE
from panel.core.operations import failure_record, registered

_steps: list[Callable[[], None]] = []


class RestoredError(PanelError):
    """The panel was restored from a backup while this job was under way. Look at what is there, then try again."""

    code = "restored"


def after_restore(step: Callable[[], None]) -> Callable[[], None]:
    """Decorator: have something put right after a restore, in its transaction."""
    _steps.append(step)
    return step


def put_right() -> int:
    """Bring a restored database up to the present. Returns how many jobs it ended."""
    ended = 0
    while active := list(Job.objects.filter(status__in=ACTIVE).order_by(F("parent").asc(nulls_last=True), "pk")[:500]):
        for job in active:
            ended += _end(job)
    attempts_cut(str(RestoredError()))
    JobUndo.objects.all().delete()  # an inverse deletes: what it would delete now may be somebody's
    JobResource.objects.exclude(slot=None).update(slot=None)
    HostSlot.objects.exclude(job=None).update(job=None)
    for step in _steps:
        step()
    return ended


def _end(job: Job) -> int:
    """Close one job as failed. A worker that still runs it is fenced: its attempt is no longer the last."""
    taken = Job.objects.filter(pk=job.pk, status__in=ACTIVE).update(
        status=JobStatus.RUNNING, attempt=F("attempt") + 1, started_at=timezone.now()
    )
    if not taken:  # it ended with its last child
        return 0
    job.refresh_from_db()
    error = RestoredError()
    known, detail = registered().get(job.action), ""
    if known is not None:
        detail = failure_record(known(job), error)
    fields = {"error_code": error.code, "error_message": str(error), "error_detail": detail}
    job_finish(job, JobStatus.ERROR, **fields)
    return 1
