"""The one Celery task behind every job."""

import logging
import os
import socket
import threading
import time
import traceback
from collections.abc import Collection
from uuid import UUID

from celery import current_app, shared_task
from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections, connection, transaction

from panel.core.deadlines import too_many_abandoned
from panel.core.errors import (
    DriverError,
    HostTimeoutError,
    JobCancelledError,
    JobGivenUpError,
    JobLostError,
    PanelError,
    WaitError,
)
from panel.core.host_slots import silence_note
from panel.core.jobs import JOB_TASK, job_claim, job_finish, job_renew, job_requeue
from panel.core.logs import carried, log_scope
from panel.core.models import Job, JobStatus
from panel.core.operations import Operation, close, registered, undo_left, undo_replay

logger = logging.getLogger(__name__)


class InternalError(PanelError):
    """Something went wrong on our side; staff can see the details."""

    code = "internal_error"


@shared_task(name=JOB_TASK)
def job_run(job_id: str) -> None:
    """Claim a job and carry it out. A repeated, late or forged message finds nothing to claim.

    Whatever a message says of itself, a worker runs only jobs of the queues that it serves.
    """
    close_old_connections()
    try:
        named = UUID(job_id)
    except (ValueError, TypeError, AttributeError):
        logger.warning("a message names no job")
        return
    job = claim(named, queues=current_app.amqp.queues.consume_from)
    if job is not None:
        run(job)
    if too_many_abandoned():
        os._exit(1)  # the pool replaces this child; the stuck threads go with it


def claim(job_id: UUID, *, queues: Collection[str] | None = None) -> Job | None:
    """Claim a job for this process; None when it is not free to be run now, or of none of these ``queues``."""
    return job_claim(job_id, worker=f"{socket.gethostname()}:{os.getpid()}", queues=queues)


def run(job: Job) -> None:
    """Run one claimed attempt to its end; never raises but for the interpreter's own reasons.

    An attempt that lost its database cannot even say so: its lease runs out, and another one follows.
    """
    with log_scope(
        request_id=job.request_id,
        job_id=job.pk,
        action=job.action,
        attempt=job.attempt,
        host_id=job.host_id,
        customer_id=job.customer_id,
    ):
        logger.info("job begun")
        _run(job)


def _run(job: Job) -> None:
    try:
        known = registered().get(job.action)
        if known is None:
            _give_back(job)
            return
        operation = known(job)
        try:
            with LeaseKeeper(operation):
                _attempt(operation)
        finally:
            operation.released()
    except JobLostError:
        logger.warning("job %s attempt %s was overtaken", job.pk, job.attempt)
    except (OperationalError, InterfaceError):
        logger.exception("job %s attempt %s lost the database", job.pk, job.attempt)


def _give_back(job: Job) -> None:
    """Leave a job that this version does not know to workers of another one, for a while."""
    if job.retries < settings.JOB_RETRY_LIMIT:
        job_requeue(job, after_s=min(30, 2**job.retries))
        return
    error = InternalError()
    with transaction.atomic():
        job_finish(
            job,
            JobStatus.ERROR,
            error_code=error.code,
            error_message=str(error),
            error_detail=f"No worker knows the action {job.action}.",
        )


def _attempt(operation: Operation) -> None:
    job = operation.job
    try:
        if job.cancel_requested_at and not job.steps:
            raise JobCancelledError
        _prepare(operation)
        operation.run()
        close(operation, JobStatus.SUCCESS)
    except (JobLostError, OperationalError, InterfaceError):
        raise
    except JobCancelledError as error:
        _end(operation, JobStatus.CANCELLED, error)
    except PanelError as error:
        if isinstance(error, WaitError):
            job_requeue(job, after_s=error.wait_s, counts=False)
            return
        if isinstance(error, HostTimeoutError) and job.host_id is not None:
            silence_note(job.host_id)  # until the collector has heard of it
        if error.retryable and job.retries < settings.JOB_RETRY_LIMIT:
            logger.info("job %s will be tried again: %s", job.pk, error)
            job_requeue(job, after_s=min(30, 2**job.retries), message=str(error))
            return
        _end(operation, JobStatus.ERROR, error, error.detail or _raw(error))
    except Exception as error:
        logger.exception("job %s failed", job.pk)
        _end(operation, JobStatus.ERROR, InternalError(), f"{error!r}\n{traceback.format_exc()}")


def _prepare(operation: Operation) -> None:
    """Load what the job works on, unless too many attempts were cut off: then end it (see ``_cut_off``)."""
    given_up = _cut_off(operation.job)
    if given_up <= 1:
        operation.prepare()
        operation.prepared = True
    if given_up > 0:
        raise JobGivenUpError


def _cut_off(job: Job) -> int:
    """Return how many attempts came after the last that a job may have: the first of them prepares and undoes, the
    second, should preparing end its worker, only undoes, and one after that does neither.
    """
    return max(0, job.retries - settings.JOB_RETRY_LIMIT)


def _raw(error: PanelError) -> str:
    return f"{type(error).__name__}: {error}" if isinstance(error, DriverError) else ""


def _end(operation: Operation, status: JobStatus, error: PanelError, detail: str = "") -> None:
    left = undo_replay(operation) if _cut_off(operation.job) <= 2 else undo_left(operation.job)
    if operation.prepared and not error.retryable:
        operation.look_again()
    if left:
        detail = "\n".join(filter(None, [detail, "Not undone:", *left]))
    close(operation, status, error, detail)


class LeaseKeeper:
    """Renews a running job's lease from a thread with its own database connection.

    Stops renewing when the present step has outlived its deadline and a margin: then the job is taken
    over by another attempt, and this one is fenced.
    """

    MARGIN_S = 30.0

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        self._stop = threading.Event()
        self._thread = threading.Thread(target=carried(self._keep), name="lease", daemon=True)

    def __enter__(self) -> "LeaseKeeper":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=5)

    def _keep(self) -> None:
        try:
            while not self._stop.wait(settings.JOB_RENEW_S):
                step_age = time.monotonic() - self._operation.step_started
                if step_age > self._operation.step_now.deadline_s + self.MARGIN_S:
                    continue
                try:
                    if not job_renew(self._operation.job):
                        return
                except Exception as error:  # noqa: BLE001 - a database that is away: try again in time
                    logger.warning("lease of job %s not renewed: %s", self._operation.job.pk, error)
                    connection.close()
        finally:
            connection.close()
