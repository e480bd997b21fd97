"""Telling what the limiter keeps from being done, and letting it go on when somebody has looked."""

from collections.abc import Callable
from functools import partial
from operator import itemgetter
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from panel.core.actors import Actor
from panel.core.errors import PanelError
from panel.core.models import Job
from vms.models import Difference, DifferenceKind, Guest, Severity
from vms.models.differences import LIVING
from vms.services.guests import guest_delete
from vms.services.limiter import WINDOW, limit, limiter_lock, touched, touched_count
from vms.services.reconcile.automatic import repair_submit, repairs_waiting
from vms.services.reconcile.record import differences_record
from vms.services.reconcile.snapshots import Finding
from vms.services.suspension import suspension_enforce, suspensions_waiting
from vms.services.unfinished import deletions_waiting

REPAIR, SUSPEND, DELETE = "repair", "suspend", "delete"
NAMES = 5  # of the servers that wait, as examples
AT_ONCE = 200  # servers that go on with one request
_KEY = "automatic-stopped"


@transaction.atomic
def stopped_tell() -> None:
    """List what waits, from when the limiter is reached until nothing waits any more."""
    now = limiter_lock()
    told = Difference.objects.filter(key=_KEY, state__in=LIVING)
    done, most = touched_count(), limit()
    if done < most and not told.exists():
        return
    waiting = _waiting()
    counts = {kind: rows.count() for kind, rows in waiting.items()}
    names = [name for rows in waiting.values() for name in rows.order_by("name").values_list("name", flat=True)[:NAMES]]
    found = {"done": done, "waiting": sum(counts.values()), **counts, "names": names[:NAMES]}
    findings = [_finding(found, most)] if found["waiting"] else []
    kinds = (DifferenceKind.AUTOMATIC_STOPPED,)
    differences_record(findings=findings, scope=Q(), kinds=kinds, began_at=now, now=now)


def _waiting() -> dict[str, QuerySet[Guest]]:
    """Return the guests that wait for each kind of action; those that were touched already need not wait."""
    guests = Guest.objects.exclude(pk__in=touched().values("resource_id"))
    return {
        REPAIR: guests.filter(pk__in=repairs_waiting().values("object_id")),
        SUSPEND: guests.filter(pk__in=suspensions_waiting().values("pk")),
        DELETE: guests.filter(pk__in=deletions_waiting().values("pk")),
    }


def _finding(found: dict[str, Any], most: int) -> Finding:
    return Finding(
        kind=DifferenceKind.AUTOMATIC_STOPPED,
        severity=Severity.HIGH,
        key=_KEY,
        label="Automatic actions have stopped",
        object_type="panel",
        expected={"at_most": most, "minutes": int(WINDOW.total_seconds() // 60)},
        found=found,
    )


def all_go_on(*, actor: Actor) -> list[Job]:
    """Submit what waits now, up to ``AT_ONCE`` servers, as asked for by somebody. Returns the jobs.

    Call it in a transaction that holds the limiter's lock.
    """
    jobs = []
    for _, submit in sorted(_submits(actor)[:AT_ONCE], key=itemgetter(0)):  # locked in the order all others lock in
        try:
            with transaction.atomic():
                job = submit()
        except PanelError:  # it has been seen to meanwhile
            continue
        if job is not None:
            jobs.append(job)
    stopped_tell()
    return jobs


def _submits(actor: Actor) -> list[tuple[UUID, Callable[[], Job | None]]]:
    repairs = repairs_waiting().order_by("created_at")[:AT_ONCE]
    waiting = _waiting()
    return [
        *((row.about_id, partial(repair_submit, row, actor=actor)) for row in repairs),
        *((guest.pk, partial(suspension_enforce, actor=actor, guest=guest)) for guest in waiting[SUSPEND][:AT_ONCE]),
        *((guest.pk, partial(guest_delete, actor=actor, guest=guest)) for guest in waiting[DELETE][:AT_ONCE]),
    ]
