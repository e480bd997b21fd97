"""From hours and a plan's prices to an amount. Pure."""

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

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


def charge(*, hours: int, price_hourly: Decimal, price_monthly: Decimal, currency: str) -> Money:
    """Return what so many hours of one month cost: by the hour, never more than the price a month."""
    return Money(min(hours * price_hourly, price_monthly), currency).rounded()
