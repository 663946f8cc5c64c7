"""The parts that a KPI's move is told in, and the exact arithmetic that makes them add up."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Self

from warehouse.kpis import KpiValue

_PLACES = 6  # of a published value
_UNIT = 10**_PLACES


@dataclass(frozen=True)
class PartText:
    """How a part is called before people, and which loans are in it."""

    title: str
    meaning: str


# In reading order; docs/changes.md says which rule comes first.
PARTS: Mapping[str, PartText] = {
    "new_delinquency": PartText("New delinquencies", "loans that became late enough to count"),
    "cure": PartText("Cures", "live loans that are no longer late enough to count"),
    "payment": PartText("Payments", "live loans that owe less, or more after a reversal"),
    "payoff": PartText("Payoffs", "loans paid off, or gone from a tape that leaves those out"),
    "write_off": PartText("Write-offs", "loans written off since"),
    "recovery": PartText("Recoveries", "written-off loans that paid, in part or whole"),
    "origination": PartText("Originations", "loans lent since"),
    "reopening": PartText("Reopened", "paid-off loans that are owed again"),
    "window": PartText("Passing of time", "loans that came into, or left, the dates it looks at"),
    "restatement": PartText("Restatements", "the earlier day as it is told now"),
}


@dataclass(frozen=True)
class MovedLoan:
    """One loan that moved a KPI; masked. Before and now are None where the book has no such loan.

    `principal` is live or written off; `amount` is the loan's share of the move.
    """

    loan: str | None
    principal_before: Decimal | None
    principal_now: Decimal | None
    days_past_due_before: int | None
    days_past_due_now: int | None
    amount: Decimal


@dataclass(frozen=True)
class Part:
    """One part of a KPI's move, in the KPI's unit, and the loans behind it.

    `numerator` and `denominator` are the moves of the two sums that make the KPI, and
    `by_denominator` is what the second one adds to the amount: a smaller book raises a ratio.
    """

    name: str
    amount: Decimal
    loans: int
    numerator: Decimal
    denominator: Decimal | None  # None, as the next one: the KPI has no denominator
    by_denominator: Decimal | None
    largest: tuple[MovedLoan, ...]

    @property
    def title(self) -> str:
        """How the part is called before people."""
        return PARTS[self.name].title

    @property
    def by_numerator(self) -> Decimal:
        """What the move of the numerator adds to the amount."""
        return self.amount - (self.by_denominator or 0)


@dataclass(frozen=True)
class Scale:
    """How the moves of numerator and denominator become a move of the KPI, exactly.

    Of a ratio N/D it is (dN - N0/D0 x dD) / D1, which adds up to N1/D1 - N0/D0 over all loans.
    """

    rate: Fraction  # N0/D0; 0 of a sum
    divisor: Fraction  # D1; 1 of a sum

    @classmethod
    def of(cls, before: KpiValue, now: KpiValue) -> Self:
        """Return the scale between two known values of one KPI."""
        return cls(
            rate=Fraction(0) if before.denominator is None else _exact_value(before),
            divisor=Fraction(1 if now.denominator is None else now.denominator),
        )

    def amount(self, numerator: Decimal | int, denominator: Decimal) -> Fraction:
        """Return the move of the KPI that these two moves make."""
        return (Fraction(numerator) - self.rate * Fraction(denominator)) / self.divisor


def is_sum_of_loans(kpi: KpiValue) -> bool:
    """Return whether a value is its numerator, or that over its denominator, as published."""
    if kpi.value is None or kpi.numerator is None or kpi.denominator == 0:
        return False
    return abs(Fraction(kpi.value) - _exact_value(kpi)) * _UNIT <= 1


def _exact_value(kpi: KpiValue) -> Fraction:
    over = Fraction(1 if kpi.denominator is None else kpi.denominator)
    return Fraction(kpi.numerator or 0) / over


def published(amount: Fraction) -> Decimal:
    """Return an amount with the decimals of a published value."""
    return Decimal(round(amount * _UNIT)).scaleb(-_PLACES)


def apportion(move: Decimal, exact: Mapping[str, Fraction]) -> dict[str, Decimal]:
    """Return the amounts as published, so that they add up to `move` (largest remainder).

    Both ends of a move are rounded, so it differs from the exact sum by less than one last digit:
    each amount is rounded down or up. Equal remainders go by the order of `exact`.
    """
    units = {name: floor(amount * _UNIT) for name, amount in exact.items()}
    left = int(move.scaleb(_PLACES)) - sum(units.values())
    nearest = sorted(exact, key=lambda name: units[name] - exact[name] * _UNIT)
    for name in nearest[:left] if left > 0 else nearest[left:] if left < 0 else ():
        units[name] += 1 if left > 0 else -1
    return {name: Decimal(count).scaleb(-_PLACES) for name, count in units.items()}
