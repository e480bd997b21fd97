"""Series of what processes measure that are there, at 0, before anything was measured: an alert needs a series.

Each app adds those of its own metrics by ``zeros_add`` when it is ready.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product

from prometheus_client import Counter, Histogram
from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.utils import floatToGoString

from panel.core.metrics import (
    HTTP_REFUSALS,
    HTTP_REFUSED,
    HTTP_SECONDS,
    JOB_SECONDS,
    JOBS_S,
    REQUESTS_S,
    STEP_SECONDS,
    TAKEOVERS,
    process_metrics,
)
from panel.core.models.jobs import FINAL
from panel.core.operations import registered

Rows = Callable[[], Iterable[tuple[object, ...]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Zeros:
    """One metric's: a value of each of ``labels`` in each of ``rows()``.

    ``bounds`` are those of a histogram that has all its buckets at 0; without them it has one bucket for all.
    """

    metric: Counter | Histogram
    labels: tuple[str, ...]
    rows: Rows
    bounds: tuple[float, ...] = ()

    def family(self) -> Metric:
        """Return them."""
        (about,) = self.metric.describe()
        if isinstance(self.metric, Counter):
            counter = CounterMetricFamily(about.name, about.documentation, labels=self.labels)
            for row in self.rows():
                counter.add_metric([str(value) for value in row], 0.0)
            return counter
        buckets = [(floatToGoString(bound), 0.0) for bound in (*self.bounds, float("inf"))]
        histogram = HistogramMetricFamily(about.name, about.documentation, labels=self.labels)
        for row in self.rows():
            histogram.add_metric([str(value) for value in row], buckets=buckets, sum_value=0.0)
        return histogram


def _steps() -> Iterable[tuple[object, ...]]:
    return [(action, step.name) for action, operation in registered().items() for step in operation.steps]


_zeros = [
    Zeros(
        metric=JOB_SECONDS, bounds=JOBS_S, labels=("action", "outcome"), rows=lambda: product(registered(), FINAL)
    ),
    Zeros(metric=STEP_SECONDS, bounds=JOBS_S, labels=("action", "step"), rows=_steps),
    Zeros(
        metric=HTTP_SECONDS, bounds=REQUESTS_S, labels=("method", "route", "status"),
        rows=lambda: [("GET", "/metrics", 200)],
    ),
    Zeros(metric=HTTP_REFUSED, labels=("code",), rows=lambda: product(HTTP_REFUSALS)),
    Zeros(metric=TAKEOVERS, labels=("action",), rows=lambda: product(registered())),
]  # fmt: skip


def zeros_add(zeros: Zeros) -> None:
    """Add another metric's."""
    _zeros.append(zeros)


def measured() -> Iterable[Metric]:
    """Return what the processes of this machine measured, and zeros for what they can measure and have not yet."""
    found = {metric.name: metric for metric in process_metrics()}
    for family in (zeros.family() for zeros in _zeros):
        known = found.setdefault(family.name, family)
        if known is not family:
            there = {_subject(sample.labels) for sample in known.samples}
            known.samples += [sample for sample in family.samples if _subject(sample.labels) not in there]
    return found.values()


def _subject(labels: dict[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset((name, value) for name, value in labels.items() if name != "le")
