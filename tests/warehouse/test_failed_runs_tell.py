"""A run that fails tells its receivers at once, and one that is told to stop does not wait."""

import pytest

from settings.errors import TapewatchError
from tests.warehouse.tape_runs import NOW, TODAY, Desk, good_tape, run_phase
from warehouse.attempt_state import list_attempts
from warehouse.job import RunRequest
from warehouse.run import Start, run_daily


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path / "desk")


def run(desk, tape, deliver, phases=run_phase):
    request, start = RunRequest((tape,), TODAY), Start("a" * 32, NOW, "test")
    return run_daily(request, desk.settings, start, phases, deliver=deliver)


def test_a_failed_run_is_told_after_it_was_written_down_as_failed(desk, tmp_path):
    tape = good_tape().write(tmp_path / "tape")
    (tape / "loans.csv").write_text("loan_id\nL1\n")
    seen = []

    with pytest.raises(TapewatchError):
        run(desk, tape, lambda layout, _log: seen.append(list_attempts(layout)[-1].status) or ())

    assert seen == ["failed"]


def test_a_receiver_that_cannot_be_told_does_not_hide_why_the_run_failed(desk, tmp_path):
    tape = good_tape().write(tmp_path / "tape")
    (tape / "loans.csv").write_text("loan_id\nL1\n")

    def deliver(_layout, _log):
        raise TapewatchError("nobody answers", fix="wait")

    with pytest.raises(TapewatchError) as raised:
        run(desk, tape, deliver)

    assert "nobody answers" not in raised.value.message


def test_a_run_that_is_told_to_stop_tells_nobody(desk, tmp_path):
    seen = []

    def stopped(_name, _step):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tape = good_tape().write(tmp_path / "tape")
        run(desk, tape, lambda *_: seen.append(1) or (), stopped)

    assert seen == []
