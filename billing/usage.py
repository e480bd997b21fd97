"""What customers used in a month: hours of each guest at the plans it was on, from recorded intervals.

A guest's lines run from its order to its termination. A server that could never be built costs nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from uuid import UUID

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet

from billing.models import Plan, Subscription, UsageInterval
from billing.money import Money
from billing.rating import Month, Part, charges, hours_split
from panel.core.actors import Actor
from panel.core.models import Customer
from vms.models import Guest
from vms.states import Lifecycle


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A guest's hours of one month on one plan. ``subscription``, ``plan`` and ``amount`` None: it is on no plan."""

    guest: Guest
    subscription: Subscription | None
    plan: Plan | None
    start: datetime
    end: datetime
    hours: int
    amount: Money | None


def customers_with_usage(actor: Actor, month: Month, *, guest_id: UUID | None = None) -> QuerySet[Customer]:
    """Customers the actor sees that had a guest (or the one named) in the month, also deleted ones."""
    theirs = _guests_in(month, guest_id).filter(customer=OuterRef("pk"))
    rows = Customer.objects.filter(Exists(theirs))
    visible = actor.customer_ids
    return rows if visible is None else rows.filter(pk__in=visible)


def usage_of(
    customers: Sequence[Customer], *, month: Month, now: datetime, guest_id: UUID | None = None
) -> dict[UUID, list[Line]]:
    """Return each customer's lines, oldest guest first, in three queries. With ``guest_id`` only that guest's."""
    guests = list(_guests_in(month, guest_id).filter(customer__in=customers).order_by("created_at", "id"))
    intervals = UsageInterval.objects.select_related("plan").order_by("starts_at", "id")
    contracts = {
        contract.guest_id: contract
        for contract in Subscription.objects.filter(guest__in=guests).prefetch_related(Prefetch("intervals", intervals))
    }
    lines: dict[UUID, list[Line]] = {customer.pk: [] for customer in customers}
    for guest in guests:
        lines[guest.customer_id].extend(_lines(guest, contracts.get(guest.pk), month, now))
    return lines


def _guests_in(month: Month, guest_id: UUID | None = None) -> QuerySet[Guest]:
    ended = Q(deleted_at__lt=month.start) | Q(subscription__terminated_at__lt=month.start)
    built = Q(observed_at__isnull=False) | Q(lifecycle__in=[Lifecycle.PROVISIONING, Lifecycle.ACTIVE])
    rows = Guest.objects.filter(built, created_at__lt=month.end).exclude(ended)
    return rows if guest_id is None else rows.filter(pk=guest_id)


Span = tuple[Plan | None, datetime, datetime]


def _lines(guest: Guest, subscription: Subscription | None, month: Month, now: datetime) -> Iterator[Line]:
    ends = (month.end, now, guest.deleted_at, subscription.terminated_at if subscription else None)
    start, end = max(month.start, guest.created_at), min(moment for moment in ends if moment)
    if end <= start:
        return
    spans: list[Span] = [(None, start, end)]
    if subscription:
        spans = _spans(list(subscription.intervals.all()), start, end)
    hours = hours_split([start, *(until for _, _, until in spans)])
    parts = [_part(plan, count) for (plan, _, _), count in zip(spans, hours, strict=True) if plan]
    amounts: Sequence[Money | None] = charges(parts) if parts else [None]
    for (plan, since, until), count, amount in zip(spans, hours, amounts, strict=True):
        yield Line(
            guest=guest, subscription=subscription, plan=plan, start=since, end=until, hours=count, amount=amount
        )  # fmt: skip


def _spans(intervals: Sequence[UsageInterval], start: datetime, end: datetime) -> list[Span]:
    """Return (plan, since, until) without a gap from ``start`` to ``end``; the first plan is the guest's from birth."""
    changes = [max(start, min(end, interval.starts_at)) for interval in intervals[1:]]
    bounds = [start, *changes, end]
    return [
        (interval.plan, since, until)
        for interval, (since, until) in zip(intervals, pairwise(bounds), strict=True)
        if until > since
    ]


def _part(plan: Plan, hours: int) -> Part:
    return Part(
        hours=hours,
        plan=plan.slug,
        price_hourly=plan.price_hourly,
        price_monthly=plan.price_monthly,
        currency=plan.currency,
    )
