"""What the reconciler repairs by itself, and the limiter that stops it.

Only one thing is repaired without asking: a running server's rules against stolen addresses that are not in force are
loaded again. Nothing that could lose data or stop a server ever happens by itself.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

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


def filters_repair(*, host_id: UUID, host_type: str) -> list[Job]:
    """Have missing rules loaded again, as many as the limiter lets through. Returns the jobs."""
    if not Host.objects.filter(pk=host_id, state=HostState.ACTIVE).exists():
        return []
    rows = list(_missing().filter(host_id=host_id, host_type=host_type).order_by("created_at"))
    tried = _tried([row.about_id for row in rows])
    submitted = []
    for row in rows:
        if row.about_id in tried:
            continue
        try:
            with transaction.atomic():
                if not limiter_lets(now=timezone.now()):
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


def _missing() -> QuerySet[Difference]:
    return Difference.objects.filter(kind=DifferenceKind.FILTER_MISSING, state=DifferenceState.OPEN)


def _tried(guest_ids: Collection[UUID]) -> set[UUID]:
    """Return which of these guests somebody has begun to repair lately."""
    lately = timezone.now() - _AGAIN_AFTER
    rows = JobResource.objects.filter(
        type="guest", resource_id__in=guest_ids, job__action=GuestAction.REPAIR, job__created_at__gte=lately
    )
    return set(rows.values_list("resource_id", flat=True))


def limit() -> int:
    """Return how many servers may be touched in ``WINDOW`` without anybody asking: 1 % of the fleet, at least one."""
    return max(1, Guest.objects.exclude(lifecycle=Lifecycle.DELETED).count() * PERCENT // 100)


def limiter_lets(*, now: datetime) -> bool:
    """True when one more automatic action may be submitted. Call it in the transaction that does."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('innkeeper.limiter'))")
    return _lately(now) < limit()


def _lately(now: datetime) -> int:
    return Job.objects.filter(action=GuestAction.REPAIR, params__automatic=True, created_at__gte=now - WINDOW).count()


def _say() -> None:
    """List that automatic repair has stopped, while it has; close that when nothing waits for it any more."""
    now = timezone.now()
    done = _lately(now)
    missing = {row.about_id for row in _missing()[:1000]} if done >= limit() else set()
    waiting = len(missing - _tried(missing))
    findings = [] if not waiting else [
        Finding(
            kind=DifferenceKind.AUTOMATIC_STOPPED,
            severity=Severity.HIGH,
            key="automatic-stopped",
            label="Automatic repair has stopped",
            object_type="panel",
            expected={"at_most": limit(), "minutes": int(WINDOW.total_seconds() // 60)},
            found={"done": done, "waiting": waiting},
        )
    ]  # fmt: skip
    differences_record(findings=findings, scope=Q(), kinds=(DifferenceKind.AUTOMATIC_STOPPED,), now=now)
