"""Writing down what the checks found: new differences, those that are still there, and those that have vanished."""

import json
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction
from django.db.models import Q

from panel.core import events
from vms.models import Difference, DifferenceKind, DifferenceState
from vms.models.differences import LIVING
from vms.services.reconcile.snapshots import Finding

APART = timedelta(seconds=60)  # between two looks that count as proof
_KEPT = ("severity", "label", "host_type", "expected", "found", "state", "last_seen_at", "proofs", "proved_at",
         "ignored_by", "ignored_reason", "ignored_at")  # fmt: skip


@transaction.atomic
def differences_record(
    *, findings: Iterable[Finding], scope: Q, kinds: Collection[DifferenceKind], now: datetime,
    left_out: Collection[UUID] = (),
) -> None:  # fmt: skip
    """Bring the rows of ``scope`` and ``kinds`` to what was found. What is not found any more closes by itself.

    ``left_out`` are guests that were not looked at: their differences stay as they are. Two callers for the same
    scope come one after the other.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('innkeeper.differences'))")
    rows = Difference.objects.select_for_update(of=("self",)).filter(scope, state__in=LIVING, kind__in=list(kinds))
    known = {row.key: row for row in rows}
    changed = False
    for finding in {one.key: one for one in findings}.values():
        row = known.pop(finding.key, None)
        changed |= _made(finding, now) if row is None else _seen(row, finding, now)
    for row in known.values():
        if row.object_id not in left_out:
            Difference.objects.filter(pk=row.pk).update(
                state=DifferenceState.CLOSED, closed_at=now, closed_how="vanished"
            )
            changed = True
    if changed:
        events.publish("difference", "all")


def plain(value: Any) -> Any:
    """Return a value as it comes back from the database."""
    return json.loads(json.dumps(value, cls=DjangoJSONEncoder))


def _made(finding: Finding, now: datetime) -> bool:
    proofs = int(finding.proves)
    Difference.objects.create(
        kind=finding.kind,
        severity=finding.severity,
        state=DifferenceState.OPEN if proofs >= finding.proof else DifferenceState.SUSPECTED,
        key=finding.key,
        host_id=finding.host_id,
        host_type=finding.host_type,
        customer_id=finding.customer_id,
        object_type=finding.object_type,
        object_id=finding.object_id,
        label=finding.label[:255],
        expected=plain(finding.expected),
        found=plain(finding.found),
        last_seen_at=now,
        proofs=proofs,
        proved_at=now if proofs else None,
    )
    return True


def _seen(row: Difference, finding: Finding, now: datetime) -> bool:
    before = {name: getattr(row, name) for name in ("severity", "label", "expected", "found", "state")}
    differs = (row.expected, row.found) != (plain(finding.expected), plain(finding.found))
    row.severity, row.label, row.host_type = finding.severity, finding.label[:255], finding.host_type
    row.expected, row.found = plain(finding.expected), plain(finding.found)
    row.last_seen_at = now
    if finding.proves and (row.proved_at is None or now - row.proved_at >= APART):
        row.proofs, row.proved_at = min(row.proofs + 1, 100), now
    if row.state == DifferenceState.SUSPECTED and row.proofs >= finding.proof:
        row.state = DifferenceState.OPEN
    if row.state == DifferenceState.IGNORED and differs:
        row.state, row.ignored_by, row.ignored_reason, row.ignored_at = DifferenceState.OPEN, "", "", None
    row.save(update_fields=_KEPT)
    return any(getattr(row, name) != value for name, value in before.items())
