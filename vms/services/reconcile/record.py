"""Writing down what the checks found: new differences, those that are still there, and those that have vanished."""

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection
from django.db.models import Q
from django.db.models.functions import Now

from panel.core import events
from vms.models import Difference, DifferenceKind, DifferenceState
from vms.models.differences import LIVING
from vms.services.reconcile.snapshots import Finding, NotAll

KEPT_CLOSED = timedelta(days=365)
APART = timedelta(seconds=60)  # between two looks that count as proof
_KEPT = {
    "severity": "text", "label": "text", "host_id": "uuid", "host_type": "text", "customer_id": "uuid",
    "expected": "jsonb", "found": "jsonb", "state": "text", "last_seen_at": "timestamptz", "proofs": "smallint",
    "proved_at": "timestamptz", "ignored_by": "text", "ignored_reason": "text", "ignored_at": "timestamptz",
}  # fmt: skip
_SEEN = f"""
UPDATE vms_difference d SET {", ".join(f"{name} = c.{name}" for name in _KEPT)}
FROM jsonb_to_recordset(%s::jsonb) AS c(id uuid, {", ".join(f"{name} {kind}" for name, kind in _KEPT.items())})
WHERE d.id = c.id
"""  # noqa: S608 - of constants
_TOLD = ("severity", "label", "expected", "found", "state")  # pages are told of a change of these


def differences_record(
    *, findings: Iterable[Finding | NotAll], scope: Q, kinds: Collection[DifferenceKind], began_at: datetime,
    now: datetime, stays: Callable[[Difference], bool] = lambda row: False,
) -> None:  # fmt: skip
    """Bring the rows of ``scope`` and ``kinds`` to what was found, in a fixed number of statements.

    What is not found any more closes by itself, but for what ``stays``: nobody looked at it. ``began_at`` is when the
    look began: what somebody has settled since is not brought back by it. Call it in a transaction, holding what makes
    two callers for the same scope come one after the other (``turns.turn_written``).
    """
    read = list(findings)
    found = {one.key: one for one in read if isinstance(one, Finding)}
    not_all = {one.kind for one in read if isinstance(one, NotAll)}
    mine = Q(scope, kind__in=list(kinds)) | Q(key__in=list(found))
    rows = Difference.objects.select_for_update(of=("self",)).filter(mine, state__in=LIVING).order_by("pk")
    known = {row.key: row for row in rows}
    changed = _make([one for key, one in found.items() if key not in known], began_at, now)
    seen = [row for key, row in known.items() if key in found]
    for row in seen:
        changed |= _seen(row, found[row.key], now)
    _keep(seen)
    gone = [row.pk for key, row in known.items() if key not in found and row.kind not in not_all and not stays(row)]
    if gone:
        closed = {"state": DifferenceState.CLOSED, "closed_at": now, "closed_how": "vanished"}
        Difference.objects.filter(pk__in=gone).update(**closed)
    if changed or gone:
        events.publish("difference", "all")


def differences_forget() -> int:
    """Delete what was closed long ago; the audit trail has who did what. Returns how many there were."""
    forgotten, _ = Difference.objects.filter(state=DifferenceState.CLOSED, closed_at__lt=Now() - KEPT_CLOSED).delete()
    return forgotten


def plain(value: Any) -> Any:
    """Return a value as it comes back from the database."""
    return json.loads(json.dumps(value, cls=DjangoJSONEncoder))


def _make(findings: Sequence[Finding], began_at: datetime, now: datetime) -> bool:
    if not findings:
        return False
    settled = set(
        Difference.objects.filter(key__in=[one.key for one in findings], closed_at__gte=began_at)
        .exclude(closed_how="vanished")
        .values_list("key", flat=True)
    )
    made = [_row(finding, now) for finding in findings if finding.key not in settled]
    Difference.objects.bulk_create(made, ignore_conflicts=True)  # one of another scope: the next look finds it
    return bool(made)


def _row(finding: Finding, now: datetime) -> Difference:
    proofs = int(finding.proves)
    return Difference(
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


def _seen(row: Difference, finding: Finding, now: datetime) -> bool:
    """Bring a row in memory to what was found. True when people see a change."""
    before = {name: getattr(row, name) for name in _TOLD}
    row.severity, row.label, row.last_seen_at = finding.severity, finding.label[:255], now
    row.host_id, row.host_type, row.customer_id = finding.host_id, finding.host_type, finding.customer_id
    row.expected, row.found = plain(finding.expected), plain(finding.found)
    differs = (row.expected, row.found) != (before["expected"], before["found"])
    if finding.proves and (row.proved_at is None or abs(now - row.proved_at) >= APART):  # a clock may be set back
        row.proofs, row.proved_at = min(row.proofs + 1, 100), now
    if row.state == DifferenceState.SUSPECTED and row.proofs >= finding.proof:
        row.state = DifferenceState.OPEN
    if row.state == DifferenceState.IGNORED and differs:
        row.state, row.ignored_by, row.ignored_reason, row.ignored_at = DifferenceState.OPEN, "", "", None
    return any(getattr(row, name) != value for name, value in before.items())


def _keep(rows: Sequence[Difference]) -> None:
    if rows:
        values = [{"id": row.pk, **{name: getattr(row, name) for name in _KEPT}} for row in rows]
        with connection.cursor() as cursor:
            cursor.execute(_SEEN, [json.dumps(values, default=str)])
