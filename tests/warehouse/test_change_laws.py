"""The parts of a move sum to it, to the last digit, whatever happened between the two runs."""

import tempfile
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.warehouse.tape_builder import Tape
from tests.warehouse.test_laws import AS_OF, has_snapshots, later_loans, later_payments, law, tapes
from tests.warehouse.two_books import TOLD_IN_PARTS, Row, moved, told_run
from tests.warehouse.valued_tape import settings_for
from warehouse.change import changes_between
from warehouse.masking import mask_id

NAMES = {kpi.name for kpi in TOLD_IN_PARTS}
ALWAYS_KNOWN = {"outstanding", "active_loans", "written_off", "originations"}
EVERY_LOAN = 1000


def check(changes):
    """Check each KPI that has parts; return the names of those whose move is known."""
    told = [change for change in changes if change.kpi in NAMES and change.move is not None]
    for change in told:
        assert change.reason is None, change
        assert sum(part.amount for part in change.parts) == change.move, change
        assert summed(change, "numerator") == change.now.numerator - change.before.numerator
        if change.now.denominator is not None:
            moved_by = change.now.denominator - change.before.denominator
            assert summed(change, "denominator") == moved_by, change
        for part in change.parts:
            check_loans(part)
    return {change.kpi for change in told}


def summed(change, name):
    return sum(getattr(part, name) for part in change.parts)


def check_loans(part):
    assert len({loan.loan for loan in part.largest}) == len(part.largest) == part.loans > 0
    moves = [abs(loan.amount) for loan in part.largest]
    assert moves == sorted(moves, reverse=True), part
    # each loan and the part are rounded by half a digit, the part's remainder by one
    rounding = Fraction(len(moves) + 2, 2 * 10**6)
    shares = sum(loan.amount for loan in part.largest)
    assert abs(Fraction(part.amount - shares)) <= rounding, part


def retold(loan, later, forgotten):
    """Return a loan as another tape tells it: with later payments, without one of the past."""
    paid = loan.payments[1:] if forgotten else loan.payments
    return replace(loan, payments=tuple(sorted((*paid, *later))))


@st.composite
def two_tapes(draw):
    """Draw a tape and a later one, which grew, and tells some of the past otherwise."""
    first = draw(tapes(last=AS_OF))
    kept = draw(st.lists(st.sampled_from(first.loans), unique=True, min_size=6))
    more = [(draw(later_payments(loan.principal)), draw(st.booleans())) for loan in kept]
    loans = [retold(loan, *told) for loan, told in zip(kept, more, strict=True)]
    return first, Tape([*loans, *draw(later_loans())])


def check_a_ledger(drawn, days, later):
    first, second = drawn
    assume(has_snapshots(first) and has_snapshots(second))
    now = AS_OF + timedelta(days=later)

    with tempfile.TemporaryDirectory() as root:
        settings = settings_for(Path(root))
        before = told_run(first, now - timedelta(days=days), Path(root) / "1", settings)
        after = told_run(second, now, Path(root) / "2", settings)
        changes = changes_between(after, before, settings, Path(root) / "spill", EVERY_LOAN)

    assert check(changes) >= ALWAYS_KNOWN


a_ledger = given(two_tapes(), st.integers(1, 400), st.integers(0, 25))


@law(8)
@a_ledger
def test_the_parts_of_a_ledger_sum_to_the_move(drawn, days, later):
    check_a_ledger(drawn, days, later)


@pytest.mark.soak
@law(300)
@a_ledger
def test_the_parts_of_many_ledgers_sum_to_the_move(drawn, days, later):
    check_a_ledger(drawn, days, later)


LENT = [date(2024, 11, 30), date(2024, 12, 1), date(2025, 11, 27)]  # of an old book, of the window


@st.composite
def rows(draw, loan_id):
    """Draw a loan of a book that no ledger restrains."""
    owed = st.integers(0, 50_000).map(lambda cents: cents / 100)
    return Row(
        loan_id,
        live=draw(owed),
        late=draw(st.sampled_from([0, 6, 7, 29, 30, 59, 60, 89, 90, 180])),
        lost=draw(st.none() | owed),
        disbursed=draw(st.sampled_from(LENT)),
        principal=draw(st.sampled_from([500, 999.99])),
    )


def books():
    """Draw a book of some of the same loans."""
    loans = [st.none() | rows(f"L{number}") for number in range(12)]
    return st.tuples(rows("BASE"), *loans).map(lambda drawn: [row for row in drawn if row])


DAYS = [(date(2025, 12, 26), date(2025, 12, 27)), (date(2025, 11, 30), date(2025, 12, 31))]


def check_two_books(before, now, days):
    with tempfile.TemporaryDirectory() as root:
        settings = settings_for(Path(root) / "root")
        changes = moved(before, now, Path(root), settings, days)

    assert check(changes.values()) >= ALWAYS_KNOWN
    for kpi, owed in {"outstanding": of_live, "written_off": of_lost}.items():
        told = Counter()
        for part in changes[kpi].parts:
            told.update({loan.loan: loan.amount for loan in part.largest})
        expected = Counter(owed(now, settings))
        expected.subtract(owed(before, settings))
        assert told == {loan: amount for loan, amount in expected.items() if amount}, kpi


def of_live(book, settings):
    """Return what each loan adds to what is outstanding, by its masked name."""
    return {mask(row, settings): Decimal(str(row.live)) for row in book}


def of_lost(book, settings):
    return {mask(row, settings): Decimal(str(row.lost or 0)) for row in book}


def mask(row, settings):
    return mask_id(settings.pii_key_bytes(), row.loan_id)


two_books = given(books(), books(), st.sampled_from(DAYS))


@law(20)
@two_books
def test_the_parts_of_two_books_without_a_ledger_sum_to_the_move_of_each_loan(before, now, days):
    check_two_books(before, now, days)


@pytest.mark.soak
@law(1000)
@two_books
def test_the_parts_of_many_books_sum_to_the_move_of_each_loan(before, now, days):
    check_two_books(before, now, days)
