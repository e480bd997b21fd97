"""What a job shows beside its own row, for any number of jobs in the same number of queries."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from uuid import UUID

from panel.core.models import Job, JobAttempt
from panel.core.naming import with_names
from panel.core.parents import children_counted
from panel.core.retry import retry_refusals

ATTEMPTS_SHOWN = 20


def with_details(jobs: Iterable[Job]) -> list[Job]:
    """Attach ``resource_names``, ``last_attempts``, ``children_count`` and ``retry_refusal`` to jobs.

    The last is None while a job may still succeed, or has, and "" when it can be tried again.
    """
    rows = with_names(jobs)
    ids = [job.pk for job in rows]
    attempts: defaultdict[UUID, list[JobAttempt]] = defaultdict(list)
    for attempt in JobAttempt.objects.filter(job__in=ids).order_by("number"):
        attempts[attempt.job_id].append(attempt)
    children = children_counted(ids)
    refusals = retry_refusals(rows)
    for job in rows:
        job.last_attempts = attempts[job.pk][-ATTEMPTS_SHOWN:]  # type: ignore[attr-defined]
        job.children_count = children.get(job.pk, Counter())  # type: ignore[attr-defined]
        job.retry_refusal = refusals.get(job.pk)  # type: ignore[attr-defined]
    return rows
