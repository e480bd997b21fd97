"""Metrics of hosts and pools, read from the database."""

from collections.abc import Iterable
from datetime import datetime
from itertools import product

from prometheus_client.metrics_core import Metric

from hosts.drivers.base import HypervisorDriver
from hosts.models import HostConnection, StoragePool
from hosts.selectors import file_systems
from hosts.states import WATCHED
from panel.core.fleet_metrics import fleet_metrics, gauge
from panel.core.metric_zeros import Zeros, zeros_add
from panel.core.metrics import HOST_CALL_SECONDS, HOST_CALLS_ABANDONED

NEVER_S = float("inf")  # so that an alert on a lag finds it, too
_CALLING = ("worker", "collector")  # processes; a builder's calls show as they come
_CALLS = sorted(HypervisorDriver.__abstractmethods__ - {"close"})
_OUTCOMES = ("ok", "error", "timeout")

# Without their buckets: what most processes never ask would be most of all metrics.
zeros_add(
    Zeros(
        metric=HOST_CALL_SECONDS,
        labels=("process", "call", "outcome"),
        rows=lambda: product(_CALLING, _CALLS, _OUTCOMES),
    )
)
zeros_add(Zeros(metric=HOST_CALLS_ABANDONED, labels=("process", "call"), rows=lambda: product(_CALLING, _CALLS)))


@fleet_metrics
def of_hosts(now: datetime) -> Iterable[Metric]:
    """How long each hypervisor has not been seen, and how full the pools are."""
    seen = HostConnection.objects.filter(enabled=True, host__state__in=WATCHED).values_list(
        "host__name", "host_type", "last_seen_at"
    )
    lags = [(name, kind, max(0.0, (now - at).total_seconds()) if at else NEVER_S) for name, kind, at in seen]
    yield gauge("host_lag_seconds", "How long ago a hypervisor was seen; +Inf: never.", ("host", "host_type"), lags)
    pools = list(StoragePool.objects.filter(host__state__in=WATCHED, capacity_bytes__gt=0).select_related("host"))
    used = [
        (pool.host.name, pool.name, (pool.capacity_bytes - pool.available_bytes) / pool.capacity_bytes)
        for pool in file_systems(pools)
    ]
    yield gauge("pool_used_ratio", "Share of a pool's file system that is used.", ("host", "pool"), used)
    sold = [
        (pool.host.name, pool.name, pool.used_gib / pool.limit_gib if pool.limit_gib else None)
        for pool in pools
        if pool.for_new_guests
    ]
    yield gauge("pool_sold_ratio", "Share that is sold of what may be sold of a pool.", ("host", "pool"), sold)
