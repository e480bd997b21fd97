"""Heals what was lost: messages nobody claimed and attempts whose worker died. Any number may run."""

import logging
from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from panel.core import events
from panel.core.attempts import attempts_lost
from panel.core.doorbell import messages_waiting
from panel.core.host_slots import could_run
from panel.core.jobs import LONGEST_WAIT_S, send, waiting_let_in
from panel.core.logs import log_scope
from panel.core.metrics import TAKEOVERS
from panel.core.models import HostSlot, Job, JobStatus
from panel.core.stranded import run_here

logger = logging.getLogger(__name__)
WORKERS_QUEUE = "jobs"
ENOUGH_MESSAGES = 1000  # in a queue: workers are away or behind, and more they would only have to read in vain
_TAKE_BACK = """
UPDATE core_job SET status = 'queued', lease_until = NULL, run_after = NULL, sent_at = NULL,
       retries = retries + 1
WHERE id IN (SELECT id FROM core_job WHERE status = 'running' AND lease_until < clock_timestamp()
             FOR UPDATE SKIP LOCKED LIMIT 500)
RETURNING id, customer_id, action, request_id
"""
# The database's clock was set back: what was to be soon would be in an hour. Leases are renewed by whoever lives.
_SET_BACK = """
UPDATE core_job SET lease_until = LEAST(lease_until, clock_timestamp() + %(lease)s * interval '1 second'),
       run_after = LEAST(run_after, clock_timestamp()), sent_at = LEAST(sent_at, clock_timestamp())
WHERE (status = 'running' AND lease_until > clock_timestamp() + (%(lease)s + %(margin)s) * interval '1 second')
   OR (status = 'queued' AND (run_after > clock_timestamp() + %(wait)s * interval '1 second'
                              OR sent_at > clock_timestamp() + %(margin)s * interval '1 second'))
"""
_CLOCK_MARGIN_S = 5.0


def sweep() -> int:
    """Re-queue jobs whose lease ran out, let in who waits for nobody, re-send what nobody claimed. Returns how many
    were queued again or sent.

    Without a broker it begins to run them here, two at a time; images wait for their own builder.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        waits = {"lease": settings.JOB_LEASE_S, "wait": LONGEST_WAIT_S, "margin": _CLOCK_MARGIN_S}
        cursor.execute(_SET_BACK, waits)
        cursor.execute(_TAKE_BACK)
        lost = cursor.fetchall()
        attempts_lost([row[0] for row in lost])
    for job_id, customer_id, action, request_id in lost:
        TAKEOVERS.labels(action).inc()
        with log_scope(request_id=request_id, job_id=job_id, action=action):
            logger.warning("job lost its worker and is queued again")
        events.publish("job", job_id, customer_id=customer_id)
    HostSlot.objects.exclude(job__isnull=True).filter(
        job__status__in=[JobStatus.SUCCESS, JobStatus.ERROR, JobStatus.CANCELLED]
    ).update(job=None)
    waiting_let_in()
    due = list(_to_send().order_by("created_at").values_list("pk", "queue")[:500])
    for position, (job_id, queue) in enumerate(due):
        if not send(job_id, queue):
            run_here(job_id for job_id, queue in due[position:] if queue == WORKERS_QUEUE)
            break
    return len(lost) + len(due)


def _to_send() -> QuerySet[Job]:
    """Return the jobs that are due, without those in whose queue there are messages enough."""
    due = jobs_due()
    queues = due.order_by().values_list("queue", flat=True).distinct()
    return due.exclude(queue__in=[queue for queue in queues if messages_waiting(queue) >= ENOUGH_MESSAGES])


def jobs_due() -> QuerySet[Job]:
    """Queued jobs that nobody claimed for a while and that could be claimed now, by the database's clock."""
    stale = Now() - timedelta(seconds=settings.JOB_RESEND_S)
    return Job.objects.filter(
        could_run() | Q(cancel_requested_at__isnull=False, attempt=0),
        Q(sent_at__isnull=True) | Q(sent_at__lte=stale) | Q(run_after__gt=F("sent_at")),
        status=JobStatus.QUEUED,
        children__isnull=True,
    )
