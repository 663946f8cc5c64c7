"""Cascade's month-end book alone: exact PAR and write-offs, no customers, and what day it is."""

import csv
from datetime import date
from decimal import Decimal

import pytest

from tests.warehouse.kind_tapes import assert_sound, kpis_of
from tests.warehouse.tape_builder import Tape
from tests.warehouse.tape_runs import Desk


@pytest.fixture
def empty_desk(tmp_path):
    """Return a data folder on which nothing has run."""
    return Desk(tmp_path / "root")


def book(folder, *payments):
    """Write the month-ends of four loans whose last ledger day is 10 December, labelled the 31st.

    Return loan_par_balances.csv alone. On 10 December A is 20 days late, B is 91, and C, 200 days
    late, is written off.
    """
    tape = Tape()
    tape.loan("A", disbursed="2025-10-01", principal=1000, due="2025-11-20", payments=payments)
    tape.loan("B", disbursed="2025-06-01", principal=200, due="2025-09-10")
    tape.loan("C", disbursed="2025-04-01", principal=50, due="2025-05-24")
    tape.loan("D", disbursed="2025-12-10", principal=300, due="2026-02-01")
    return tape.write(folder) / "loan_par_balances.csv"


def test_par_of_the_month_end_book_is_cascades_own(empty_desk, tmp_path):
    outcome = empty_desk.run(book(tmp_path / "tape"), as_of="2025-12-10")

    kpis = kpis_of(outcome)
    par_90 = kpis["par_90"]
    # B of A + B + D
    assert (par_90.numerator, par_90.denominator, par_90.basis) == (200, 1500, "reported")
    assert par_90.value == Decimal("0.133333")
    assert kpis["par_7"].value == Decimal("0.8")  # A and B
    assert kpis["written_off"].value == 50
    assert kpis["active_loans"].value == 3
    assert_sound(empty_desk, outcome)


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("active_clients", "customer_id"),
        ("originations", "disburse_date"),
        ("collection_rate", "book_history, payment, loan"),
        ("rdr_90", "book_history"),
    ],
)
def test_the_month_end_book_does_not_tell(month_end_kpis, name, missing):
    kpi = month_end_kpis[name]

    assert kpi.value is None
    assert kpi.reason == (f"it needs {missing}, which Cascade's month-end book alone does not tell")


@pytest.fixture(scope="module")
def month_end_kpis(tmp_path_factory):
    """Return the KPIs of the month-end book by name."""
    folder = tmp_path_factory.mktemp("month")
    return kpis_of(Desk(folder / "root").run(book(folder / "tape"), as_of="2025-12-10"))


def test_the_label_of_a_partial_month_is_of_the_declared_day(empty_desk, tmp_path):
    outcome = empty_desk.run(book(tmp_path / "tape"), as_of="2025-12-10")

    assert outcome.sealed.manifest.identity.as_of == date(2025, 12, 10)
    assert outcome.sealed.manifest.quality["failed"] == ["reporting_date_after_as_of"]


def test_undeclared_it_is_of_the_last_label_but_never_after_it_came(empty_desk, tmp_path):
    manifest = empty_desk.run(book(tmp_path / "tape"), as_of=None).sealed.manifest

    assert manifest.identity.as_of == date(2025, 12, 28)  # received then, the label is the 31st
    assert manifest.ingestion["as_of_basis"] == "last_reporting_date"


@pytest.mark.parametrize(
    ("declared", "live"),
    [
        ("2025-11-30", 1200),  # A + B
        ("2025-11-15", 1250),  # the end of October: A + B + C, on day 160
    ],
)
def test_an_earlier_day_takes_the_month_end_before_it(empty_desk, tmp_path, declared, live):
    kpis = kpis_of(empty_desk.run(book(tmp_path / "tape"), as_of=declared))

    assert kpis["outstanding"].value == live


def test_another_partial_day_of_the_month_is_no_restated_past(empty_desk, tmp_path):
    empty_desk.run(book(tmp_path / "1"), as_of="2025-12-10")

    paid = ("2025-12-11", 100)
    outcome = empty_desk.run(book(tmp_path / "2", paid), as_of="2025-12-11")

    assert kpis_of(outcome)["outstanding"].value == 1400
    assert outcome.sealed.manifest.quality["restated"] is None


def test_a_month_end_that_is_told_otherwise_is_a_restated_past(empty_desk, tmp_path):
    empty_desk.run(book(tmp_path / "1"), as_of="2025-11-30")

    outcome = empty_desk.run(book(tmp_path / "2", ("2025-11-29", 400)), as_of="2025-12-10")

    restated = outcome.sealed.manifest.quality["restated"]
    assert (restated["as_of"], restated["changed"]) == ("2025-11-30", 1)
    effects = {effect["kpi"]: effect for effect in restated["kpis"]}
    # B's 200, 81 days late, were of 1200 and are of 800
    assert effects["par_60"] == {
        "kpi": "par_60",
        "before": "0.166667",
        "after": "0.250000",
        "change": "0.083333",
    }
    assert effects["outstanding"]["change"] == "-400.000000"


def test_the_month_end_book_meets_the_checks_it_can_be_asked(empty_desk, tmp_path):
    path = book(tmp_path / "tape")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    last = {row["loan_id_raw"]: row for row in rows}
    last["A"] |= {"dpd": "181"}
    last["B"] |= {"is_writeoff": "true"}
    last["C"] |= {"writeoff_outstanding_balance": "-1.0"}
    last["D"] |= {"PAR_90_balance_usd": "1.0"}
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.DictWriter(file, list(rows[0]))
        out.writeheader()
        out.writerows(rows)

    line = empty_desk.refuse(path, code="QUALITY_GATE", as_of="2025-12-10")

    told = line.removeprefix("TAPEWATCH-QUALITY_GATE: blocking checks failed: ").split(";")[0]
    assert sorted(told.split(", ")) == [
        "balance_out_of_range (2)",  # C in its snapshot, and as the loan that it tells
        "over_180_not_written_off (1)",
        "par_not_nested (1)",
        "written_off_with_live_balance (1)",
    ]
