"""Metrics of guests, read from the database."""

from collections.abc import Iterable
from datetime import datetime
from itertools import product

from django.db.models import Count
from prometheus_client.metrics_core import Metric

from hosts.drivers.types import PowerState
from panel.core.fleet_metrics import fleet_metrics, gauge, with_zeros
from vms.models import Guest
from vms.selectors import power_shown
from vms.states import Lifecycle


@fleet_metrics
def of_guests(_now: datetime) -> Iterable[Metric]:
    """How many guests there are, by lifecycle and by what was last seen of their power, if lately."""
    rows = (
        Guest.objects.exclude(lifecycle=Lifecycle.DELETED)
        .values_list("lifecycle", power_shown())
        .annotate(Count("pk"))
        .order_by()
    )
    known = with_zeros(rows, product([Lifecycle.ACTIVE], PowerState))
    yield gauge("guests", "Guests that are not deleted.", ("lifecycle", "power_state"), known)
