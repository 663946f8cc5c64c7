"""A past that is told otherwise: which loans, which fields, and what it does to every KPI."""

import json

import pytest

from tests.warehouse.kind_tapes import DAILY_HEADER, assert_sound, kpis_of, loan_tape, write_csv
from tests.warehouse.tape_builder import Tape
from tests.warehouse.tape_runs import TODAY, YESTERDAY, Desk
from tests.warehouse.valued_tape import settings_for
from warehouse.verify import verify_folder


@pytest.fixture
def empty_desk(tmp_path):
    """Return a data folder on which nothing has run."""
    return Desk(tmp_path / "root")


def ledger(folder, *payments):
    """Write A, whose 100 were due on 20 November, and B, whose 300 are due next year."""
    tape = Tape()
    terms = {"disbursed": "2025-10-20"}
    tape.loan("A", principal=100, due="2025-11-20", customer="CLI1", payments=payments, **terms)
    tape.loan("B", principal=300, due="2026-01-20", customer="CLI2", **terms)
    return tape.write(folder)


PAID_LATE = ("2025-12-20", 100)  # told only by the second tape


@pytest.fixture(scope="module")
def paid_late(tmp_path_factory):
    """Return the desk and its two runs: the second tape tells a payment before the first one."""
    folder = tmp_path_factory.mktemp("late")
    desk = Desk(folder / "root")
    before = desk.run(ledger(folder / "1"), as_of=YESTERDAY)
    return desk, before, desk.run(ledger(folder / "2", PAID_LATE), as_of=TODAY)


def test_a_payment_added_to_the_past_tells_its_effect_on_every_kpi(paid_late):
    _, before, after = paid_late

    restated = after.sealed.manifest.quality["restated"]
    assert (restated["run"], restated["as_of"]) == (before.sealed.name, "2025-12-26")
    assert restated["changed"] == 1
    effects = {e["kpi"]: (e["before"], e["after"], e["change"]) for e in restated["kpis"]}
    assert effects == {
        # A, 36 days late, was 100 of 400 live and is gone
        "par_7": ("0.250000", "0.000000", "-0.250000"),
        "par_30": ("0.250000", "0.000000", "-0.250000"),
        "outstanding": ("400.000000", "300.000000", "-100.000000"),
        "active_loans": ("2.000000", "1.000000", "-1.000000"),
        "active_clients": ("2.000000", "1.000000", "-1.000000"),
        # 100 / (23 days x 400 + 7 days x 300 = 11300)
        "collection_rate": ("0.000000", "0.008850", "0.008850"),
        # (0.5 x 10 + 0.3 x 0) / 0.8, then (0.5 x 10 + 0.3 x 3 x 0.885) / 0.8
        "portfolio_health": ("6.250000", "7.245625", "0.995625"),
    }


def test_the_report_names_the_restated_loan_masked_and_its_fields(paid_late):
    desk, _, after = paid_late

    report = desk.report()
    [check] = [check for check in report["checks"] if check["name"] == "restated_past"]
    assert (check["level"], check["bad_rows"]) == ("warning", 1)
    [finding] = check["sample"]
    assert (finding["source_file"], finding["source_row"]) == ("loans.csv", 1)
    assert finding["loan"] != "A"
    assert finding["detail"] == ("residual by -100.00, cash paid by 100.00, oldest due date gone")
    assert report["restated"] == after.sealed.manifest.quality["restated"]
    assert "the past was restated" in desk.told()


def test_a_payment_of_today_restates_nothing(empty_desk, tmp_path):
    empty_desk.run(ledger(tmp_path / "1"), as_of=YESTERDAY)

    after = empty_desk.run(ledger(tmp_path / "2", ("2025-12-27", 100)), as_of=TODAY)

    assert after.sealed.manifest.quality["restated"] is None
    assert "restated_past" not in after.sealed.manifest.quality["failed"]


def test_other_bytes_of_the_same_day_keep_the_old_run_and_link_it(empty_desk, tmp_path):
    before = empty_desk.run(ledger(tmp_path / "1"), as_of=YESTERDAY)

    after = empty_desk.run(ledger(tmp_path / "2", PAID_LATE), as_of=YESTERDAY)

    assert after.sealed.manifest.supersedes == (before.sealed.manifest.run_id,)
    assert verify_folder(before.sealed.folder) == []
    assert empty_desk.served() == after.sealed.name
    assert after.sealed.manifest.quality["restated"]["run"] == before.sealed.name
    assert_sound(empty_desk, after)


def test_the_restated_loans_are_kept_whole_in_the_run(paid_late):
    _, _, after = paid_late

    sealed = json.loads((after.sealed.folder / "manifest.json").read_bytes())
    assert sealed["quality"]["checks"]["restated_past"] == 1
    assert "finding.parquet" in sealed["files"]


