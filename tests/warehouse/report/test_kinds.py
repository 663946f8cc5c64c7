"""The report of tapes that tell less than Cascade's four tables: what is not told is unknown."""

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.warehouse.kind_tapes import DAILY_HEADER, loan_tape, write_csv
from tests.warehouse.tape_runs import TODAY, YESTERDAY, Desk
from warehouse.anomaly import judge_run
from warehouse.report.facts import Bucket, collect_facts
from warehouse.report.page import render_page


@pytest.fixture
def report_of(tmp_path):
    """Return a function: a tape of a day in, the facts and the text of its report out."""
    desk = Desk(tmp_path / "root")

    def report(tape, as_of=TODAY):
        run = desk.run(tape, as_of=as_of).sealed
        facts = collect_facts(run, desk.layout, desk.settings, tmp_path / "spill")
        return facts, render_page(facts).decode()

    return report


def test_an_aggregate_tape_tells_buckets_and_no_loans(report_of, tmp_path):
    row = "2025-12-27,1000,800,700,12,850,50,40,20,40"
    tape = write_csv(tmp_path / "loan_tape.csv", DAILY_HEADER, row)

    facts, page = report_of(tape)

    amounts = [bucket.live_principal for bucket in facts.buckets]
    assert amounts == [Decimal(850), Decimal(50), Decimal(40), Decimal(20), Decimal(40)]
    assert {bucket.loans for bucket in facts.buckets} == {None}
    assert '<th scope="row">90 and more</th>' in page  # nobody has told where it ends
    assert "an aggregate tape without loans" in page
    assert "Written off, beside it" in page
    assert f"is unknown: {facts.find('written_off').value.reason}" in page
    # PAR 90 4 % scores 4 of 10, half of the weights, of which a fifth is unknown: 4 x 0.5 / 0.8
    assert "2.50 of 6.25" in page


def test_a_loan_tape_tells_its_loans_and_no_past(report_of, tmp_path):
    tape = loan_tape(tmp_path / "tape", ("L1", 900, 0), ("L2", 60, 95), ("L3", 40, 181))

    facts, page = report_of(tape)

    zero = Decimal(0)
    assert facts.buckets == (
        Bucket(0, 6, Decimal(900), 1),
        Bucket(7, 29, zero, 0),
        Bucket(30, 59, zero, 0),
        Bucket(60, 89, zero, 0),
        Bucket(90, None, Decimal(60), 1),
    )
    assert "Not possible: a loan tape with one row a loan tells no ledger" in page
    assert facts.find("collection_rate").value.reason in page


def test_the_second_loan_tape_tells_what_moved(report_of, tmp_path):
    report_of(loan_tape(tmp_path / "one", ("L1", 900, 0), ("L2", 100, 89)), YESTERDAY)

    _, page = report_of(loan_tape(tmp_path / "two", ("L1", 900, 0), ("L2", 100, 90)))

    assert "Critical: PAR 90" in page  # 100 of 1,000
    assert "+10.0000\N{NO-BREAK SPACE}pp since 2025-12-26" in page
    assert "Mostly new delinquencies +10.0000\N{NO-BREAK SPACE}pp" in page


def test_the_first_run_of_a_book_has_nothing_to_compare_with(report_of, tmp_path):
    _, page = report_of(loan_tape(tmp_path / "tape", ("L1", 900, 0)))

    assert "This is the first run of this book" in page
    assert "No earlier day is known." in page
    assert "tapewatch backfill" not in page  # nothing but a ledger tells the past


def test_a_book_of_two_kinds_is_judged_by_its_report_as_everywhere(tmp_path):
    desk = Desk(tmp_path / "root")
    rules = desk.settings.anomaly.model_copy(update={"points": 2, "min_points": 2})
    desk.settings = desk.settings.model_copy(update={"anomaly": rules})
    kinds = ["loans", "loans", "aggregate", "aggregate", "loans"]
    for n, kind in enumerate(kinds):
        on, folder = TODAY - timedelta(days=4 - n), tmp_path / str(n)
        tape = (
            write_csv(folder / "loan_tape.csv", DAILY_HEADER, f"{on},900,800,700,12,900,0,0,0,0")
            if kind == "aggregate"
            else loan_tape(folder, ("L1", 900, 0))
        )
        run = desk.run(tape, as_of=on).sealed

    told = collect_facts(run, desk.layout, desk.settings, tmp_path / "spill").find("outstanding")

    assert len(told.trend) == 3
    assert told.anomaly == judge_run(desk.layout, run, rules)["outstanding"]
    assert told.anomaly.n == 0  # the two days before it are of another basis
