"""Money is a Decimal and a currency; the only place that rounds. Pure."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")
MICRO = Decimal("0.000001")


class CurrencyError(ValueError):
    """Amounts of two currencies were added."""


@dataclass(frozen=True, slots=True)
class Money:
    """An amount of one currency (ISO 4217), not rounded."""

    amount: Decimal
    currency: str

    def __add__(self, other: "Money") -> "Money":
        """Raises: CurrencyError when the currencies differ."""
        if other.currency != self.currency:
            raise CurrencyError(f"{self.currency} and {other.currency} cannot be added.")
        return Money(self.amount + other.amount, self.currency)

    def rounded(self) -> "Money":
        """Return the amount in whole cents, half a cent rounded up: what can be charged."""
        return Money(self.amount.quantize(CENT, ROUND_HALF_UP), self.currency)

    def __str__(self) -> str:
        return f"{monthly_text(self.amount)} {self.currency}"


def monthly_text(amount: Decimal) -> str:
    """Return an amount as the API shows it: two places, never an exponent."""
    return f"{amount.quantize(CENT, ROUND_HALF_UP):f}"


def hourly_text(amount: Decimal) -> str:
    """Return a price an hour as the API shows it: six places, because an hour of a small server is below a cent."""
    return f"{amount.quantize(MICRO, ROUND_HALF_UP):f}"


def totals(amounts: list[Money]) -> list[Money]:
    """Return the sum of each currency, sorted by currency; an empty list for none."""
    sums: dict[str, Money] = {}
    for money in amounts:
        sums[money.currency] = sums[money.currency] + money if money.currency in sums else money
    return [sums[currency] for currency in sorted(sums)]
