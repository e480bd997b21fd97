"""What customers used in a month: hours of each guest, from what is recorded now.

A line runs from the order to the termination, at the plan the guest has at the time of asking. A server that
could never be built costs nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from billing.models import Subscription
from billing.money import Money
from billing.rating import Month, charge, hours_started
from panel.core.actors import Actor
from panel.core.models import Customer
from vms.models import Guest
from vms.states import Lifecycle


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A guest's hours of one month. ``subscription`` and ``amount`` None: it is on no plan."""

    guest: Guest
    subscription: Subscription | None
    start: datetime
    end: datetime
    hours: int
    amount: Money | None


def customers_with_usage(actor: Actor, month: Month) -> QuerySet[Customer]:
    """Customers the actor sees that had a guest in the month, also deleted ones."""
    theirs = _guests_in(month).filter(customer=OuterRef("pk"))
    rows = Customer.objects.filter(Exists(theirs))
    visible = actor.customer_ids
    return rows if visible is None else rows.filter(pk__in=visible)


def usage_of(customers: Sequence[Customer], *, month: Month, now: datetime) -> dict[UUID, list[Line]]:
    """Return each customer's lines, oldest guest first, in two queries."""
    guests = list(_guests_in(month).filter(customer__in=customers).order_by("created_at", "id"))
    contracts = {
        s.guest_id: s for s in Subscription.objects.filter(guest__in=guests).select_related("plan") if s.guest_id
    }
    lines: dict[UUID, list[Line]] = {customer.pk: [] for customer in customers}
    for guest in guests:
        line = _line(guest, contracts.get(guest.pk), month, now)
        if line is not None:
            lines[guest.customer_id].append(line)
    return lines


def _guests_in(month: Month) -> QuerySet[Guest]:
    ended = Q(deleted_at__lt=month.start) | Q(subscription__terminated_at__lt=month.start)
    built = Q(observed_at__isnull=False) | Q(lifecycle__in=[Lifecycle.PROVISIONING, Lifecycle.ACTIVE])
    return Guest.objects.filter(built, created_at__lt=month.end).exclude(ended)


def _line(guest: Guest, subscription: Subscription | None, month: Month, now: datetime) -> Line | None:
    ends = (month.end, now, guest.deleted_at, subscription.terminated_at if subscription else None)
    start, end = max(month.start, guest.created_at), min(moment for moment in ends if moment)
    if end <= start:
        return None
    hours = hours_started(start, end)
    amount = None
    if subscription is not None:
        plan = subscription.plan
        amount = charge(
            hours=hours, price_hourly=plan.price_hourly, price_monthly=plan.price_monthly, currency=plan.currency
        )
    return Line(guest=guest, subscription=subscription, start=start, end=end, hours=hours, amount=amount)
