"""Money and rating."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.money import CurrencyError, Money, hourly_text, monthly_text, totals
from billing.rating import charge, hours_started, month_of, month_parse


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


def test_a_whole_month_costs_the_monthly_price_and_a_part_the_hours():
    for hours, amount in {0: "0.00", 10: "0.08", 612: "4.90", 613: "4.90", 744: "4.90"}.items():
        money = charge(
            hours=hours, price_hourly=Decimal("0.008"), price_monthly=Decimal("4.90"), currency="EUR"
        )  # fmt: skip
        assert money == eur(amount)


@given(
    hours=st.integers(0, 744),
    hourly=st.decimals(0, 100, places=6),
    monthly=st.decimals(0, 10_000, places=2),
)
def test_a_charge_is_whole_cents_and_never_above_the_monthly_price(hours, hourly, monthly):
    money = charge(hours=hours, price_hourly=hourly, price_monthly=monthly, currency="EUR")
    assert money.amount == money.amount.quantize(Decimal("0.01"))
    assert 0 <= money.amount <= monthly
