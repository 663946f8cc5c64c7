"""Tapes that are whole and yet cannot be right: of a wrong day, with loans lost, or a jump."""

import json
from dataclasses import replace
from datetime import date

import pytest

from tests.warehouse.tape_builder import movement, write_tables
from tests.warehouse.tape_runs import GOOD_TABLES, TODAY, good_tape, set_cell
from warehouse.run_folder import read_current

EARLIER = date(2025, 12, 20)


def test_a_tape_older_than_the_published_one_is_refused(desk, tape):
    line = desk.refuse(tape, as_of=EARLIER, code="AS_OF_REGRESSION")

    assert "the tape is of 2025-12-20, older than the published 2025-12-26" in line
    assert "add --backfill to store it without serving it" in line


def test_a_backfill_is_stored_and_not_served(desk, tape):
    served = desk.served()

    outcome = desk.run(tape, as_of=EARLIER, backfill=True)

    assert outcome.outcome == "stored"
    assert outcome.sealed.manifest.ingestion["is_backfill"] is True
    assert desk.served() == served
    assert desk.runs() == [outcome.sealed.name, served]


def test_a_stored_backfill_is_not_served_by_asking_again(desk, tape):
    served = desk.served()
    desk.run(tape, as_of=EARLIER, backfill=True)

    assert desk.run(tape, as_of=EARLIER).outcome == "already_published"
    assert desk.served() == served


@pytest.mark.parametrize(("as_of", "is_refused"), [("2025-12-29", False), ("2025-12-30", True)])
def test_a_tape_of_a_day_that_has_not_come_is_refused(desk, tape, as_of, is_refused):
    # received at 03:00 of 2025-12-28 where the portfolio is; a day more is a clock's difference
    if not is_refused:
        assert desk.run(tape, as_of=as_of).outcome == "published"
        return

    line = desk.refuse(tape, as_of=as_of, code="AS_OF_IN_FUTURE")

    assert "the tape is of 2025-12-30, after the day it was received (2025-12-28)" in line
    assert "declare the day with --as-of" in line


def test_a_year_mistyped_in_the_ledger_does_not_become_the_day_of_the_tape(desk, tape):
    set_cell(tape, "transactions", 3, "date_paid", "2052-10-02")

    line = desk.refuse(tape, as_of=None, code="AS_OF_IN_FUTURE")

    assert "the tape is of 2052-10-02" in line
    assert "look for a wrong year" in line


def without_loans(tables, *loan_ids):
    return {
        name: [row for row in rows if row.get("loan_id", row.get("loan_id_raw")) not in loan_ids]
        for name, rows in tables.items()
    }


def test_a_tape_that_lost_a_loan_is_refused(desk, tmp_path):
    lost = write_tables(without_loans(GOOD_TABLES, "KEEP-0001"), tmp_path / "lost")

    line = desk.refuse(lost, code="QUALITY_GATE")

    assert "lost_loans (1); the first is loans.csv: disbursed 2025-09-02, principal 100.00" in line
    [check] = [c for c in desk.report()["checks"] if c["name"] == "lost_loans"]
    assert check["sample"][0]["loan"].startswith("#")  # masked


def test_lost_loans_cannot_be_accepted(desk, tmp_path):
    lost = write_tables(without_loans(GOOD_TABLES, "KEEP-0001"), tmp_path / "lost")
    desk.refuse(lost, code="QUALITY_GATE")
    run = desk.last_attempt().run_id[:8]

    desk.refuse(lost, code="QUALITY_GATE", accept=(run, "we sold it"))


# ---------------------------------------------------------------- a jump of the balance

# Yesterday 31 loans of 100 were live. 10 paid off leave 2100, 32.3 % less; 9 leave 2200, 29.0 %.
UNPAID = [f"KEEP-{number:04}" for number in range(0, 120, 4)]


