"""Metrics of jobs, processes and backups, read from the database. What can be counted is 0 before it first happens."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import product

from django.db.models import Count, Max, QuerySet
from prometheus_client.metrics_core import Metric

from panel.core.fleet_metrics import fleet_metrics, gauge, with_zeros
from panel.core.host_slots import could_run
from panel.core.models import AttemptOutcome, Job, JobAttempt, JobStatus, PanelBackup
from panel.core.models.jobs import ACTIVE
from panel.core.operations import registered
from panel.core.processes import KINDS, processes_alive

LATELY = timedelta(hours=1)


@fleet_metrics
def of_jobs(now: datetime) -> Iterable[Metric]:
    """How many jobs there are, how long the oldest waits, how many failed lately."""
    active = Job.objects.filter(status__in=ACTIVE).values_list("action", "status").annotate(Count("pk")).order_by()
    known = with_zeros(active, product(registered(), ACTIVE))
    yield gauge("jobs", "Jobs that have not ended.", ("action", "status"), known)
    oldest = waiting_jobs().order_by("created_at").values_list("created_at", flat=True).first()
    age_s = (now - oldest).total_seconds() if oldest else 0.0
    yield gauge("job_queue_age_seconds", "How long the oldest job waits that could run now.", (), [(max(0.0, age_s),)])
    failed = (
        Job.objects.filter(status=JobStatus.ERROR, finished_at__gte=now - LATELY)
        .values_list("action")
        .annotate(Count("pk"))
        .order_by()
    )
    known = with_zeros(failed, product(registered()))
    yield gauge("jobs_failed_last_hour", "Jobs that failed in the last hour.", ("action",), known)


@fleet_metrics
def of_attempts(now: datetime) -> Iterable[Metric]:
    """How many attempts lost their worker lately; the counter of takeovers begins anew with the processes."""
    lost = JobAttempt.objects.filter(outcome=AttemptOutcome.LOST, ended_at__gte=now - LATELY)
    yield gauge("jobs_taken_over_last_hour", "Attempts whose worker was lost in the last hour.", (), [(lost.count(),)])


@fleet_metrics
def of_the_panel(_now: datetime) -> Iterable[Metric]:
    """Which processes live, and when the last backup was made."""
    alive = processes_alive().values_list("kind").annotate(Count("pk")).order_by()
    known = with_zeros(alive, product(KINDS))
    yield gauge("processes", "Processes of the panel that were heard of lately.", ("kind",), known)
    last = PanelBackup.objects.aggregate(at=Max("created_at"))["at"]
    at_s = last.timestamp() if last else 0.0
    yield gauge("last_backup_timestamp_seconds", "When the last backup was made; 0: never.", (), [(at_s,)])


def waiting_jobs() -> QuerySet[Job]:
    """Queued jobs that nothing keeps from running but that no worker has taken them: no other job, no full host."""
    return Job.objects.filter(could_run(), status=JobStatus.QUEUED, children__isnull=True)