def test_a_loan_tape_of_the_same_day_tells_its_effect(empty_desk, tmp_path):
    first = loan_tape(tmp_path / "1", ("A", 900, 0), ("B", 100, 35))
    before = empty_desk.run(first, as_of=TODAY)

    after = empty_desk.run(loan_tape(tmp_path / "2", ("A", 900, 0), ("B", 60, 0, 100)), as_of=TODAY)

    restated = after.sealed.manifest.quality["restated"]
    assert (restated["run"], restated["changed"]) == (before.sealed.name, 1)
    effects = {e["kpi"]: (e["before"], e["after"], e["change"]) for e in restated["kpis"]}
    assert effects == {
        "par_7": ("0.100000", "0.000000", "-0.100000"),  # 100 / 1000, then nothing of 960
        "par_30": ("0.100000", "0.000000", "-0.100000"),
        "outstanding": ("1000.000000", "960.000000", "-40.000000"),
    }
    [check] = [c for c in empty_desk.report()["checks"] if c["name"] == "restated_book"]
    assert check["sample"][0]["detail"] == "residual by -40.00, days past due by -35"
    assert after.sealed.manifest.supersedes == (before.sealed.manifest.run_id,)
    assert_sound(empty_desk, after)


def test_a_loan_that_left_the_second_tape_of_a_day_is_restated(tmp_path):
    desk = Desk(tmp_path / "root")
    name = "TAPEWATCH_QUALITY__LOAN_TAPE_LISTS_CLOSED_LOANS"
    desk.settings = settings_for(desk.root, **{name: "false"})
    desk.run(loan_tape(tmp_path / "1", ("A", 900, 0), ("B", 100, 35)), as_of=TODAY)

    after = desk.run(loan_tape(tmp_path / "2", ("A", 900, 0)), as_of=TODAY)

    restated = after.sealed.manifest.quality["restated"]
    assert restated["changed"] == 1
    effects = {e["kpi"]: e["change"] for e in restated["kpis"]}
    assert effects["active_loans"] == "-1.000000"


def test_a_loan_tape_of_the_next_day_restates_nothing(empty_desk, tmp_path):
    empty_desk.run(loan_tape(tmp_path / "1", ("A", 900, 0), ("B", 100, 35)), as_of=YESTERDAY)

    after = empty_desk.run(loan_tape(tmp_path / "2", ("A", 800, 0, 900), ("B", 100, 36)))

    assert after.sealed.manifest.quality["restated"] is None


OLD_DAY, NEW_DAY = (
    "2025-12-26,1000,800,700,12,900,50,20,20,10",
    "2025-12-27,1000,800,700,12,1000,0,0,0,0",
)


def aggregate(folder, *rows):
    return write_csv(folder / "loan_tape.csv", DAILY_HEADER, *rows)


def test_a_position_that_is_told_otherwise_a_day_later_is_restated(empty_desk, tmp_path):
    empty_desk.run(aggregate(tmp_path / "1", OLD_DAY), as_of=YESTERDAY)
    worse = "2025-12-26,1000,800,700,12,880,50,20,20,30"

    after = empty_desk.run(aggregate(tmp_path / "2", worse, NEW_DAY), as_of=TODAY)

    restated = after.sealed.manifest.quality["restated"]
    assert restated["changed"] == 1  # one day, whose first bucket and last one changed
    effects = {e["kpi"]: (e["before"], e["after"]) for e in restated["kpis"]}
    assert effects["par_90"] == ("0.010000", "0.030000")
    assert effects["par_30"] == ("0.050000", "0.070000")
    assert "collection_rate" not in effects


def test_a_tape_that_no_longer_tells_the_day_restates_nothing(empty_desk, tmp_path):
    empty_desk.run(aggregate(tmp_path / "1", OLD_DAY), as_of=YESTERDAY)
    before = OLD_DAY.replace("26", "25", 1).replace("900,50", "850,100")

    after = empty_desk.run(aggregate(tmp_path / "2", before, NEW_DAY), as_of=TODAY)

    assert after.sealed.manifest.quality["restated"] is None
    assert kpis_of(after)["par_7"].value == 0


@pytest.mark.parametrize("harm", [lambda path: path.write_bytes(b"rotten"), lambda p: p.unlink()])
def test_an_earlier_run_that_is_rotten_proves_nothing_and_is_named_with_what_to_do(
    empty_desk, tmp_path, harm
):
    before = empty_desk.run(ledger(tmp_path / "1"), as_of=YESTERDAY)
    harm(before.sealed.folder / "book.parquet")

    tape = ledger(tmp_path / "2")
    line = empty_desk.refuse(tape, as_of=TODAY, code="HASH_MISMATCH")

    assert "book.parquet" in line
    assert f"move {before.sealed.folder} out of runs" in line
