"""A rollback moves one pointer, and what was taken back is not served by being repeated."""

import json
import shutil
from dataclasses import replace
from datetime import date

import pytest

from settings.who import user_name
from tests.warehouse.tape_runs import NOW, TODAY, YESTERDAY, Desk, good_tape
from warehouse.lock import LockHeldError, hold_lock
from warehouse.manifest import HashMismatchError
from warehouse.messages import read_messages
from warehouse.rollback import NoReasonError, NothingToRollBackError, roll_back
from warehouse.sealed_changes import read_changes
from warehouse.trend import read_trend

EARLIEST = date(2025, 12, 25)


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path / "desk")


@pytest.fixture
def tape(tmp_path):
    return good_tape().write(tmp_path / "tape")


@pytest.fixture(scope="module")
def three_days(tmp_path_factory):
    """A folder with three served days, for copies, and their runs, oldest first."""
    root = tmp_path_factory.mktemp("three_days")
    desk, tape = Desk(root / "desk"), good_tape().write(root / "tape")
    runs = (desk.run(tape, as_of=day) for day in (EARLIEST, YESTERDAY, TODAY))
    return desk.root, [outcome.sealed.name for outcome in runs]


@pytest.fixture
def days(desk, three_days):
    """Three served days, oldest first."""
    folder, names = three_days
    shutil.copytree(folder, desk.root, symlinks=True)
    return names


def back(desk, run=None, reason="the tape was wrong"):
    return roll_back(desk.layout, run, reason, NOW, "test")


def test_without_a_name_the_run_before_the_served_one_is_served(desk, days):
    done = back(desk)

    assert desk.served() == days[1]
    assert (done.before, done.now.name, done.withdrawn) == (days[2], days[1], (days[2],))


def test_a_second_rollback_goes_one_run_further_back(desk, days):
    back(desk)
    back(desk)

    assert desk.served() == days[0]


def test_a_run_that_was_taken_back_is_not_served_by_running_its_tape_again(desk, days, tape):
    back(desk)

    outcome = desk.run(tape, as_of=TODAY)

    assert outcome.outcome == "already_published"
    assert desk.served() == days[1]


def test_every_run_later_than_the_target_is_taken_back(desk, days, tape):
    done = back(desk, days[0])

    assert done.withdrawn == (days[1], days[2])
    desk.run(tape, as_of=YESTERDAY)
    assert desk.served() == days[0]


def test_another_tape_of_the_day_that_was_taken_back_is_served(desk, days, tmp_path):
    back(desk)
    corrected = good_tape().loan(
        "KEEP-other", customer="CLI8", disbursed=YESTERDAY, principal=50, due="2026-01-25"
    )

    outcome = desk.run(corrected.write(tmp_path / "corrected"), as_of=TODAY)

    assert outcome.outcome == "published"
    assert desk.served() == outcome.sealed.name


def invented(folder):
    """Write the good tape with a loan that never was: the next tape will not have it."""
    tape = good_tape().loan(
        "KEEP-invented", customer="CLI8", disbursed=YESTERDAY, principal=50, due="2026-01-25"
    )
    return tape.write(folder)


@pytest.mark.parametrize("day", [YESTERDAY, TODAY], ids=["of its day", "of the next"])
def test_loans_that_a_run_invented_bind_no_tape_after_it_was_taken_back(desk, tape, tmp_path, day):
    first = desk.run(tape, as_of=EARLIEST).sealed
    desk.run(invented(tmp_path / "invented"), as_of=YESTERDAY)
    back(desk)

    outcome = desk.run(tape, as_of=day)

    assert outcome.outcome == "published"
    assert desk.served() == outcome.sealed.name
    assert outcome.sealed.manifest.previous_run == first.name
    assert read_changes(outcome.sealed).before == first.name


def test_a_run_that_was_taken_back_is_no_point_of_the_trend(desk, tape, tmp_path):
    first = desk.run(tape, as_of=YESTERDAY).sealed
    desk.run(invented(tmp_path / "invented"), as_of=YESTERDAY)  # one loan more
    back(desk, first.name)

    today = desk.run(tape, as_of=TODAY).sealed

    yesterdays = read_trend(desk.layout, today, ["active_loans"])["active_loans"][0]
    assert (yesterdays.value, yesterdays.run) == (31, first.name)  # 30 late ones and the new one


@pytest.mark.parametrize("reason", ["", "   "])
def test_a_rollback_without_a_reason_is_refused(desk, days, reason):
    with pytest.raises(NoReasonError, match="blank"):
        back(desk, reason=reason)

    assert desk.served() == days[2]


