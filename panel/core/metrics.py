"""What each process measures of itself, for Prometheus.

With ``PROMETHEUS_MULTIPROC_DIR`` in the environment all processes of a machine write into files there and any web
process answers for all of them; without it a process knows only itself. Every metric has labels, so that a command
that measures nothing makes no file. Labels are bounded: routes, actions, steps and calls, never ids.
"""

import logging
import os
import socket
from collections.abc import Iterable

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, values
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector

logger = logging.getLogger(__name__)


def _name() -> str:
    """Return this process's name in the folder: containers that share one have the same process ids."""
    return f"{socket.gethostname().replace('_', '-')}-{os.getpid()}"


def _folder() -> str:
    """Return the folder that all share, "" for none. Nothing may fail because something cannot be measured."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")
    try:
        if folder:
            os.makedirs(folder, exist_ok=True)
    except OSError:
        pass
    if folder and not os.access(folder, os.W_OK):
        logger.warning("PROMETHEUS_MULTIPROC_DIR %s cannot be written: this process measures for itself only", folder)
        return ""
    return folder


FOLDER = _folder()
values.ValueClass = values.MultiProcessValue(_name) if FOLDER else values.MutexValue

REQUESTS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_CALLS_S = (0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60)
JOBS_S = (0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 900)

HTTP_SECONDS = Histogram(
    "innkeeper_http_request_duration_seconds",
    "Time to answer a request, from its admission; long polls and event streams are not in it.",
    ["method", "route", "status"],
    buckets=REQUESTS_S,
)
HTTP_REFUSALS = ("events_unavailable", "overloaded", "too_large", "too_slow")
HTTP_REFUSED = Counter(
    "innkeeper_http_requests_refused", "Requests that were answered before they were admitted.", ["code"]
)
JOB_SECONDS = Histogram(
    "innkeeper_job_duration_seconds", "Time from a job's request to its end.", ["action", "outcome"], buckets=JOBS_S
)
STEP_SECONDS = Histogram(
    "innkeeper_job_step_duration_seconds", "Time that a step of a job took.", ["action", "step"], buckets=JOBS_S
)
TAKEOVERS = Counter(
    "innkeeper_job_lease_takeovers", "Running jobs whose worker was lost and that were queued again.", ["action"]
)
HOST_CALL_SECONDS = Histogram(
    "innkeeper_host_call_duration_seconds",
    "Time that a hypervisor's answer took; outcome is ok, error or timeout.",
    ["process", "call", "outcome"],
    buckets=_CALLS_S,
)
HOST_CALLS_ABANDONED = Counter(
    "innkeeper_host_calls_abandoned", "Hypervisor calls that were left behind past their deadline.", ["process", "call"]
)


def process_metrics() -> Iterable[Metric]:
    """Return what the processes of this machine measured."""
    if not FOLDER:
        yield from REGISTRY.collect()
        return
    yield from MultiProcessCollector(CollectorRegistry(), path=FOLDER).collect()
