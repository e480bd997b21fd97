"""What the database knows of the fleet, for Prometheus: bounded queries, asked at most every few seconds a process.

Each app adds its own by ``fleet_metrics`` when it is ready.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime

from django.db import connection, transaction
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from panel.core.clock import database_now
from panel.core.readiness import DATABASE_ERRORS, redis_answers

logger = logging.getLogger(__name__)
KEPT_S = 5.0
QUERY_MS = 3000  # a question that takes longer is given up: no scrape may weigh on a database in trouble
Source = Callable[[datetime], Iterable[Metric]]
_sources: list[Source] = []
_lock = threading.Lock()
_kept: tuple[float, list[Metric]] = (0.0, [])


def fleet_metrics(source: Source) -> Source:
    """Decorator: add metrics that are read from the database. It is called with the database's time."""
    _sources.append(source)
    return source


class FleetMetrics:
    """A collector of prometheus_client over all sources."""

    def describe(self) -> list[Metric]:
        """Say nothing, so that registering asks no database."""
        return []

    def collect(self) -> Iterable[Metric]:
        """Return the metrics, at most ``KEPT_S`` old; which stores answer is asked each time."""
        answers = GaugeMetricFamily("innkeeper_up", "1 when a store answers.", labels=["store"])
        answers.add_metric(["redis"], redis_answers())
        found: list[Metric] = []
        try:
            found = _lately(database_now())
        except DATABASE_ERRORS as error:
            logger.warning("the fleet's metrics cannot be read: %s", error)
            answers.add_metric(["postgresql"], 0)
        else:
            answers.add_metric(["postgresql"], 1)
        return [answers, *found]


def _lately(now: datetime) -> list[Metric]:
    global _kept
    with _lock:
        if time.monotonic() >= _kept[0]:
            found = _ask(now)
            _kept = (time.monotonic() + KEPT_S, found)
        return _kept[1]


def _ask(now: datetime) -> list[Metric]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = %s", [QUERY_MS])
        found = [metric for source in _sources for metric in source(now)]
        cursor.execute("SET LOCAL statement_timeout = 0")
    return found


def gauge(name: str, help_text: str, labels: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> GaugeMetricFamily:
    """Return a gauge from rows of label values with the measured value last; None as value is left out."""
    family = GaugeMetricFamily(f"innkeeper_{name}", help_text, labels=labels)
    for *values, measured in rows:
        if measured is not None:
            family.add_metric([str(value) for value in values], float(measured))  # type: ignore[arg-type]
    return family


def with_zeros(rows: Iterable[tuple[object, ...]], known: Iterable[tuple[object, ...]]) -> Iterable[tuple[object, ...]]:
    """Return rows for ``gauge``, and 0 for the ``known`` label values that have none: an alert needs a series."""
    found = {tuple(map(str, values)): measured for *values, measured in rows}
    return [(*values, measured) for values, measured in ({tuple(map(str, one)): 0 for one in known} | found).items()]