def test_what_earlier_rollbacks_took_back_is_told_when_a_later_run_is_served_again(desk, days):
    back(desk, days[0])

    done = back(desk, days[2], "it was right after all")

    assert (done.withdrawn, done.still_withdrawn) == ((), (days[1],))


def test_naming_a_run_that_was_taken_back_serves_it_again(desk, days, tape):
    back(desk)

    back(desk, days[2], "it was right after all")

    assert desk.served() == days[2]
    assert desk.run(tape, as_of=TODAY).sealed.name == desk.served()


def test_why_and_what_instead_is_kept_with_the_run_that_was_taken_back(desk, days):
    back(desk, reason="PAR 90 was of another book")

    told = json.loads((desk.layout.withdrawn / f"{days[2]}.json").read_bytes())
    assert told == {
        "run": days[2],
        "served_instead": days[1],
        "reason": "PAR 90 was of another book",
        "at": "2025-12-28T09:00:00.000Z",
        "code": "test",
    }


def test_a_rotten_run_is_not_served_and_nothing_changes(desk, days):
    (desk.layout.runs / days[1] / "book.parquet").write_bytes(b"rotten")

    with pytest.raises(HashMismatchError, match=r"book\.parquet"):
        back(desk)

    assert desk.served() == days[2]
    assert not desk.layout.withdrawn.exists()


def test_a_served_run_that_is_rotten_can_be_taken_back(desk, days):
    (desk.layout.runs / days[2] / "manifest.json").write_bytes(b"rotten")

    back(desk)

    assert desk.served() == days[1]


def test_a_run_at_work_is_not_disturbed(desk, days):
    with hold_lock(desk.layout.lock, "a" * 32, NOW), pytest.raises(LockHeldError):
        back(desk)

    assert desk.served() == days[2]


def test_the_first_run_of_a_book_has_nothing_before_it(desk, tape):
    desk.run(tape)

    with pytest.raises(NothingToRollBackError, match="no run before the served one"):
        back(desk)


def test_a_run_of_another_book_is_no_target(desk, days):
    other = replace(desk.layout, book="production-other")

    with pytest.raises(NothingToRollBackError, match=f"no readable run {days[0]}"):
        roll_back(other, days[0], "wrong book", NOW, "test")


def test_what_a_run_that_was_taken_back_said_has_been_read(desk, tmp_path):
    """PAR 90 of the bad tape was critical and told; the corrected one says that it is not."""
    good = good_tape().loan("BIG", disbursed="2025-01-10", principal=9000, due="2026-03-01")
    bad = good_tape().loan("BIG", disbursed="2025-01-10", principal=9000, due="2025-09-01")
    desk.run(good.write(tmp_path / "first"), as_of=EARLIEST)
    spoilt = desk.run(bad.write(tmp_path / "bad"), as_of=TODAY).sealed
    back(desk)

    mended = desk.run(good.write(tmp_path / "mended"), as_of=TODAY).sealed

    def told(run, kind):
        messages = read_messages(run.folder).messages
        return [m.route for m in messages if (m.kind, m.subject) == (kind, "par_90")]

    assert told(spoilt, "kpi_alert") == ["risk_alerts", "executive_briefing"]
    assert told(mended, "recovered") == ["risk_alerts", "executive_briefing"]


def written(desk):
    return [json.loads(path.read_bytes())["run"] for path in desk.layout.rollbacks.iterdir()]


def test_a_rollback_is_written_down_with_what_it_served_before_and_why(desk, days):
    back(desk)

    [told] = written(desk)
    assert (told["pipeline"], told["run_folder"], told["previous_run"]) == (
        "rollback", days[1], days[2]
    )  # fmt: skip
    assert told["supersedes"] == [days[2]]
    assert told["decision"] == {"reason": "the tape was wrong", "by": user_name()}


def test_no_pointer_moves_without_a_trace(desk, days, monkeypatch):
    """Killed on the way: the decision is there, and the pointer where it was."""

    def killed(*_arguments, **_more):
        raise KeyboardInterrupt

    monkeypatch.setattr("warehouse.rollback.publish", killed)

    with pytest.raises(KeyboardInterrupt):
        back(desk)

    assert len(written(desk)) == 1
    assert desk.served() == days[2]


def test_a_refused_rollback_is_not_written_down(desk, days):
    with pytest.raises(NoReasonError):
        back(desk, reason=" ")

    assert not desk.layout.rollbacks.exists()
