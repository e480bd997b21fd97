"""How many servers the panel touches without being asked: at most 1 % of the fleet in ten minutes, at least one.

Repairs, stops of servers that run though they are suspended, and deletions tried anew count together. A server's first
job bears a mark, and the servers with such a job in the last ten minutes are counted: what is tried again meanwhile
needs no place of its own, and a server whose ten minutes have passed rests before it takes another, the longer the
more often it was tried. So what the panel takes for true and is not so any more, as after a restore of an old backup,
costs few servers until somebody has looked, and one that cannot be helped does not keep the place from all others.

Starts after a host's restart are not limited here (``vms.services.boot``): they lose nothing, owners have asked for
them, and a whole host's servers must come back; so many at once have a limit of their own. Neither is what ends an
order or what was asked for a moment ago.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection, transaction
from django.db.models import (
    BooleanField,
    Count,
    DateTimeField,
    Exists,
    ExpressionWrapper,
    F,
    IntegerField,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
)
from django.db.models.functions import Now

from panel.core.errors import PanelError
from panel.core.models import Job, JobResource
from vms.models import Guest
from vms.states import Lifecycle

WINDOW = timedelta(minutes=10)
PERCENT = 1
REST = 2 * WINDOW  # for each place that a server has taken in the time that is counted
COUNTED = timedelta(days=1)
MARK = "automatic"
AUTOMATIC: Mapping[str, bool] = {MARK: True}  # among the params of each job that counts


def limit() -> int:
    """Return how many servers may be touched in ``WINDOW``."""
    return max(1, Guest.objects.exclude(lifecycle=Lifecycle.DELETED).count() * PERCENT // 100)


def touched() -> QuerySet[JobResource]:
    """Return the resources of the automatic jobs of the last ``WINDOW``: ``resource_id`` is the server."""
    since = Now() - WINDOW
    return JobResource.objects.filter(type="guest", job__params__automatic=True, job__created_at__gte=since)


def touched_count() -> int:
    """Return how many servers were touched in the last ``WINDOW``."""
    return touched().values("resource_id").distinct().count()


def in_turn(guests: QuerySet[Guest]) -> QuerySet[Guest]:
    """Order guests so that those come first which do not count anew, and leave out those that rest."""
    mine = Exists(touched().filter(resource_id=OuterRef("pk")))
    today = JobResource.objects.filter(
        type="guest", resource_id=OuterRef("pk"), job__params__automatic=True, job__created_at__gte=Now() - COUNTED
    )
    each = today.order_by().values("resource_id")
    places = Subquery(each.annotate(n=Count("pk")).values("n"), output_field=IntegerField())
    last = Subquery(each.annotate(at=Max("job__created_at")).values("at"), output_field=DateTimeField())
    until = ExpressionWrapper(F("last_place") + F("places") * Value(REST), output_field=DateTimeField())
    rows = guests.annotate(
        was_touched=ExpressionWrapper(Q(mine), output_field=BooleanField()), places=places, last_place=last
    )
    rests = Q(was_touched=False, last_place__isnull=False, rests_until__gt=Now())
    return rows.annotate(rests_until=until).exclude(rests).order_by("-was_touched", "pk")


def limiter_lock() -> datetime:
    """Have nobody else act or tell by itself until the end of the transaction. Returns the database's time."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('innkeeper.limiter'))")
        cursor.execute("SELECT clock_timestamp()")
        (now,) = cursor.fetchone()
    found: datetime = now
    return found


def _limiter_lets(guest_id: UUID) -> Mapping[str, bool] | None:
    """Return the params of the job that may touch this server now, None when none may.

    Call it in the transaction that submits the job, before all locks.
    """
    limiter_lock()
    servers = set(touched().values_list("resource_id", flat=True))
    if guest_id in servers:
        return {}
    return AUTOMATIC if len(servers) < limit() else None


def as_limiter_lets(guests: Iterable[tuple[UUID, Callable[..., Job | None]]]) -> list[Job]:
    """Submit one job after the other, each in its own transaction, until the limiter lets no more through.

    ``guests``: of each its id and what submits its job with the ``params`` it is given; None or an error: nothing can
    be done for it now.
    """
    submitted = []
    for guest_id, submit in guests:
        try:
            with transaction.atomic():
                params = _limiter_lets(guest_id)
                if params is None:
                    break
                job = submit(params=params)
        except PanelError:
            continue
        if job is not None:
            submitted.append(job)
    return submitted
