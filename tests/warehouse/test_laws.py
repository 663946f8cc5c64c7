"""Laws that hold for every tape, tried on random ones against an oracle without SQL."""

import tempfile
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.warehouse.book_oracle import Cash, Loan, book_on, kpis_on
from tests.warehouse.tape_builder import Tape, write_tables
from tests.warehouse.valued_tape import BookRow, settings_for, value_csvs, value_past
from warehouse.quality import Reconciliation
from warehouse.synthetic import SYNTHETIC_AS_OF, write_tape

AS_OF = date(2025, 12, 26)
OLD_LOANS = (date(2024, 6, 1), date(2025, 6, 30))
NEW_LOANS = date(2025, 10, 1)
LAST_EVENT = date(2026, 1, 20)
MILLIONTH = Fraction(1, 10**6)


def law(examples):
    """Try a law on so many tapes; there is no deadline, the machine may be busy."""
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=examples, deadline=None, suppress_health_check=checks)


def cents(low, high):
    return st.integers(low * 100, high * 100).map(lambda number: Decimal(number) / 100)


@st.composite
def loans(draw, loan_id, first, last=LAST_EVENT):
    """Draw a loan: instalments may be below 0, payments too, many at once, or for other parts."""
    disbursed = draw(st.dates(*first))
    principal = draw(st.sampled_from([Decimal(100), Decimal("999.99")]) | cents(1, 500))
    offsets = draw(st.lists(st.integers(1, 90), min_size=1, max_size=3, unique=True))
    parts = [draw(cents(-20, 200)) for _ in offsets[1:]]
    parts.append(principal - sum(parts))
    due = (
        Cash(disbursed + timedelta(days=offset), part, draw(cents(0, 9)))
        for offset, part in zip(sorted(offsets), parts, strict=True)
    )
    paid = draw(st.just([]) | st.lists(payments(disbursed, principal, last), max_size=4))
    customer = f"CLI{draw(st.integers(1, 3))}"
    return Loan(loan_id, customer, disbursed, principal, tuple(due), tuple(sorted(paid)))


def payments(disbursed, principal, last):
    """Draw what borrowers do: pay all, a part, nothing for months, reclassify, reverse."""
    share = st.sampled_from(["1", "0.995", "0.99", "0.5", "0.1", "0", "-0.1"])
    return st.builds(
        lambda offset, part, interest, tax: Cash(
            on=min(disbursed + timedelta(days=offset), last),
            principal=(principal * Decimal(part)).quantize(Decimal("0.01")),
            interest=interest,
            tax=tax,
        ),
        st.integers(0, 60) | st.integers(0, 500),
        share,
        cents(-20, 20),
        cents(0, 1),
    )


def later_payments(principal):
    """Draw what an export some weeks later tells of a loan."""
    amounts = [principal, Decimal("0.01"), Decimal(-5)]
    days = st.dates(AS_OF + timedelta(days=1), LAST_EVENT)
    paid = st.builds(Cash, days, st.sampled_from(amounts), cents(-5, 5))
    return st.lists(paid, max_size=2).map(tuple)


def later_loans():
    """Draw the loans that such an export has besides."""
    days = (AS_OF + timedelta(days=1), LAST_EVENT)
    return st.tuples(*(loans(f"later {number}", days) for number in range(2)))


def tapes(last=LAST_EVENT):
    """Draw a tape of old loans, enough of them late for an RDR_90, and of new ones."""
    old = [loans(f"old {number}", OLD_LOANS, last) for number in range(8)]
    new = [loans(f"new {number}", (NEW_LOANS, last), last) for number in range(4)]
    return st.tuples(*old, *new).map(lambda drawn: Tape(list(drawn)))


def valued(tape, days, order=None):
    """Value a tape in a folder of its own: hypothesis calls a test often, tmp_path is made once."""
    tables = tape.tables()
    with tempfile.TemporaryDirectory() as root:
        for rows in tables.values() if order else ():
            order.shuffle(rows)
        folder = write_tables(tables, Path(root) / "tape")
        return value_csvs(folder, days, settings_for(Path(root)))


def has_snapshots(tape):
    return bool(tape.tables()["loan_par_balances"])  # an export without any is refused as empty


def values(found):
    """Return the KPIs of the book: data_quality_score is of the tape as a whole."""
    return {name: kpi for name, kpi in found.kpis.items() if name != "data_quality_score"}


@law(15)
@given(tapes(), st.dates(date(2025, 9, 1), date(2025, 12, 31)))
def test_the_book_and_every_kpi_are_those_of_the_oracle(tape, day):
    assume(has_snapshots(tape))
    days = (AS_OF, day)

    for as_of, found in zip(days, valued(tape, days), strict=True):
        book = book_on(tape.loans, as_of)
        assert found.book == {name: BookRow(*told(stand)) for name, stand in book.items()}
        for name, expected in kpis_on(tape.loans, as_of).items():
            agree(found.kpis[name], expected)


