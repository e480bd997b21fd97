"""What the reconciler repairs by itself, and the limiter that stops it.

Only one thing is repaired without asking: a running server's rules against stolen addresses that are not in force are
loaded again. When staff ask for all servers that a host has lost, these follow one after the other in the same way.
Nothing that could lose data or stop a server ever happens by itself.
"""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from hosts.models import Host
from hosts.states import HostState
from panel.core.actors import SYSTEM
from panel.core.errors import PanelError
from panel.core.models import Job, JobResource
from vms.models import Difference, DifferenceKind, DifferenceState, Guest, Severity
from vms.services.actions import guest_action_submit
from vms.services.reconcile.record import differences_record
from vms.services.reconcile.snapshots import Finding
from vms.states import GuestAction, Lifecycle

WINDOW = timedelta(minutes=10)
PERCENT = 1
_AGAIN_AFTER = timedelta(minutes=30)  # of one guest: a repair that did not help is for people


def repairs_go_on(*, host_id: UUID, host_type: str) -> list[Job]:
    """Repair on one hypervisor what waits for it, as much as the limiter lets through. Returns the jobs."""
    if not Host.objects.filter(pk=host_id, state=HostState.ACTIVE).exists():
        return []
    submitted = []
    for row in _waiting().filter(host_id=host_id, host_type=host_type).order_by("created_at"):
        try:
            with transaction.atomic():
                if not limiter_lets():
                    break  # it lets none of the others through either
                guest = Guest.objects.get(pk=row.about_id)
                params = {"difference": str(row.pk), "automatic": True}
                submitted.append(
                    guest_action_submit(actor=SYSTEM, guest=guest, action=GuestAction.REPAIR, params=params)
                )
        except PanelError:
            continue
    _say()
    return submitted


def _waiting() -> QuerySet[Difference]:
    """Return what is to be repaired by itself and that nobody has begun to repair lately."""
    asked = Q(kind=DifferenceKind.GUEST_WITHOUT_DOMAIN) & ~Q(repair_asked_by="")
    tried = JobResource.objects.filter(
        type="guest",
        resource_id=OuterRef("object_id"),
        job__action=GuestAction.REPAIR,
        job__created_at__gte=Now() - _AGAIN_AFTER,
    )
    rows = Difference.objects.filter(Q(kind=DifferenceKind.FILTER_MISSING) | asked, state=DifferenceState.OPEN)
    return rows.exclude(Exists(tried))


def limit() -> int:
    """Return how many servers may be touched in ``WINDOW`` without anybody asking: 1 % of the fleet, at least one."""
    return max(1, Guest.objects.exclude(lifecycle=Lifecycle.DELETED).count() * PERCENT // 100)


def limiter_lets() -> bool:
    """True when one more automatic action may be submitted. Call it in the transaction that does."""
    _lock()
    return _lately() < limit()


def _lock() -> datetime:
    """Come one after the other, to the end of the transaction. Returns the database's time."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('innkeeper.limiter'))")
        cursor.execute("SELECT clock_timestamp()")
        (now,) = cursor.fetchone()
    found: datetime = now
    return found


def _lately() -> int:
    since = Now() - WINDOW
    return Job.objects.filter(action=GuestAction.REPAIR, params__automatic=True, created_at__gte=since).count()


@transaction.atomic
def _say() -> None:
    """List that automatic repair has stopped, while it has; close that when nothing waits for it any more."""
    now = _lock()
    done, most = _lately(), limit()
    waiting = _waiting().values("object_id").distinct().count() if done >= most else 0
    findings = [] if not waiting else [
        Finding(
            kind=DifferenceKind.AUTOMATIC_STOPPED,
            severity=Severity.HIGH,
            key="automatic-stopped",
            label="Automatic repair has stopped",
            object_type="panel",
            expected={"at_most": most, "minutes": int(WINDOW.total_seconds() // 60)},
            found={"done": done, "waiting": waiting},
        )
    ]  # fmt: skip
    kinds = (DifferenceKind.AUTOMATIC_STOPPED,)
    differences_record(findings=findings, scope=Q(), kinds=kinds, began_at=now, now=now)
