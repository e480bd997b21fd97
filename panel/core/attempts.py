"""The record of a job's attempts: who tried, from when to when, and how it ended. Written with the job's own status."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models.functions import Now

from panel.core.models import AttemptOutcome, Job, JobAttempt


def attempt_begin(job: Job) -> None:
    """Write down that a claimed job is tried. Called in the transaction of its claim."""
    JobAttempt.objects.create(job=job, number=job.attempt, worker=job.worker, started_at=Now())


def attempt_end(job: Job, outcome: str, message: str = "") -> None:
    """Write down how this attempt of a job ended. Called in the transaction that ends it."""
    JobAttempt.objects.filter(job=job, number=job.attempt).update(
        outcome=outcome, error_message=message, ended_at=Now()
    )


def attempt_forget(job: Job) -> None:
    """Take an attempt back that found it has to wait: it tried nothing."""
    JobAttempt.objects.filter(job=job, number=job.attempt).delete()


def attempts_lost(job_ids: Iterable[UUID]) -> None:
    """Write down that the running attempts of these jobs were given up. Called with their taking back."""
    JobAttempt.objects.filter(job__in=job_ids, outcome=AttemptOutcome.RUNNING).update(
        outcome=AttemptOutcome.LOST, ended_at=Now()
    )


def attempts_cut(message: str) -> None:
    """Write down that all running attempts ended with the panel that they ran in. Called after a restore."""
    JobAttempt.objects.filter(outcome=AttemptOutcome.RUNNING).update(
        outcome=AttemptOutcome.ERROR, error_message=message, ended_at=Now()
    )
