"""Each run seals what changed since the run before it, and no rotten folder keeps it from that."""

import json
import re
from datetime import date
from decimal import Decimal

import pytest

from tests.warehouse.tape_runs import Desk, good_tape
from warehouse.change import changes_between
from warehouse.manifest import HashMismatchError
from warehouse.sealed_changes import CHANGES_FILE, read_changes

YESTERDAY, TODAY = date(2025, 12, 23), date(2025, 12, 24)  # the loan due on 25 October: 60 days


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path / "desk")


@pytest.fixture
def tape(tmp_path):
    return good_tape().write(tmp_path / "tape")


def test_what_is_sealed_is_what_the_two_sealed_runs_give(desk, tape, tmp_path):
    first = desk.run(tape, as_of=YESTERDAY).sealed
    second = desk.run(tape, as_of=TODAY).sealed

    told = read_changes(second)

    assert told.before == first.name
    assert told.kpis == changes_between(second, first, desk.settings, tmp_path / "spill", 5)
    # of 30 loans of 100 that are not paid, those due by 24 October were 60 days late already
    par_60 = next(change for change in told.kpis if change.kpi == "par_60")
    assert [(part.name, part.loans) for part in par_60.parts] == [("new_delinquency", 2)]
    assert par_60.parts[0].amount == par_60.move == Decimal("0.066667")  # 200 / 3000


def test_no_loan_id_of_the_tape_is_in_it(desk, tape):
    desk.run(tape, as_of=YESTERDAY)
    second = desk.run(tape, as_of=TODAY).sealed

    text = (second.folder / CHANGES_FILE).read_text()
    loans = re.findall(r'"loan": *"([^"]+)"', text)
    assert loans
    assert not any(re.fullmatch(r"KEEP-(\d{4}|new)", loan) for loan in loans)


def test_the_first_run_of_a_book_says_that_nothing_can_be_compared(desk, tape):
    told = read_changes(desk.run(tape).sealed)

    assert told.before is None
    assert {change.move for change in told.kpis} == {None}
    assert all("no run that is early enough" in change.reason for change in told.kpis)


def test_a_rotten_run_before_leaves_the_new_one_published_and_is_named(desk, tape):
    first = desk.run(tape, as_of=YESTERDAY).sealed
    (first.folder / "kpi_value.parquet").write_bytes(b"rotten")

    second = desk.run(tape, as_of=TODAY)

    assert second.outcome == "published"
    told = read_changes(second.sealed)
    assert told.before == first.name
    parts = [change for change in told.kpis if change.kpi == "outstanding"]
    assert [change.parts for change in parts] == [()]
    assert f"tapewatch verify {first.name}" in parts[0].reason


def test_what_was_changed_after_the_seal_is_not_read(desk, tape):
    run = desk.run(tape).sealed
    path = run.folder / CHANGES_FILE
    told = json.loads(path.read_text())
    told["kpis"][0]["reason"] = "all is well"
    path.write_text(json.dumps(told))

    with pytest.raises(HashMismatchError, match=r"changes\.json has .* bytes"):
        read_changes(run)
