"""Cash received by hand: over the live balance, over what was due, in days and in months."""

from decimal import Decimal

import pytest

from tests.warehouse.kpis.loans_by_hand import AS_OF, DAY_BEFORE, FIRST_DAY, late, on_time
from tests.warehouse.tape_builder import Tape


def test_collection_rate_is_daily_cash_over_the_mean_live_balance(value):
    tape = on_time(Tape(), payments=[("2025-12-12", 300, 30)])

    kpi = value(tape, AS_OF).kpis["collection_rate"]

    assert kpi.numerator == 330
    assert kpi.denominator == 15 * 1000 + 15 * 700  # 11-27..12-11, 12-12..12-26
    assert kpi.value == Decimal("0.012941")  # 330 / 30 / 850
    assert kpi.status == "warning"  # below 1.5 % a day, not below 1.0 %


@pytest.mark.parametrize(
    ("paid", "cash", "balance_days"),
    [
        (DAY_BEFORE, 0, 30 * 900),
        (FIRST_DAY, 100, 30 * 900),
        (AS_OF, 100, 29 * 1000 + 900),
        ("2025-12-27", 0, 30 * 1000),
    ],
)
def test_collection_rate_sees_30_days_and_both_of_their_ends(value, paid, cash, balance_days):
    kpi = value(on_time(Tape(), payments=[(paid, 100)]), AS_OF).kpis["collection_rate"]

    assert (kpi.numerator, kpi.denominator) == (cash, balance_days)


def test_the_cash_of_closed_and_of_written_off_loans_is_collected_too(value):
    tape = on_time(Tape())
    # live for 10 days; the 1 that stays unpaid is 0.5 %, no balance
    late(tape, "closed", 200, "2025-12-07", payments=[("2025-12-07", 199, 20)])
    late(tape, "written off", 400, "2025-05-01", payments=[("2025-12-07", 50)])  # 239 days late

    kpi = value(tape, AS_OF).kpis["collection_rate"]

    assert kpi.numerator == 269  # 199 + 20 + 50
    assert kpi.denominator == 30 * 1000 + 10 * 200


def test_a_loan_leaves_the_mean_balance_on_its_181st_day(value):
    tape = on_time(Tape())
    late(tape, "late", 100, "2025-06-20")  # 180 days late on 2025-12-17: 21 days live

    assert value(tape, AS_OF).kpis["collection_rate"].denominator == 30 * 1000 + 21 * 100


def test_no_cash_in_30_days_is_a_collection_rate_of_zero(healthy):
    kpi = healthy["collection_rate"]

    assert (kpi.value, kpi.status, kpi.reason) == (0, "critical", None)


def test_collection_rate_needs_30_days_of_ledger(value):
    tape = Tape().loan("L1", disbursed=FIRST_DAY, principal=100, due="2026-01-26")
    younger = Tape().loan("L1", disbursed="2025-11-28", principal=100, due="2026-01-26")

    assert value(tape, AS_OF).kpis["collection_rate"].value == 0
    kpi = value(younger, AS_OF).kpis["collection_rate"]
    assert (kpi.value, kpi.status) == (None, "unknown")
    assert kpi.reason == "the ledger is shorter than the window of the collection rate"


def test_collection_rate_of_a_paid_off_book_is_unknown(paid_off):
    kpi = paid_off["collection_rate"]

    assert (kpi.value, kpi.reason) == (None, "nothing was outstanding in the window")


def test_collection_efficiency_is_cash_received_over_cash_due(value):
    tape = on_time(Tape())
    late(tape, "not all", 100, [("2025-12-01", 100, 20)], payments=[("2025-12-05", 80, 10)])
    late(tape, "not paid", 180, "2025-12-10")

    kpi = value(tape, AS_OF).kpis["collection_efficiency_30d"]

    assert (kpi.numerator, kpi.denominator, kpi.value) == (90, 300, Decimal("0.3"))
    assert kpi.status == "critical"


@pytest.mark.parametrize(
    ("when", "cash"), [(DAY_BEFORE, 0), (FIRST_DAY, 70), (AS_OF, 70), ("2025-12-27", 0)]
)
def test_collection_efficiency_sees_30_days_of_either_cash(value, when, cash):
    tape = late(Tape(), "always in", 100, "2025-12-10", payments=[("2025-12-10", 100)])
    late(tape, "at the edge", 70, when, payments=[(when, 70)])

    kpi = value(tape, AS_OF).kpis["collection_efficiency_30d"]

    assert (kpi.numerator, kpi.denominator, kpi.value) == (100 + cash, 100 + cash, 1)


def test_collection_efficiency_is_above_one_when_arrears_come_in(value):
    tape = late(Tape(), "arrears", 300, "2025-10-01", payments=[("2025-12-01", 300)])
    late(tape, "due", 200, "2025-12-01")

    kpi = value(tape, AS_OF).kpis["collection_efficiency_30d"]

    assert (kpi.value, kpi.status) == (Decimal("1.5"), "ok")


def test_collection_efficiency_without_cash_is_zero(value):
    kpi = value(late(Tape(), "due", 200, "2025-12-01"), AS_OF).kpis["collection_efficiency_30d"]

    assert (kpi.value, kpi.numerator, kpi.denominator) == (0, 0, 200)


def test_collection_efficiency_is_unknown_when_nothing_was_due(healthy):
    kpi = healthy["collection_efficiency_30d"]

    assert (kpi.value, kpi.reason) == (None, "nothing was scheduled in the window")


def test_collection_efficiency_needs_30_days_of_ledger(value):
    tape = Tape().loan("L1", disbursed="2025-11-28", principal=100, due="2025-12-10")

    kpi = value(tape, AS_OF).kpis["collection_efficiency_30d"]

    assert (kpi.value, kpi.reason) == (None, "the ledger is shorter than the window")


@pytest.mark.parametrize(
    ("as_of", "due"),
    [
        ("2025-12-01", 8),
        (AS_OF, 8),  # November
        ("2025-12-30", 8),
        ("2025-12-31", 16),  # December is over
        ("2025-11-30", 8),
        ("2025-11-29", 4),  # October
        ("2025-03-01", 1),  # February
        ("2025-02-28", 1),
    ],
)
def test_collection_rate_month_is_of_the_last_month_that_is_over(value, as_of, due):
    tape = late(Tape(), "February", 1, "2025-02-28")
    late(tape, "October", 4, "2025-10-31")
    late(tape, "November", 8, "2025-11-01", payments=[("2025-11-30", 6)])
    late(tape, "December", 16, "2025-12-31")

    kpi = value(tape, as_of).kpis["collection_rate_month"]

    paid = 6 if due == 8 else 0
    assert (kpi.numerator, kpi.denominator) == (paid, due)
    assert kpi.value == Decimal(paid) / due


def test_collection_rate_month_needs_the_whole_month_of_ledger(value):
    whole = Tape().loan("L1", disbursed="2025-11-01", principal=100, due="2025-11-20")
    part = Tape().loan("L1", disbursed="2025-11-02", principal=100, due="2025-11-20")

    assert value(whole, AS_OF).kpis["collection_rate_month"].value == 0
    kpi = value(part, AS_OF).kpis["collection_rate_month"]
    assert (kpi.value, kpi.reason) == (None, "the ledger is shorter than the last completed month")


def test_collection_rate_month_is_unknown_when_nothing_was_due(healthy):
    kpi = healthy["collection_rate_month"]

    assert (kpi.value, kpi.reason) == (None, "nothing was scheduled in that month")
