"""Metrics of guests, read from the database."""

from collections.abc import Iterable

from django.db.models import Count
from prometheus_client.metrics_core import Metric

from panel.core.fleet_metrics import fleet_metrics, gauge
from vms.models import Guest
from vms.states import Lifecycle


@fleet_metrics
def of_guests() -> Iterable[Metric]:
    """How many guests there are, by lifecycle and by what was last seen of their power."""
    rows = (
        Guest.objects.exclude(lifecycle=Lifecycle.DELETED)
        .values_list("lifecycle", "power_state")
        .annotate(Count("pk"))
        .order_by()
    )
    yield gauge("guests", "Guests that are not deleted.", ("lifecycle", "power_state"), rows)
