"""From hours and plans' prices to amounts. Pure."""

import math
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise

from billing.money import Money

_MONTH = re.compile(r"^(20[0-9]{2})-(0[1-9]|1[0-2])$")


@dataclass(frozen=True, slots=True)
class Month:
    """A calendar month in UTC: ``start`` belongs to it, ``end`` to the next."""

    start: datetime
    end: datetime

    def __str__(self) -> str:
        return f"{self.start:%Y-%m}"


def month_parse(text: str) -> Month:
    """Return a month from ``2026-11``. Raises: ValueError."""
    found = _MONTH.fullmatch(text)
    if found is None:
        raise ValueError("Write a month as 2026-11.")
    return month_of(datetime(int(found[1]), int(found[2]), 1, tzinfo=UTC))


def month_of(moment: datetime) -> Month:
    """Return the month that a moment lies in."""
    start = moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    following = (
        start.replace(year=start.year + 1, month=1) if start.month == 12 else start.replace(month=start.month + 1)
    )
    return Month(start, following)


def hours_started(start: datetime, end: datetime) -> int:
    """Return the hours begun between two moments; a server that lived for a minute is one hour."""
    return max(0, math.ceil((end - start).total_seconds() / 3600))


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Hours of one month at one plan's prices."""

    hours: int
    plan: str
    price_hourly: Decimal
    price_monthly: Decimal
    currency: str


def hours_split(moments: Sequence[datetime]) -> list[int]:
    """Return the hours begun between each two moments that follow each other.

    Hours are counted from the first moment on, so that they add up to ``hours_started`` of the whole: an hour in
    which the plan changed belongs to the plan it began with.
    """
    counted = [hours_started(moments[0], moment) for moment in moments]
    return [after - before for before, after in pairwise(counted)]


def charges(parts: Sequence[Part]) -> list[Money]:
    """Return what each part of one server's month costs, in order.

    By the hour; all parts on one plan never cost more than its price a month, and all together never more than
    the dearest plan's price a month so far. What comes later changes nothing before it.
    """
    of_plan: dict[str, Decimal] = defaultdict(Decimal)
    of_all: dict[str, Decimal] = defaultdict(Decimal)
    dearest: dict[str, Decimal] = {}
    amounts = []
    for part in parts:
        dearest[part.currency] = max(part.price_monthly, dearest.get(part.currency, part.price_monthly))
        left = min(part.price_monthly - of_plan[part.plan], dearest[part.currency] - of_all[part.currency])
        money = Money(min(part.hours * part.price_hourly, left), part.currency).rounded()
        of_plan[part.plan] += money.amount
        of_all[part.currency] += money.amount
        amounts.append(money)
    return amounts