def told(stand):
    return (
        stand.residual,
        stand.is_closed,
        stand.days_past_due,
        stand.is_written_off,
        stand.live,
        stand.written_off,
    )


def agree(kpi, expected):
    if expected.value is None:
        assert (kpi.value, kpi.status) == (None, "unknown"), kpi
        assert kpi.reason, kpi
        return
    # half a millionth is rounding; the scores of health are rounded before they are added
    near = 2 * MILLIONTH if kpi.name == "portfolio_health" else MILLIONTH * Fraction("0.500001")
    assert kpi.value is not None, kpi
    assert abs(Fraction(kpi.value) - expected.value) <= near, (kpi, float(expected.value))
    if kpi.name != "portfolio_health":
        assert (kpi.numerator, kpi.denominator) == (expected.numerator, expected.denominator), kpi


@law(8)
@given(tapes(last=AS_OF), later_loans(), st.data())
def test_a_later_export_changes_nothing_that_was_said_of_an_earlier_day(tape, later, data):
    assume(has_snapshots(tape))
    grown = [
        replace(loan, payments=loan.payments + data.draw(later_payments(loan.principal)))
        for loan in tape.loans
    ]

    [before] = valued(tape, (AS_OF,))
    [after] = valued(Tape([*grown, *later]), (AS_OF,))  # with its own statuses and snapshots

    assert after.book == before.book
    assert values(after) == values(before)


def cut(tape, day):
    """Return the tape as it was on that day: what was not yet lent or paid is not in it."""
    born = [loan for loan in tape.loans if loan.disbursed <= day]
    return Tape(
        [replace(loan, payments=tuple(p for p in loan.payments if p.on <= day)) for loan in born]
    )


@law(8)
@given(tapes(), st.dates(date(2025, 7, 1), AS_OF))
def test_a_backfilled_day_is_the_day_of_the_tape_that_was_cut_there(tape, day):
    then = cut(tape, day)
    assume(has_snapshots(tape) and has_snapshots(then))

    with tempfile.TemporaryDirectory() as root:
        folder = tape.write(Path(root) / "tape")
        [past] = value_past(folder, LAST_EVENT, (day,), settings_for(Path(root)))
    [told] = valued(then, (day,))

    assert {name: kpi for name, kpi in past.items() if name != "data_quality_score"} == values(told)


NO_LOAN_YET = date(2024, 5, 31)


@law(5)
@given(tapes(), st.lists(st.dates(OLD_LOANS[0], LAST_EVENT), min_size=1, max_size=4, unique=True))
def test_days_that_are_asked_at_once_say_what_each_says_alone(tape, days):
    assume(has_snapshots(tape))
    asked = (NO_LOAN_YET, *days)

    with tempfile.TemporaryDirectory() as root:
        folder = tape.write(Path(root) / "tape")
        at_once = value_past(folder, LAST_EVENT, asked, settings_for(Path(root)))
    alone = [{**values(told)} for told in valued(tape, (*asked, LAST_EVENT))]

    for past in at_once:
        del past["data_quality_score"]
    assert at_once == alone[:-1]


@law(6)
@given(tapes())
def test_a_tape_with_true_snapshots_is_wholly_reconciled(tape):
    assume(has_snapshots(tape))

    early, late = valued(tape, (AS_OF, LAST_EVENT))

    assert early.reconciliation.matched == early.reconciliation.compared
    rows = len(tape.tables()["loan_par_balances"])
    assert late.reconciliation == Reconciliation(matched=rows, compared=rows)


@law(6)
@given(tapes())
def test_par_is_nested_over_one_and_the_same_book(tape):
    assume(has_snapshots(tape))

    [found] = valued(tape, (AS_OF,))

    par = [found.kpis[f"par_{days}"] for days in (7, 30, 60, 90)]
    late = [kpi.numerator for kpi in par]
    assert late == sorted(late, reverse=True)
    assert {kpi.denominator for kpi in par} == {found.kpis["outstanding"].value}
    assert all(kpi.value is None or 0 <= kpi.value <= 1 for kpi in par)


@law(6)
@given(tapes(), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing_to_the_last_digit(tape, order):
    assume(has_snapshots(tape))

    [plain] = valued(tape, (AS_OF,))
    [shuffled] = valued(tape, (AS_OF,), order)

    assert shuffled == plain


@pytest.fixture(scope="module")
def many_loans(tmp_path_factory):
    """Return a tape large enough for several threads: over 122,880 rows in its ledger."""
    return write_tape(tmp_path_factory.mktemp("many") / "tape", 60_000).folder


@pytest.mark.slow
def test_the_number_of_threads_changes_nothing_to_the_last_digit(many_loans):
    one, two, four = (
        value_csvs(
            many_loans,
            (SYNTHETIC_AS_OF,),
            settings_for(many_loans.parent, TAPEWATCH_ENGINE__THREADS=threads),
        )
        for threads in ("1", "2", "4")
    )

    assert one == two == four
    assert one[0].kpis["rdr_90"].value is not None
