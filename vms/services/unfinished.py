"""Deletions that failed are tried again: what was given up must not run, or take up room, for ever.

Each failure doubles the wait, from five minutes to six hours: a host that cannot delete something is seldom asked, and
does not fill the list of jobs. What was asked for in the last hour is done as asked, however many; the others pass the
limiter: what a restored backup wants deleted is not gone at once.
"""

from collections.abc import Collection, Mapping
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
from panel.core.errors import PanelError
from panel.core.models import Job, JobResource
from vms.models import Guest
from vms.services.guests import guest_delete
from vms.services.limiter import as_limiter_lets, in_turn
from vms.states import GuestAction, Lifecycle

AGAIN_AFTER = timedelta(minutes=5)  # the first failure
AT_MOST = timedelta(hours=6)
ASKED_LATELY = timedelta(hours=1)  # so long trying again is part of what somebody asked for, not the panel's own doing
_DOUBLINGS = 10.0  # more would be longer than AT_MOST in any case
_AT_ONCE = 20


def deletions_go_on(host_ids: Collection[UUID]) -> list[Job]:
    """Delete anew what is to be deleted and has not been, with nobody at work, when its wait is over."""
    due = _due().filter(host_id__in=host_ids)
    asked = due.filter(deletion_requested_at__gte=Now() - ASKED_LATELY).order_by("pk")[:_AT_ONCE]
    deleted = [job for guest in asked if (job := _delete_anew(guest=guest)) is not None]
    others = in_turn(deletions_waiting().filter(host_id__in=host_ids))[:_AT_ONCE]
    return deleted + as_limiter_lets((guest.pk, partial(_delete_anew, guest=guest)) for guest in others)


def deletions_waiting() -> QuerySet[Guest]:
    """Guests whose deletion would be tried again now and that the limiter decides about."""
    return _due().filter(deletion_requested_at__lt=Now() - ASKED_LATELY)


def next_try_at() -> datetime | None:
    """Return when the next of all deletions that failed is tried again; None when there is none to try."""
    found: datetime | None = _unfinished().aggregate(at=Min("again_at"))["at"]
    return found


def _due() -> QuerySet[Any]:
    return _unfinished().filter(again_at__lte=Now())


def _delete_anew(*, guest: Guest, params: Mapping[str, Any] | None = None) -> Job | None:
    try:
        return guest_delete(actor=SYSTEM, guest=guest, params=params)
    except PanelError:  # it has been seen to meanwhile
        return None


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
