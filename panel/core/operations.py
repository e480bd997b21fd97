"""What carries a job out: a list of named, idempotent steps, each behind a checkpoint.

An operation is run from the top by every attempt and converges. Before a step makes something it journals
the inverse; a final failure replays the journal last-first, in whichever process.
"""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from panel.core.clock import database_now
from panel.core.errors import JobCancelledError, JobLostError, PanelError, writable
from panel.core.jobs import cancel_requested, job_fenced, job_finish, job_report, job_verify
from panel.core.metrics import JOB_SECONDS, STEP_SECONDS
from panel.core.models import Job, JobStatus, JobUndo

logger = logging.getLogger(__name__)
CLOSING = "close"  # the checkpoint around the transaction that records the outcome


@dataclass(frozen=True, slots=True)
class Step:
    """One step: ``name`` is the checkpoint and the method, ``title`` what people read."""

    name: str
    title: str
    deadline_s: float = 30.0  # of one hypervisor call in this step; the lease is renewed this long
    cancellable: bool = True


class Operation:
    """Base of all operations. Subclasses set ``action`` and ``steps`` and write one method a step.

    Constructors and ``prepare`` do no hypervisor call. ``prepare`` re-reads what the job works on and
    repeats the state check: time has passed since the request. ``failed`` must not need ``prepare``: a job that
    was cancelled before its first attempt is closed without.
    """

    action: ClassVar[str]
    steps: ClassVar[Sequence[Step]]
    queue: ClassVar[str] = "jobs"
    cancellable: ClassVar[bool] = True  # False: nobody may ask it to end, whatever their rights

    def __init__(self, job: Job) -> None:
        self.job = job
        self.step_now = self.steps[0]
        self.step_started = time.monotonic()
        self._reported = 0.0
        self.prepared = False  # whether ``prepare`` has been carried out

    def prepare(self) -> None:
        """Load what the job works on. Raise to refuse before anything is touched."""

    def succeeded(self) -> None:
        """Record the outcome; runs in the transaction that closes the job."""

    def failed(self, error: PanelError) -> None:
        """Record the failure; runs in the transaction that closes the job."""

    def look_again(self) -> None:
        """See what there is after a failure, before it is recorded; not when the host did not answer."""

    def released(self) -> None:
        """Let go of drivers and the like, however the attempt ended."""

    # ── for the steps ───────────────────────────────────────────────────────────────────────────
    def verify(self) -> None:
        """Fence: raise JobLostError unless this attempt still has the job. Called before every hypervisor call,
        each of which has the step's whole deadline: the lease is renewed that long from now.
        """
        job_verify(self.job)
        self.step_started = time.monotonic()

    def fenced(self) -> AbstractContextManager[None]:
        """Return a transaction for a step's own writes; JobLostError when this attempt was overtaken."""
        return job_fenced(self.job)

    def undo(self, inverse: str, **before: Any) -> None:
        """Journal, before making something, how to unmake it. ``before`` are the inverse's arguments."""
        with job_fenced(self.job):
            JobUndo.objects.get_or_create(job=self.job, step=self.step_now.name, inverse=inverse, before=before)

    def progress(self, percent: int, note: str = "", **more: int) -> None:
        """Report the present step's progress, at most once a second."""
        if time.monotonic() - self._reported < 1.0 and percent < 100:
            return
        self._reported = time.monotonic()
        self._mark(self.step_now, percent=percent, note=note, **more)
        job_report(self.job, steps=self.job.steps, progress_percent=self._overall(percent))

    @classmethod
    def checkpoints(cls) -> tuple[str, ...]:
        """Where an attempt may be cut, before and after: at each step, and at the closing."""
        return (*(step.name for step in cls.steps), CLOSING)

    # ── for the runner ──────────────────────────────────────────────────────────────────────────
    def run(self) -> None:
        """Carry all steps out."""
        plan = [
            {
                "name": s.name,
                "title": s.title,
                "status": "queued",
                "percent": 0,
                "note": "",
                "bytes_done": None,
                "bytes_total": None,
                "rate_bytes_s": None,
                "started_at": None,
                "finished_at": None,
            }
            for s in self.steps
        ]
        self.job.steps = plan
        for step in self.steps:
            self.checkpoint(step)
            method: Callable[[], None] = getattr(self, step.name)
            began = time.monotonic()
            method()
            seconds = time.monotonic() - began
            STEP_SECONDS.labels(self.action, step.name).observe(seconds)
            logger.info("step done", extra={"step": step.name, "duration_ms": round(seconds * 1000)})
            checkpoint_reached(self.job, step.name, "after")
            self._mark(step, status="success", percent=100, finished_at=timezone.now().isoformat())

    def checkpoint(self, step: Step) -> None:
        """Stand between two steps: fence, honour a cancellation, say where the job is."""
        checkpoint_reached(self.job, step.name, "before")
        if step.cancellable and cancel_requested(self.job):
            raise JobCancelledError
        self.step_now, self.step_started = step, time.monotonic()
        self._mark(step, status="running", started_at=timezone.now().isoformat())
        job_report(self.job, step=step.name, steps=self.job.steps, progress_percent=self._overall(0))

    def _mark(self, step: Step, **fields: Any) -> None:
        for entry in self.job.steps:
            if entry["name"] == step.name:
                entry.update(fields)

    def _overall(self, percent: int) -> int:
        names = [step.name for step in self.steps]
        return min(99, (100 * names.index(self.step_now.name) + percent) // len(names))


def checkpoint_reached(job: Job, name: str, side: str) -> None:
    """Tell the configured hook, if any, that an attempt stands at a checkpoint (tests kill workers here)."""
    if settings.CHECKPOINT_HOOK:
        import_string(settings.CHECKPOINT_HOOK)(job.action, name, side)


def undo_replay(operation: Operation) -> list[str]:
    """Replay a failed job's journal last-first. Returns what could not be undone; those entries stay.

    Raises:
        JobLostError: another attempt has taken over.
    """
    left: list[str] = []
    steps = {step.name: step for step in operation.steps}
    for entry in operation.job.undo_entries.order_by("-pk"):
        operation.step_now = steps.get(entry.step, operation.step_now)
        operation.step_started = time.monotonic()
        checkpoint_reached(operation.job, f"undo {entry.inverse}", "before")
        try:
            getattr(operation, f"undo_{entry.inverse}")(**entry.before)
            checkpoint_reached(operation.job, f"undo {entry.inverse}", "after")
        except (JobLostError, OperationalError, InterfaceError):
            raise
        except Exception as error:  # noqa: BLE001 - the others are undone all the same
            logger.warning("undo %s of job %s: %r", entry.inverse, operation.job.pk, error)
            left.append(f"{entry.inverse}: {error if isinstance(error, PanelError) else repr(error)}")
            continue
        entry.delete()
    return left


def undo_left(job: Job) -> list[str]:
    """Return what a job's journal has, for one whose undoing was cut off again and again."""
    entries = job.undo_entries.order_by("-pk").values_list("inverse", flat=True)
    return [f"{inverse}: undoing it was cut off each time." for inverse in entries]


def close(operation: Operation, status: JobStatus, error: PanelError | None = None, detail: str = "") -> None:
    """Write a job's outcome and its effects in one transaction."""
    checkpoint_reached(operation.job, CLOSING, "before")
    with transaction.atomic():
        fields: dict[str, Any] = {"steps": operation.job.steps}
        if error is None:
            operation.succeeded()
            fields["progress_percent"] = 100
            operation.job.undo_entries.all().delete()
        else:
            trouble = failure_record(operation, error)
            for entry in operation.job.steps:
                if entry["status"] == "running":
                    entry.update(status="error", finished_at=timezone.now().isoformat())
            detail = writable("\n".join(filter(None, [detail, trouble])))
            fields |= {"error_code": error.code, "error_message": str(error), "error_detail": detail}
        job_finish(operation.job, status, **fields)
        ended_at = database_now()
    _note_end(operation.job, status, error, ended_at=ended_at)
    checkpoint_reached(operation.job, CLOSING, "after")


def _note_end(job: Job, status: JobStatus, error: PanelError | None, *, ended_at: datetime) -> None:
    seconds = max(0.0, (ended_at - job.created_at).total_seconds())
    JOB_SECONDS.labels(job.action, status).observe(seconds)
    said = {"outcome": str(status), "code": error.code if error else "", "duration_ms": round(seconds * 1000)}
    logger.info("job ended", extra=said)


def failure_record(operation: Operation, error: PanelError) -> str:
    """Let an operation record its failure, in the caller's transaction. Returns what went wrong with that, or "".

    A record that cannot be written must not keep the job open for ever.
    """
    try:
        with transaction.atomic():
            operation.failed(error)
    except (JobLostError, OperationalError, InterfaceError):
        raise
    except Exception as trouble:
        logger.exception("failure of job %s not recorded", operation.job.pk)
        return f"Its failure could not be recorded: {trouble!r}"
    return ""


_REGISTRY: dict[str, type[Operation]] = {}


def register(operation: type[Operation]) -> type[Operation]:
    """Class decorator: make an operation known under its action."""
    if operation.action in _REGISTRY:
        raise ValueError(f"two operations for {operation.action}")
    _REGISTRY[operation.action] = operation
    return operation


def registered() -> dict[str, type[Operation]]:
    """Return all operations by action; tests walk it."""
    return dict(_REGISTRY)
