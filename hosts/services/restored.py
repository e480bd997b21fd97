"""After a restore of the panel: no address is given out until the hosts have been looked at once.

What was made since the backup uses addresses that the restored database takes for free. The first comparison of a
hypervisor finds them; until then networks of its host give nothing out. A hypervisor that does not answer keeps nobody
waiting: its networks' other hosts go on, and when it is back it is compared before more is given out. One that answers
and cannot be compared is given up after a while; Health tells of it.
"""

from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from hosts.models import Host, HostConnection
from hosts.states import WATCHED
from panel.core.backup.aftermath import after_restore

GIVEN_UP_AFTER = timedelta(minutes=15)  # three comparisons that failed


@after_restore
def hosts_uncompared() -> None:
    """Nobody has compared a host since, and whether one answers is not known yet."""
    HostConnection.objects.update(uncompared_since=Now(), last_error="")
    Host.objects.update(last_error="")


def uncompared() -> QuerySet[HostConnection]:
    """Return the hypervisors whose first comparison since a restore is waited for."""
    return HostConnection.objects.filter(
        uncompared_since__isnull=False, enabled=True, last_error="", host__state__in=WATCHED
    )


def network_waits() -> Exists:
    """For a network: it gives no address out yet."""
    return Exists(uncompared().filter(host__networks=OuterRef("pk")))


def compared(*, connection_id: UUID, began_at: datetime) -> None:
    """A comparison that began then is written down. One that began before the restore, by any process, is none."""
    since = Q(uncompared_since__lte=began_at) | Q(uncompared_since__gt=Now())  # or the clock was set back
    HostConnection.objects.filter(since, pk=connection_id).update(uncompared_since=None)


def comparison_failed(connections: QuerySet[HostConnection]) -> None:
    """Give up waiting for those that could not be compared for too long."""
    connections.filter(uncompared_since__lt=Now() - GIVEN_UP_AFTER).update(uncompared_since=None)
