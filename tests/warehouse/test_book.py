"""The book on a day, with figures worked out by hand on loans small enough to read."""

from datetime import date
from decimal import Decimal

import pytest

from tests.warehouse.tape_builder import Tape

AS_OF = "2025-12-26"
# 300 lent in three instalments of 100 and 10 interest: 110, 220, 330 cash in all.
THREE_DUE = [("2025-09-30", 100, 10), ("2025-10-31", 100, 10), ("2025-11-30", 100, 10)]


def three_instalments(*payments):
    return Tape().loan(
        "L1", disbursed="2025-08-31", principal=300, due=THREE_DUE, payments=payments
    )


def test_a_loan_is_live_up_to_its_180th_day_and_written_off_from_the_next(value):
    due_dates = {
        89: "2025-09-28",
        90: "2025-09-27",
        91: "2025-09-26",
        179: "2025-06-30",
        180: "2025-06-29",
        181: "2025-06-28",
    }
    tape = Tape()
    for days, due in due_dates.items():
        tape.loan(f"late {days}", disbursed="2025-05-01", principal=100, due=due)

    book = value(tape, AS_OF).book

    assert {days: book[f"late {days}"].days_past_due for days in due_dates} == {
        days: days for days in due_dates
    }
    assert {name for name, row in book.items() if row.is_written_off} == {"late 181"}
    assert (book["late 180"].live, book["late 180"].written_off) == (100, 0)
    assert (book["late 181"].live, book["late 181"].written_off) == (0, 100)


@pytest.mark.parametrize(("due", "days"), [("2025-12-27", 0), (AS_OF, 0), ("2025-12-25", 1)])
def test_a_loan_is_late_from_the_day_after_it_was_due(value, due, days):
    tape = Tape().loan("L1", disbursed="2025-12-01", principal=100, due=due)

    assert value(tape, AS_OF).book["L1"].days_past_due == days


@pytest.mark.parametrize(
    ("paid", "residual", "is_closed", "days", "live"),
    [
        ("990.10", "9.90", True, 0, "0"),  # 0.99 % of 1000 left
        ("990.00", "10.00", False, 86, "10.00"),  # 1 %: not less than 1 %
        ("989.90", "10.10", False, 86, "10.10"),  # 1.01 %
    ],
)
def test_a_loan_is_closed_below_one_percent_of_its_principal(
    value, paid, residual, is_closed, days, live
):
    tape = Tape().loan(
        "L1",
        disbursed="2025-08-01",
        principal=1000,
        due="2025-10-01",  # 30 + 30 + 26 = 86 days before
        payments=[("2025-10-01", paid)],
    )

    row = value(tape, AS_OF).book["L1"]

    assert (row.residual, row.is_closed) == (Decimal(residual), is_closed)
    assert (row.days_past_due, row.live, row.written_off) == (days, Decimal(live), 0)


def test_a_closed_loan_is_never_written_off_however_old_its_cents(value):
    tape = Tape().loan(
        "L1",
        disbursed="2025-01-01",
        principal=1000,
        due=[("2025-02-01", 1000, 50)],  # 328 days before, its interest never paid
        payments=[("2025-02-01", "999.50")],
    )

    row = value(tape, AS_OF).book["L1"]

    assert (row.is_closed, row.is_written_off) == (True, False)
    assert (row.live, row.written_off, row.days_past_due) == (0, 0, 0)


@pytest.mark.parametrize(
    ("cash", "days"),
    [
        ("0", 87),  # since 2025-09-30: 31 + 30 + 26
        ("109.99", 87),  # a cent short of the first instalment
        ("110", 56),  # the first is covered; since 2025-10-31: 30 + 26
        ("150", 56),
        ("219.99", 56),
        ("220", 26),  # since 2025-11-30
        ("329.99", 26),
        ("330", 0),
    ],
)
def test_days_past_due_run_from_the_oldest_instalment_not_wholly_covered(value, cash, days):
    paid_as_interest = ("2025-10-15", 0, cash)  # total cash counts, whatever it is called

    row = value(three_instalments(paid_as_interest), AS_OF).book["L1"]

    assert (row.days_past_due, row.residual) == (days, 300)


def test_interest_fees_other_and_tax_are_due_like_principal(value):
    tape = Tape().loan(
        "L1",
        disbursed="2025-11-01",
        principal=100,
        due=[("2025-12-01", 100, 4, 3, 2, 1)],  # 110 in all
        payments=[("2025-12-01", 90, 4, 3, 2, "0.99")],  # 99.99
    )
    tape.loan(
        "L2",
        disbursed="2025-11-01",
        principal=100,
        due=[("2025-12-01", 100, 4, 3, 2, 1)],
        payments=[("2025-12-01", 90, 14, 3, 2, 1)],  # 110
    )

    book = value(tape, AS_OF).book

    assert (book["L1"].days_past_due, book["L1"].live) == (25, 10)
    assert (book["L2"].days_past_due, book["L2"].live) == (0, 10)


def test_a_prepayment_covers_the_instalments_to_come(value):
    tape = three_instalments(("2025-09-05", 200, 20))

    before = value(tape, "2025-11-30").book["L1"]  # the third is due today
    after = value(tape, "2025-12-01").book["L1"]

    assert (before.residual, before.days_past_due) == (100, 0)
    assert (after.residual, after.days_past_due) == (100, 1)


