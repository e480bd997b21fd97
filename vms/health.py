"""Looks at guests that need somebody."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import Count, Min, Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, ngettext_lazy

from hosts.drivers.types import PowerState
from panel.core.health import Finding, Severity, duration_words, few, health_check, several
from vms.models import Comparison, Difference, DifferenceKind, DifferenceState, Guest
from vms.models.differences import Severity as DifferenceSeverity
from vms.selectors import power_shown
from vms.services.unfinished import next_try_at
from vms.states import Lifecycle

_MATTERS = {
    DifferenceSeverity.HIGH: Severity.CRITICAL,
    DifferenceSeverity.MEDIUM: Severity.WARNING,
    DifferenceSeverity.LOW: Severity.NOTICE,
}

_FULL = ngettext_lazy(
    "%(count)s guest is paused because its host's disk is full.",
    "%(count)s guests are paused because their host's disk is full.",
    "count",
)
_FAILED = ngettext_lazy("%(count)s guest has failed.", "%(count)s guests have failed.", "count")
_STUCK = ngettext_lazy("%(count)s guest could not be deleted.", "%(count)s guests could not be deleted.", "count")
_DIFFERENCES = ngettext_lazy(
    "There is %(count)s difference between what the panel has and what is there: %(severities)s.",
    "There are %(count)s differences between what the panel has and what is there: %(severities)s.",
    "count",
)
_SEVERITIES = {  # worst first
    DifferenceSeverity.HIGH: ngettext_lazy("%(count)s high", "%(count)s high", "count"),
    DifferenceSeverity.MEDIUM: ngettext_lazy("%(count)s medium", "%(count)s medium", "count"),
    DifferenceSeverity.LOW: ngettext_lazy("%(count)s low", "%(count)s low", "count"),
}


@health_check
def guests_in_trouble(now: datetime) -> Iterator[Finding]:
    """Guests that could not be built or deleted, and those whose host has no room left."""
    failed = Q(lifecycle=Lifecycle.ERROR)
    stuck = Q(lifecycle=Lifecycle.DELETING) & ~Q(error_message="")
    full = Q(lifecycle=Lifecycle.ACTIVE, power_shown=PowerState.PAUSED, state_reason="disk_full")
    sums = (
        Guest.objects.annotate(power_shown=power_shown())
        .filter(failed | stuck | full)
        .aggregate(
            failed=Count("pk", filter=failed),
            failed_since=Min("updated_at", filter=failed),
            stuck=Count("pk", filter=stuck),
            stuck_since=Min("deletion_requested_at", filter=stuck),
            full=Count("pk", filter=full),
            full_since=Min("observed_at", filter=full),
        )
    )
    yield from several(
        sums["full"],
        severity=Severity.CRITICAL,
        code="guests_paused_disk_full",
        since=sums["full_since"],
        sentence=_FULL,
        hint=_("Make room in the pool, then start what is paused: it goes on where it was."),
        link="/guests?power_state=paused",
    )
    yield from several(
        sums["failed"],
        severity=Severity.WARNING,
        code="guests_failed",
        since=sums["failed_since"],
        sentence=_FAILED,
        hint=ngettext(
            "Its page says why. Try the job again, or delete the guest: until then it holds its place.",
            "Their pages say why. Try the jobs again, or delete the guests: until then they hold their places.",
            sums["failed"],
        ),
        link="/guests?lifecycle=error",
    )
    yield from several(
        sums["stuck"],
        severity=Severity.WARNING,
        code="guests_not_deleted",
        since=sums["stuck_since"],
        sentence=_STUCK,
        hint=_undeleted_hint(sums["stuck"], now) if sums["stuck"] else "",
        link="/guests?lifecycle=deleting",
    )


def _undeleted_hint(count: int, now: datetime) -> str:
    at = next_try_at()
    if at is None:
        return ngettext(
            "Its page says why. It is tried again by itself as soon as its host answers.",
            "Their pages say why. They are tried again by themselves as soon as their hosts answer.",
            count,
        )
    wait = max(at - now, timedelta(0))
    return ngettext(
        "Its page says why. It is tried again by itself while its host answers, after five minutes and then less and "
        "less often: the next time in %(wait)s.",
        "Their pages say why. They are tried again by themselves while their hosts answer, after five minutes and then "
        "less and less often: the next time in %(wait)s.",
        count,
    ) % {"wait": duration_words(wait)}


@health_check
def comparisons_failed(_now: datetime) -> Iterator[Finding]:
    """Hosts that answer but could not be compared with the panel the last time."""
    rows = Comparison.objects.filter(connection__enabled=True, connection__last_error="").exclude(error="")
    found = [
        Finding(
            severity=Severity.WARNING,
            code="comparison_failed",
            subject=row.connection.host.name if row.connection else "",
            since=row.ended_at,
            sentence=_("Host %(name)s could not be compared with the panel: %(error)s")
            % {"name": row.connection.host.name if row.connection else "", "error": " ".join(row.error.split())[:200]},
            hint=_("Its differences are those of the last comparison. It is tried again by itself; the logs say more."),
            link=f"/hosts/{row.connection.host_id}" if row.connection else "",
        )
        for row in rows.select_related("connection__host").order_by("connection__host__name")
    ]
    yield from few(found, code="comparisons_failed", link="/hosts")


_STOPPED = ngettext_lazy(
    "The panel has stopped acting by itself: %(count)s guest waits (%(kinds)s).",
    "The panel has stopped acting by itself: %(count)s guests wait (%(kinds)s).",
    "count",
)
_STOPPED_KINDS = {
    "repair": ngettext_lazy("%(count)s repair", "%(count)s repairs", "count"),
    "suspend": ngettext_lazy("%(count)s stop of a suspended guest", "%(count)s stops of suspended guests", "count"),
    "delete": ngettext_lazy("%(count)s deletion tried anew", "%(count)s deletions tried anew", "count"),
}


@health_check
def automatic_stopped(_now: datetime) -> Iterator[Finding]:
    """What the limiter keeps from being done."""
    for row in Difference.objects.filter(kind=DifferenceKind.AUTOMATIC_STOPPED, state=DifferenceState.OPEN):
        yield from several(
            row.found.get("waiting", 0),
            severity=Severity.CRITICAL,
            code="automatic_stopped",
            since=row.created_at,
            sentence=_STOPPED,
            kinds=_kinds_words(row.found),
            hint=_(
                "By itself it touches at most %(most)s in %(minutes)s minutes and goes on at that pace. Look whether "
                "all of it is right, above all after a restore: then let all go on at once, under Differences."
            )
            % {"most": row.expected["at_most"], "minutes": row.expected["minutes"]},
            link=f"/differences?kind={row.kind}",
        )


def _kinds_words(found: dict[str, int]) -> str:
    words = {kind: (sentence, found.get(kind, 0)) for kind, sentence in _STOPPED_KINDS.items()}
    return ", ".join(str(sentence % {"count": count}) for sentence, count in words.values() if count)


@health_check
def differences_open(_now: datetime) -> Iterator[Finding]:
    """What the panel, its hosts and billing do not agree on and nobody has settled: one line, by the worst of it."""
    rows = Difference.objects.filter(state=DifferenceState.OPEN).exclude(kind=DifferenceKind.AUTOMATIC_STOPPED)
    sums = rows.values("severity").order_by().annotate(count=Count("pk"), since=Min("created_at"))
    found = {row["severity"]: row for row in sums}
    there = [severity for severity in _SEVERITIES if severity in found]
    if not there:
        return
    count = sum(row["count"] for row in found.values())
    yield from several(
        count,
        severity=_MATTERS[there[0]],
        code=f"differences_{there[0]}",
        since=min(row["since"] for row in found.values()),
        sentence=_DIFFERENCES,
        severities=", ".join(str(_SEVERITIES[one] % {"count": found[one]["count"]}) for one in there),
        hint=ngettext(
            "Nothing is deleted because of it. Look at it, and take over, repair, release or ignore it.",
            "Nothing is deleted because of them. Look at each, and take over, repair, release or ignore it.",
            count,
        ),
        link=f"/differences?severity={there[0]}&state=open" if len(there) == 1 else "/differences?state=open",
    )