def paid_off(how_many):
    """Return today's tape: so many of the late loans were paid off today."""
    tape = good_tape()
    for place, loan in enumerate(tape.loans):
        if loan.loan_id in UNPAID[:how_many]:
            tape.loans[place] = replace(loan, payments=(movement((TODAY, 100, 5)),))
    return tape


def grown_by(principal):
    """Return today's tape: one more loan was lent today."""
    return good_tape().loan(
        "KEEP-big", disbursed=TODAY, principal=principal, due="2026-01-26", customer="CLI9"
    )


@pytest.mark.parametrize(
    ("tape_of", "before", "after"),
    [(lambda: paid_off(10), "3,100.00", "2,100.00"), (lambda: grown_by(6201), "3,100.00", "9,301")],
    ids=["a fall by more than 30 %", "a rise beyond 3 times"],
)
def test_a_jump_of_the_balance_is_refused(desk, tmp_path, tape_of, before, after):
    line = desk.refuse(tape_of().write(tmp_path / "jump"), code="VOLUME_ANOMALY")

    assert f"the live balance went from {before} (2025-12-26) to {after}" in line
    assert f"add --accept-anomaly {desk.last_attempt().run_id[:8]} --reason" in line


@pytest.mark.parametrize(
    "tape_of", [lambda: paid_off(9), lambda: grown_by(6200)], ids=["29 % less", "3 times"]
)
def test_a_balance_within_its_limits_is_published(desk, tmp_path, tape_of):
    assert desk.run(tape_of().write(tmp_path / "change")).outcome == "published"


def test_an_accepted_jump_is_published_and_the_word_is_kept(desk, tmp_path):
    jump = paid_off(10).write(tmp_path / "jump")
    desk.refuse(jump, code="VOLUME_ANOMALY")
    run = desk.last_attempt().run_id[:8]

    outcome = desk.run(jump, accept=(run, "ten debts were bought back"))

    assert outcome.outcome == "published"
    assert outcome.sealed.name == desk.served() == f"2025-12-27-{run}"
    accepted = {"run": run, "reason": "ten debts were bought back"}
    assert outcome.sealed.manifest.quality["accepted_anomaly"] == accepted
    assert desk.report()["accepted_anomaly"] == accepted
    manifest = json.loads((outcome.sealed.folder / "manifest.json").read_bytes())
    assert manifest["quality"]["accepted_anomaly"] == accepted


@pytest.mark.parametrize("run", ["00000000", "", "the first letter"])
def test_a_word_for_another_run_accepts_nothing(desk, tmp_path, run):
    jump = paid_off(10).write(tmp_path / "jump")
    if run == "the first letter":
        desk.refuse(jump, code="VOLUME_ANOMALY")
        run = desk.last_attempt().run_id[:1]

    line = desk.refuse(
        jump, code="ANOMALY_NOT_THIS_RUN", exit_code=64, accept=(run, "whatever comes")
    )

    assert "name the run that the refusal named" in line


def test_a_word_for_one_tape_does_not_accept_the_next(desk, tmp_path):
    desk.refuse(paid_off(10).write(tmp_path / "ten"), code="VOLUME_ANOMALY")
    run = desk.last_attempt().run_id[:8]

    desk.refuse(
        paid_off(11).write(tmp_path / "eleven"),
        code="ANOMALY_NOT_THIS_RUN",
        exit_code=64,
        accept=(run, "ten debts were bought back"),
    )


def test_the_next_tape_is_compared_with_the_accepted_one(desk, tmp_path):
    jump = paid_off(10).write(tmp_path / "jump")
    desk.refuse(jump, code="VOLUME_ANOMALY")
    desk.run(jump, accept=(desk.last_attempt().run_id[:8], "bought back"))

    outcome = desk.run(paid_off(12).write(tmp_path / "next"), as_of="2025-12-28")

    assert outcome.outcome == "published"  # 2100 to 1900: 9.5 % less
    assert read_current(desk.layout).manifest.quality["accepted_anomaly"] is None
