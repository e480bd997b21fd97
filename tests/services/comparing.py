"""Comparing a host in the test itself, as a collector does, and what that has found."""

from datetime import timedelta

from django.utils import timezone

from hosts.models import Host, HostConnection
from hosts.registry import driver_of
from panel.core.models import Job
from tests.services.watching import Looking
from vms.models import Difference
from vms.operations.survey import compare_connection
from vms.services.reconcile.compare import panel_compare


def found(*states: str) -> list[tuple[str, str, str]]:
    """Return kind, label and state of differences; without ``states`` of those that are open or suspected."""
    rows = Difference.objects.filter(state__in=states or ("open", "suspected")).order_by("kind", "label")
    return [(row.kind, row.label, row.state) for row in rows]


def only() -> Difference:
    """Return the one that is not closed."""
    return Difference.objects.exclude(state="closed").get()


def look_once(host: Host, *, minutes: float = 2) -> list[tuple[str, str, str]]:
    """Watch and compare a whole host once, and the panel's own rows; ``minutes`` after the last time."""
    earlier = timezone.now() - timedelta(minutes=minutes)
    Difference.objects.filter(proved_at__isnull=False).update(proved_at=earlier)
    Difference.objects.filter(closed_at__isnull=False).update(closed_at=earlier)
    Job.objects.filter(finished_at__isnull=False).update(finished_at=earlier)
    for row in HostConnection.objects.filter(host=host).order_by("-host_type"):
        Looking(row.pk).look()
        compare_connection(driver_of(row), row, anew=True)
    panel_compare()
    return found()
