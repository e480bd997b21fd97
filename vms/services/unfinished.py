"""Deletions that failed are tried again: what was given up must not run, or take up room, for ever.

Each failure doubles the wait, from five minutes to six hours: a host that cannot delete something is seldom asked, and
does not fill the list of jobs. They pass the limiter: what a restored backup wants deleted is not gone at once.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.db.models import (
    Count,
    DateTimeField,
    Exists,
    ExpressionWrapper,
    F,
    FloatField,
    Func,
    Max,
    Min,
    OuterRef,
    QuerySet,
    Subquery,
    Value,
)
from django.db.models.functions import Coalesce, Least, Now, Power

from hosts.models import HostConnection
from panel.core.actors import SYSTEM
from panel.core.models import Job, JobResource
from vms.models import Guest
from vms.services.guests import guest_delete
from vms.services.limiter import as_limiter_lets, in_turn
from vms.states import GuestAction, Lifecycle

AGAIN_AFTER = timedelta(minutes=5)  # the first failure
AT_MOST = timedelta(hours=6)
_DOUBLINGS = 10.0  # more would be longer than AT_MOST in any case
_AT_ONCE = 20


def deletions_go_on(host_ids: Collection[UUID]) -> list[Job]:
    """Delete anew what is to be deleted and has not been, with nobody at work, when its wait is over."""
    rows = in_turn(deletions_waiting().filter(host_id__in=host_ids))[:_AT_ONCE]
    again = partial(guest_delete, actor=SYSTEM)
    return as_limiter_lets((guest.pk, partial(again, guest=guest)) for guest in rows)


def deletions_waiting() -> QuerySet[Guest]:
    """Guests whose deletion would be tried again now."""
    return _unfinished().filter(again_at__lte=Now())


def next_try_at() -> datetime | None:
    """Return when the next of all deletions that failed is tried again; None when there is none to try."""
    found: datetime | None = _unfinished().aggregate(at=Min("again_at"))["at"]
    return found


def _unfinished() -> QuerySet[Any]:
    """Return guests whose deletion has failed on a host that answers, each with when it is tried again."""
    of_guest = JobResource.objects.filter(type="guest", resource_id=OuterRef("pk"))
    tries = of_guest.filter(job__action=GuestAction.DELETE, job__finished_at__isnull=False).order_by()
    each = tries.values("resource_id")
    silent = HostConnection.objects.filter(host_id=OuterRef("host_id"), host_type=OuterRef("host_type")).exclude(
        last_error=""
    )
    rows = Guest.objects.filter(
        ~Exists(of_guest.filter(slot__isnull=False)), ~Exists(silent), deletion_requested_at__isnull=False
    ).exclude(lifecycle=Lifecycle.DELETED)
    times = Subquery(each.annotate(n=Count("pk")).values("n"), output_field=FloatField())
    last = Subquery(each.annotate(at=Max("job__finished_at")).values("at"))
    after = ExpressionWrapper(F("failed_at") + _wait(), output_field=DateTimeField())
    # One whose job is not known any more is tried at once.
    return rows.annotate(failed_times=times, failed_at=last, again_at=Coalesce(after, F("deletion_requested_at")))


def _wait() -> Func:
    doubled = Power(Value(2.0), Least(F("failed_times") - 1.0, Value(_DOUBLINGS)))
    seconds = Least(doubled * AGAIN_AFTER.total_seconds(), Value(AT_MOST.total_seconds()))
    return Func(seconds, template="make_interval(secs => %(expressions)s)")