def test_a_loan_whose_principal_is_prepaid_is_closed_whatever_interest_stays_due(value):
    row = value(three_instalments(("2025-09-05", 300)), AS_OF).book["L1"]

    assert (row.residual, row.is_closed, row.days_past_due) == (0, True, 0)


def test_a_reclassification_lowers_the_principal_and_not_the_days_past_due(value):
    zero_cash = ("2025-10-20", 50, "-43.48", 0, 0, "-6.52")

    row = value(three_instalments(("2025-10-15", 100, 10), zero_cash), AS_OF).book["L1"]

    assert row.residual == 150  # 300 - 100 - 50
    assert row.days_past_due == 56  # 110 + 0 cash: since 2025-10-31 as without it


def test_a_reclassification_can_close_a_loan(value):
    tape = Tape().loan(
        "L1",
        disbursed="2025-08-01",
        principal=1000,
        due=[("2025-10-01", 1000, 40)],  # 1040
        payments=[("2025-10-01", 960, 40), ("2025-10-02", 40, -40)],  # 1000 cash, 1000 principal
    )

    assert value(tape, "2025-10-01").book["L1"].live == 40
    assert value(tape, "2025-10-02").book["L1"].is_closed


def test_two_payments_on_one_day_add_up(value):
    row = value(three_instalments(("2025-10-15", 50, 5), ("2025-10-15", 50, 5)), AS_OF).book["L1"]

    assert (row.residual, row.days_past_due) == (200, 56)


def test_two_equal_payments_are_two_payments(value):
    tape = three_instalments(("2025-10-15", 55), ("2025-10-15", 55))

    assert value(tape, AS_OF).book["L1"].residual == 190


@pytest.mark.parametrize(
    ("cash", "days"),
    [
        (90, 86),  # the first instalment (100) is open: since 2025-10-01, 30 + 30 + 26
        (99, 86),  # although 80 are due by 2025-11-01
        (100, 25),  # the first two are covered; since 2025-12-01
    ],
)
def test_an_instalment_below_zero_neither_hides_nor_makes_arrears(value, cash, days):
    tape = Tape().loan(
        "L1",
        disbursed="2025-09-01",
        principal=180,
        due=[("2025-10-01", 100), ("2025-11-01", -20), ("2025-12-01", 100)],
        payments=[("2025-09-15", 0, cash)],
    )

    assert value(tape, AS_OF).book["L1"].days_past_due == days


def test_a_reversed_payment_is_due_again(value):
    tape = three_instalments(("2025-10-15", 200, 20), ("2025-12-20", -100, -10))

    assert value(tape, "2025-12-19").book["L1"].days_past_due == 19  # since 2025-11-30
    assert value(tape, "2025-12-20").book["L1"].days_past_due == 50  # since 2025-10-31
    assert value(tape, "2025-12-20").book["L1"].residual == 200


def test_a_payment_on_the_day_of_disbursement_counts(value):
    tape = Tape().loan(
        "L1",
        disbursed="2025-12-26",
        principal=100,
        due="2026-01-26",
        payments=[("2025-12-26", 30)],
    )

    assert value(tape, AS_OF).book["L1"].live == 70


def test_a_loan_is_in_the_book_from_the_day_it_is_disbursed(value):
    tape = Tape().loan("L1", disbursed="2025-12-26", principal=100, due="2026-01-26")

    assert value(tape, "2025-12-25").book == {}
    assert value(tape, AS_OF).book["L1"].live == 100


def test_what_is_paid_after_the_day_is_not_seen_on_it(value):
    tape = three_instalments(("2025-12-26", 10), ("2025-12-27", 290, 30))

    today = value(tape, AS_OF).book["L1"]
    tomorrow = value(tape, "2025-12-27").book["L1"]

    assert (today.residual, today.days_past_due) == (290, 87)
    assert tomorrow.is_closed


def test_the_history_of_the_book_ends_with_the_day(value):
    tape = three_instalments(("2025-12-24", 10), ("2025-12-27", 290, 30))
    tape.loan("L2", disbursed="2025-12-28", principal=100, due="2026-01-28")

    assert value(tape, AS_OF).history_until == date(2025, 12, 24)


def test_a_snapshot_is_of_its_label_and_the_last_one_of_the_last_ledger_day(value):
    tape = Tape().loan("L1", disbursed="2025-10-20", principal=100, due="2026-01-20")
    tape.loan(
        "L2",
        disbursed="2025-10-20",
        principal=100,
        due="2026-01-20",
        payments=[("2025-12-10", 40)],
    )

    snapshots = value(tape, AS_OF).snapshots

    assert {label: as_of for (loan, label), as_of in snapshots.items() if loan == "L2"} == {
        date(2025, 10, 31): date(2025, 10, 31),
        date(2025, 11, 30): date(2025, 11, 30),
        date(2025, 12, 31): date(2025, 12, 10),
    }


def test_snapshots_up_to_the_day_are_reconciled_and_later_ones_are_not_looked_at(value):
    tape = three_instalments(("2025-10-15", 55), ("2025-11-10", 55))  # labels 08-31, ..., 11-30

    reconciled = value(tape, "2025-10-31").reconciliation

    assert reconciled.line() == "reconciled: 3 of 3 snapshot rows"  # 08-31, 09-30, 10-31
