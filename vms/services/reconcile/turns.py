"""Whose turn it is to compare, and that an older look never overwrites a newer one.

Each comparison of a hypervisor, or of what the panel alone knows, is a turn with a number. A turn is written down only
while none that began later has been, and only once: so neither a collector that has lost its hosts, nor a job that was
overtaken, nor a thread that was given up can bring back what is not so any more. Times are the database's.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import connection as database
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from hosts.models import HostConnection
from hosts.services.restored import comparison_failed
from vms.models import Comparison, Difference, DifferenceState

SUSPECT_AGAIN_S = 65  # a little more than the minute that has to lie between two looks that prove something
PANEL = UUID(int=1)  # the comparison of what the panel alone knows
_TAKE = """
UPDATE vms_comparison SET turn = turn + 1, began_at = clock_timestamp()
WHERE id = %(id)s AND (%(anew)s OR began_at IS NULL OR began_at > clock_timestamp()
                       OR began_at < clock_timestamp() - %(every_s)s * interval '1 second')
RETURNING turn, began_at, written
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One comparison. ``written``: how many of the same were written down when it began."""

    comparison_id: UUID
    number: int
    began_at: datetime
    written: int


def connections_due() -> QuerySet[HostConnection]:
    """Return the hypervisors to compare now: every few minutes, and each minute while something is only suspected."""
    suspected = _suspected(OuterRef("host_id"), OuterRef("host_type"))
    due = Q(comparison__isnull=True) | Q(comparison__began_at__isnull=True) | Q(comparison__began_at__gt=Now())
    due |= Q(comparison__began_at__lt=Now() - timedelta(seconds=settings.COMPARE_EVERY_S))
    soon = Q(comparison__began_at__lt=Now() - timedelta(seconds=SUSPECT_AGAIN_S))
    return HostConnection.objects.filter(due | (soon & Exists(suspected)), enabled=True)


def turn_take(connection: HostConnection | None, *, anew: bool = False) -> Turn | None:
    """Take the turn of comparing a hypervisor, or what the panel alone knows; None when another had it lately.

    Any number may ask: the row is moved by one guarded UPDATE. ``anew``: somebody asked for it now.
    """
    row, _ = Comparison.objects.get_or_create(**({"pk": PANEL} if connection is None else {"connection": connection}))
    every_s = settings.COMPARE_EVERY_S
    if connection is not None and _suspected(connection.host_id, connection.host_type).exists():
        every_s = min(every_s, SUSPECT_AGAIN_S)
    with database.cursor() as cursor:
        cursor.execute(_TAKE, {"id": row.pk, "anew": anew, "every_s": every_s})
        taken = cursor.fetchone()
    if taken is None:
        return None
    number, began_at, written = taken
    return Turn(comparison_id=row.pk, number=number, began_at=began_at, written=written)


def _suspected(host_id: UUID | OuterRef, host_type: str | OuterRef) -> QuerySet[Difference]:
    return Difference.objects.filter(host_id=host_id, host_type=host_type, state=DifferenceState.SUSPECTED)


@contextmanager
def turn_written(turn: Turn) -> Iterator[datetime | None]:
    """Write a turn down in the block, one transaction; nobody else writes the same meanwhile.

    Gives the database's time; None when the turn came too late: then nothing may be written.
    """
    with transaction.atomic():
        rows = _not_ended(turn)
        found = rows.select_for_update().annotate(now=Now()).first()
        yield None if found is None else found.now
        if found is not None:
            rows.update(ended_turn=turn.number, written=F("written") + 1, ended_at=Now(), error="")


def turn_failed(turn: Turn, *, error: str) -> None:
    """Note that a turn came to nothing, and why. What was found before stands."""
    _not_ended(turn).update(ended_turn=turn.number, error=error)
    comparison_failed(HostConnection.objects.filter(comparison=turn.comparison_id))


def _not_ended(turn: Turn) -> QuerySet[Comparison]:
    """Return the row while it waits for this turn; not when the turn is of before a backup was restored."""
    return Comparison.objects.filter(pk=turn.comparison_id, ended_turn__lt=turn.number, turn__gte=turn.number)


def turns_wait(*, host_id: UUID, host_type: str) -> None:
    """Have no comparison of a hypervisor written down until the end of the transaction."""
    rows = Comparison.objects.filter(connection__host_id=host_id, connection__host_type=host_type)
    list(rows.select_for_update(of=("self",)))
