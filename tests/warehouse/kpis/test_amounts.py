"""Amounts and counts by hand, and what an empty or a paid-off book says."""

from decimal import Decimal

import pytest

from tests.warehouse.kpis.loans_by_hand import AS_OF, DAY_BEFORE, FIRST_DAY, late, on_time
from tests.warehouse.tape_builder import Tape

COUNTED = ["outstanding", "written_off", "active_loans", "active_clients", "originations"]


def test_the_book_is_counted_by_hand(value):
    tape = on_time(Tape(), "L1", 1000, payments=[("2025-12-01", "250.50")], customer="CLI1")
    on_time(tape, "L2", 100, customer="CLI1")
    late(tape, "L3", 200, "2025-12-01", customer="CLI2")
    late(tape, "L4", 400, "2025-06-28", payments=[("2025-07-01", 90)], customer="CLI3")  # 181 days
    late(tape, "L5", 800, "2025-12-01", payments=[("2025-12-01", 800)], customer="CLI4")  # closed

    kpis = value(tape, AS_OF).kpis

    assert {name: kpis[name].value for name in COUNTED} == {
        "outstanding": Decimal("1049.50"),  # 749.50 + 100 + 200
        "written_off": 310,  # 400 - 90
        "active_loans": 3,  # L1, L2, L3
        "active_clients": 2,  # CLI1, CLI2
        "originations": 0,
    }
    assert all(kpis[name].denominator is None for name in COUNTED)


@pytest.mark.parametrize(
    ("disbursed", "lent"), [(DAY_BEFORE, 0), (FIRST_DAY, 500), (AS_OF, 500), ("2025-12-27", 0)]
)
def test_originations_are_those_of_30_days(value, disbursed, lent):
    tape = on_time(Tape())
    tape.loan("new", disbursed=disbursed, principal=500, due="2026-02-01")

    assert value(tape, AS_OF).kpis["originations"].value == lent


def test_a_loan_lent_and_paid_back_within_the_window_was_originated(value):
    tape = on_time(Tape())
    tape.loan(
        "short",
        disbursed="2025-12-01",
        principal=500,
        due="2025-12-10",
        payments=[("2025-12-10", 500)],
    )

    assert value(tape, AS_OF).kpis["originations"].value == 500


@pytest.mark.parametrize("name", COUNTED)
def test_a_paid_off_book_counts_zero(paid_off, name):
    assert (paid_off[name].value, paid_off[name].reason) == (0, None)


@pytest.mark.parametrize("name", COUNTED)
def test_an_empty_book_is_unknown_and_not_zero(empty, name):
    kpi = empty[name]

    assert (kpi.value, kpi.status, kpi.reason) == (None, "unknown", "the book is empty")
    assert kpi.numerator is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("par_90", "nothing is outstanding"),
        ("collection_rate", "the ledger is shorter than the window of the collection rate"),
        ("collection_efficiency_30d", "the ledger is shorter than the window"),
        ("collection_rate_month", "the ledger is shorter than the last completed month"),
        ("rdr_90", "only 0 default events, at least 5 are needed"),
        ("rdr90_12m_books", "no loan is that old yet"),
        ("portfolio_health", "collection_rate is unknown"),
    ],
)
def test_every_ratio_of_an_empty_book_is_unknown_with_its_reason(empty, name, reason):
    assert (empty[name].value, empty[name].status, empty[name].reason) == (None, "unknown", reason)
