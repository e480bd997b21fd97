"""Running jobs without a broker: while Redis is away, whoever sweeps carries out what nobody can be rung for."""

import logging
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from django.db import connection

from panel.core.models import Job
from panel.core.tasks import claim, run

logger = logging.getLogger(__name__)
AT_ONCE = 2  # the collector has hosts to watch too
_threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="stranded")
_under_way: set[UUID] = set()
_lock = threading.Lock()


def run_here(job_ids: Iterable[UUID]) -> int:
    """Claim as many of these jobs as there are free threads, and begin them; those that cannot be claimed now
    are passed over.

    Returns how many were begun. The rest is begun by the next sweep, or by a worker when Redis is back.
    """
    begun = 0
    for job_id in job_ids:
        with _lock:
            if len(_under_way) >= AT_ONCE:
                break
        job = claim(job_id)
        if job is None:
            continue
        with _lock:
            _under_way.add(job.pk)
        _threads.submit(_run, job)
        begun += 1
    return begun


def _run(job: Job) -> None:
    try:
        run(job)
    except Exception:
        logger.exception("job %s could not be run here", job.pk)
    finally:
        connection.close()
        with _lock:
            _under_way.discard(job.pk)
