"""Series of what processes measure that are there, at 0, before anything was measured: an alert needs a series."""

from collections.abc import Iterable, Iterator
from itertools import product

from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.utils import floatToGoString

from panel.core.metrics import HTTP_SECONDS, JOB_SECONDS, JOBS_S, REQUESTS_S, STEP_SECONDS, TAKEOVERS, process_metrics
from panel.core.models.jobs import FINAL
from panel.core.operations import registered


def measured() -> Iterable[Metric]:
    """Return what the processes of this machine measured, and zeros for what they can measure of jobs and of this."""
    found = {metric.name: metric for metric in process_metrics()}
    for zeros in _zeros():
        known = found.setdefault(zeros.name, zeros)
        if known is not zeros:
            there = {_subject(sample.labels) for sample in known.samples}
            known.samples += [sample for sample in zeros.samples if _subject(sample.labels) not in there]
    return found.values()


def _subject(labels: dict[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset((name, value) for name, value in labels.items() if name != "le")


def _zeros() -> Iterator[Metric]:
    operations = registered()
    steps = [(action, step.name) for action, operation in operations.items() for step in operation.steps]
    for metric, bounds, labels, rows in (
        (JOB_SECONDS, JOBS_S, ("action", "outcome"), product(operations, FINAL)),
        (STEP_SECONDS, JOBS_S, ("action", "step"), steps),
        (HTTP_SECONDS, REQUESTS_S, ("method", "route", "status"), [("GET", "/metrics", 200)]),
    ):
        buckets = [(floatToGoString(bound), 0.0) for bound in (*bounds, float("inf"))]
        (about,) = metric.describe()
        family = HistogramMetricFamily(about.name, about.documentation, labels=labels)
        for row in rows:
            family.add_metric([str(value) for value in row], buckets=buckets, sum_value=0.0)
        yield family
    (about,) = TAKEOVERS.describe()
    counter = CounterMetricFamily(about.name, about.documentation, labels=("action",))
    for action in operations:
        counter.add_metric([action], 0.0)
    yield counter
