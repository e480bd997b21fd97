"""Money and rating."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.money import CurrencyError, Money, hourly_text, monthly_text, totals
from billing.rating import Part, charges, hours_split, hours_started, month_of, month_parse


def eur(amount: str) -> Money:
    return Money(Decimal(amount), "EUR")


@pytest.mark.parametrize(
    ("amount", "rounded"),
    [("0.004", "0.00"), ("0.005", "0.01"), ("1.995", "2.00"), ("2.674999", "2.67"), ("7", "7.00")],
)
def test_half_a_cent_is_rounded_up(amount, rounded):
    assert eur(amount).rounded() == eur(rounded)


def test_texts_have_fixed_places_and_no_exponent():
    assert monthly_text(Decimal("4.9")) == "4.90"
    assert monthly_text(Decimal("1E+3")) == "1000.00"
    assert hourly_text(Decimal("0.008")) == "0.008000"
    assert hourly_text(Decimal("1E-6")) == "0.000001"
    assert str(eur("4.9")) == "4.90 EUR"


def test_currencies_do_not_mix():
    with pytest.raises(CurrencyError):
        eur("1") + Money(Decimal(1), "USD")
    sums = totals([eur("1.10"), Money(Decimal("3"), "CHF"), eur("2.20")])
    assert sums == [Money(Decimal("3"), "CHF"), eur("3.30")]
    assert totals([]) == []


def test_months_are_calendar_months_in_utc():
    december = month_parse("2026-12")
    assert (december.start, december.end) == (datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
    assert str(december) == "2026-12"
    assert month_of(datetime(2026, 11, 30, 23, 59, tzinfo=UTC)) == month_parse("2026-11")


@pytest.mark.parametrize("text", ["2026-13", "2026-1", "2026-00", "11-2026", "2026-11-01", "", "1999-01", "2026-11\n"])
def test_what_is_no_month_is_refused(text):
    with pytest.raises(ValueError, match="Write a month as 2026-11"):
        month_parse(text)


def test_an_hour_begun_is_an_hour():
    start = datetime(2026, 11, 1, tzinfo=UTC)
    spans = {timedelta(0): 0, timedelta(seconds=1): 1, timedelta(hours=1): 1, timedelta(hours=1, seconds=1): 2}
    for span, hours in spans.items():
        assert hours_started(start, start + span) == hours
    assert hours_started(start, start - timedelta(days=1)) == 0


def part(hours: int, *, hourly="0.008", monthly="4.90", plan="small", currency="EUR") -> Part:
    prices = {"price_hourly": Decimal(hourly), "price_monthly": Decimal(monthly)}
    return Part(hours=hours, plan=plan, currency=currency, **prices)


def test_a_whole_month_costs_the_monthly_price_and_a_part_the_hours():
    for hours, amount in {0: "0.00", 10: "0.08", 612: "4.90", 613: "4.90", 744: "4.90"}.items():
        assert charges([part(hours)]) == [eur(amount)]


def test_parts_of_a_month_on_one_plan_cost_its_monthly_price_together():
    assert charges([part(400), part(400)]) == [eur("3.20"), eur("1.70")]


def test_parts_on_several_plans_cost_the_dearest_ones_monthly_price_together():
    cheap, dear = part(372, hourly="0.02", monthly="4"), part(372, plan="large", hourly="0.04", monthly="8")
    assert charges([cheap, dear]) == [eur("4.00"), eur("4.00")]
    assert charges([dear, cheap]) == [eur("8.00"), eur("0.00")]
    assert charges([cheap, part(372, plan="chf", hourly="0.04", monthly="8", currency="CHF")]) == [
        eur("4.00"), Money(Decimal("8.00"), "CHF"),
    ]  # fmt: skip


def test_an_hour_belongs_to_the_plan_it_began_with():
    start = datetime(2026, 11, 1, tzinfo=UTC)
    moments = [start + timedelta(minutes=m) for m in (0, 30, 45, 60, 61, 200)]
    assert hours_split(moments) == [1, 0, 0, 1, 2]
    assert sum(hours_split(moments)) == hours_started(moments[0], moments[-1])


PRICES = {"free": ("0", "0"), "a": ("0.012345", "7.00"), "b": ("0.05", "31.50"), "odd": ("99.999999", "0.01")}
PARTS = st.tuples(st.integers(0, 744), st.sampled_from(sorted(PRICES))).map(
    lambda drawn: part(drawn[0], hourly=PRICES[drawn[1]][0], monthly=PRICES[drawn[1]][1], plan=drawn[1])
)


@given(st.lists(PARTS, max_size=6))
def test_a_charge_is_whole_cents_and_what_comes_later_changes_none(parts):
    amounts = charges(parts)
    assert all(money.amount == money.amount.quantize(Decimal("0.01")) for money in amounts)
    assert all(0 <= money.amount <= part.price_monthly for money, part in zip(amounts, parts, strict=True))
    assert sum(money.amount for money in amounts) <= max((p.price_monthly for p in parts), default=0)
    assert charges(parts[:-1]) == amounts[:-1]
