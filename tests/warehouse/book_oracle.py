"""The book and its KPIs once more, in plain Python: day by day, loan by loan, no SQL, no spells.

Written from the definitions, not from the SQL, and slow on purpose: a differential oracle.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from math import floor

ZERO = Decimal(0)
DAY = timedelta(days=1)


@dataclass(frozen=True, order=True)
class Cash:
    """Money that was due or paid on one day."""

    on: date
    principal: Decimal = ZERO
    interest: Decimal = ZERO
    fees: Decimal = ZERO
    other: Decimal = ZERO
    tax: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        return self.principal + self.interest + self.fees + self.other + self.tax


@dataclass(frozen=True)
class Loan:
    """What was lent, what was promised, and what came."""

    loan_id: str
    customer_id: str
    disbursed: date
    principal: Decimal
    due: tuple[Cash, ...]
    payments: tuple[Cash, ...]

    def event_days(self) -> Iterator[date]:
        yield self.disbursed
        yield from (paid.on for paid in self.payments)


@dataclass(frozen=True)
class Stand:
    """One loan at the end of one day."""

    residual: Decimal
    is_closed: bool
    days_past_due: int

    @property
    def is_written_off(self) -> bool:
        return self.days_past_due > 180

    @property
    def live(self) -> Decimal:
        return ZERO if self.is_closed or self.is_written_off else self.residual

    @property
    def written_off(self) -> Decimal:
        return self.residual if self.is_written_off else ZERO


@dataclass(frozen=True)
class Ratio:
    """A KPI as two sums; `value` is None when it cannot be known."""

    numerator: Decimal | Fraction
    denominator: Decimal | Fraction | None = None
    is_known: bool = True

    @property
    def value(self) -> Fraction | None:
        if not self.is_known or self.denominator == 0:
            return None
        divisor = 1 if self.denominator is None else self.denominator
        return Fraction(self.numerator) / Fraction(divisor)


def stand_on(loan: Loan, day: date) -> Stand:
    """Return where a loan stands at the end of `day`, which is not before its disbursement."""
    paid = [payment for payment in loan.payments if payment.on <= day]
    residual = loan.principal - sum((payment.principal for payment in paid), ZERO)
    is_closed = residual * 100 < loan.principal
    cash, promised = sum((payment.total for payment in paid), ZERO), ZERO
    for due in sorted(loan.due):
        promised += due.total
        if promised > cash:
            late = max((day - due.on).days, 0)
            return Stand(residual, is_closed, 0 if is_closed else late)
    return Stand(residual, is_closed, 0)


def book_on(loans: Sequence[Loan], day: date) -> dict[str, Stand]:
    """Return every loan lent by `day`."""
    return {loan.loan_id: stand_on(loan, day) for loan in loans if loan.disbursed <= day}


def kpis_on(loans: Sequence[Loan], as_of: date) -> Mapping[str, Ratio]:
    """Return every KPI of the book but data_quality_score, which is of the tape."""
    book = book_on(loans, as_of)
    live = sum((stand.live for stand in book.values()), ZERO)
    lent = [loan for loan in loans if loan.disbursed <= as_of]
    active = [loan for loan in lent if book[loan.loan_id].live > 0]
    window = as_of - 29 * DAY
    counted = {
        "outstanding": live,
        "written_off": sum((stand.written_off for stand in book.values()), ZERO),
        "active_loans": Decimal(len(active)),
        "active_clients": Decimal(len({loan.customer_id for loan in active})),
        "originations": sum((loan.principal for loan in lent if loan.disbursed >= window), ZERO),
    }
    kpis = {name: Ratio(number, is_known=bool(lent)) for name, number in counted.items()}
    for days in (7, 30, 60, 90):
        late = (stand.live for stand in book.values() if stand.days_past_due >= days)
        kpis[f"par_{days}"] = Ratio(sum(late, ZERO), live)
    kpis["collection_rate"] = _collection_rate(loans, as_of)
    kpis["collection_efficiency_30d"] = _received_over_due(loans, window, as_of)
    kpis["collection_rate_month"] = _received_over_due(loans, *_last_whole_month(as_of))
    kpis["rdr_90"] = _recovered(loans, as_of)
    kpis["rdr90_12m_books"] = _defaulted_year_old_books(lent, book, as_of)
    kpis["portfolio_health"] = _health(kpis)
    return kpis


def _days(first: date, last: date) -> Iterator[date]:
    return (first + n * DAY for n in range((last - first).days + 1))


def _received(loans: Sequence[Loan], first: date, last: date) -> Decimal:
    paid = (payment for loan in loans for payment in loan.payments)
    return sum((payment.total for payment in paid if first <= payment.on <= last), ZERO)


def _is_ledger_long(loans: Sequence[Loan], first: date) -> bool:
    return min(loan.disbursed for loan in loans) <= first


def _collection_rate(loans: Sequence[Loan], as_of: date) -> Ratio:
    first = as_of - 29 * DAY
    balances = sum(
        (stand.live for day in _days(first, as_of) for stand in book_on(loans, day).values()), ZERO
    )
    return Ratio(_received(loans, first, as_of), balances, _is_ledger_long(loans, first))


def _received_over_due(loans: Sequence[Loan], first: date, last: date) -> Ratio:
    lent = (loan for loan in loans if loan.disbursed <= last)
    due = (due.total for loan in lent for due in loan.due if first <= due.on <= last)
    return Ratio(_received(loans, first, last), sum(due, ZERO), _is_ledger_long(loans, first))


def _last_whole_month(as_of: date) -> tuple[date, date]:
    end = as_of if (as_of + DAY).day == 1 else as_of.replace(day=1) - DAY
    return end.replace(day=1), end


def _recovered(loans: Sequence[Loan], as_of: date) -> Ratio:
    first, last = as_of - 454 * DAY, as_of - 90 * DAY
    recovered, defaulted, events = ZERO, ZERO, 0
    for loan in loans:
        reached = (d for d in _days(loan.disbursed, last) if stand_on(loan, d).days_past_due >= 90)
        event = next(reached, None)
        if event is not None and event >= first:
            later = (p.principal for p in loan.payments if event < p.on <= as_of)
            recovered += sum(later, ZERO)
            defaulted += stand_on(loan, event).residual
            events += 1
    return Ratio(recovered, defaulted, events >= 5)


def _defaulted_year_old_books(
    lent: Sequence[Loan], book: Mapping[str, Stand], as_of: date
) -> Ratio:
    old = [loan for loan in lent if _month_number(loan.disbursed) <= _month_number(as_of) - 12]
    bad = (book[loan.loan_id].residual for loan in old if book[loan.loan_id].days_past_due >= 90)
    return Ratio(sum(bad, ZERO), sum((loan.principal for loan in old), ZERO))


def _month_number(day: date) -> int:
    return 12 * day.year + day.month


HEALTH = {  # weight, and where the score is 10 (ideal), 5 (warning line), 3 (critical), 0 (floor)
    "par_90": ("0.5", ("0", "0.03", "0.05", "0.10")),
    "collection_rate": ("0.3", ("0.025", "0.015", "0.010", "0")),
    "rdr_90": ("0.2", ("1", "0.50", "0.25", "0")),
}


def _health(kpis: Mapping[str, Ratio]) -> Ratio:
    points, weights, is_known = Fraction(0), Fraction(0), True
    for name, (weight, lines) in HEALTH.items():
        value = kpis[name].value
        if value is not None:  # as published: whoever reads the three can work out the fourth
            marks = [Fraction(line) for line in lines]
            points += Fraction(weight) * score(to_six_places(value), marks)
            weights += Fraction(weight)
        elif name != "rdr_90":
            is_known = False
    return Ratio(points, weights, is_known)


def to_six_places(value: Fraction) -> Fraction:
    """Return the nearest millionth, the upper one of two equally near."""
    return Fraction(floor(value * 10**6 + Fraction(1, 2)), 10**6)


def score(value: Fraction, lines: Sequence[Fraction]) -> Fraction:
    """Return 10..0, straight between the ideal, the warning, the critical and the floor line."""
    marks = sorted(zip(lines, (10, 5, 3, 0), strict=True))
    if value <= marks[0][0]:
        return Fraction(marks[0][1])
    for (low, at_low), (high, at_high) in pairwise(marks):
        if value <= high:
            return at_low + (value - low) / (high - low) * (at_high - at_low)
    return Fraction(marks[-1][1])
