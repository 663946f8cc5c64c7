"""One run works at a time: the others are told who and since when, and nothing comes out twice."""

import fcntl
import os
import re
import signal

import pytest

from tests.trials.evidence import after_heal, attempts, died_in, published_bytes
from tests.trials.run_process import end_of, wait_until_stopped
from warehouse.failpoints import FAIL_POINTS

pytestmark = pytest.mark.slow

BUSY = re.compile(r"TAPEWATCH-BUSY: pid (\d+) since 20\d\d-\d\d-\d\dT\S+ holds .* \| fix: wait ")


@pytest.fixture
def stopped(data_folder):
    """Return a function that starts a run and stops it at a fail-point; it ends with the test."""
    started = []

    def start_and_stop(crash_at):
        folder = data_folder.altered("stop_at_crash_point")
        process = folder.start(crash_at=crash_at)
        started.append(process)
        assert wait_until_stopped(process)
        return process

    yield start_and_stop
    for process in started:
        if process.returncode is None:
            process.kill()
            end_of(process)


def second_writer_can_lock(folder):
    with (folder.root / "data/lock").open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def points_a_second_writer_gets_in(folder):
    """Probe the lock at every fail-point of a run; return those passed, those met, and the end."""
    process = folder.start()
    open_at = []
    while wait_until_stopped(process):
        open_at.append(second_writer_can_lock(folder))
        os.kill(process.pid, signal.SIGCONT)
    done = end_of(process)
    met = re.findall(r"^at (\w+)$", done.err, re.MULTILINE)
    return [point for point, is_open in zip(met, open_at, strict=True) if is_open], met, done


def test_a_second_writer_is_kept_out_at_every_fail_point(data_folder):
    passed, met, done = points_a_second_writer_gets_in(data_folder.altered("stop_at_every_point"))

    assert done.code == 0, done.err
    assert set(met) == set(FAIL_POINTS)
    assert passed == []


def test_the_probe_notices_a_run_that_dropped_its_lock(data_folder):
    passed, met, _ = points_a_second_writer_gets_in(
        data_folder.altered("stop_at_every_point,lock_dropped")
    )

    assert passed == met


@pytest.mark.parametrize("crash_at", ["raw_kept:4", "seal_renamed"])
def test_a_run_beside_a_stopped_one_is_busy_and_starts_once_that_is_killed(
    stage, data_folder, stopped, crash_at
):
    first = stopped(crash_at)

    busy = data_folder.run()

    assert busy.code == 75
    told = BUSY.match(busy.err)
    assert told, busy.err
    assert int(told[1]) == first.pid
    died = died_in(data_folder.root)
    first.kill()
    next_run = data_folder.run()
    assert next_run.code == 0, next_run.err
    assert after_heal(data_folder.root, stage.expected, died) == []


@pytest.mark.parametrize("others", [1, 2, 3])
def test_of_several_runs_at_once_one_works_and_the_others_leave_no_trace(
    stage, data_folder, stopped, others
):
    died = died_in(data_folder.root)
    first = stopped("phase_started:2")
    before = attempts(data_folder.root).keys()

    ends = [end_of(process) for process in [data_folder.start() for _ in range(others)]]

    assert [end.code for end in ends] == [75] * others
    assert {int(BUSY.match(end.err)[1]) for end in ends} == {first.pid}
    os.kill(first.pid, signal.SIGCONT)
    assert end_of(first).code == 0
    assert attempts(data_folder.root).keys() == before
    assert after_heal(data_folder.root, stage.expected, died) == []


def test_four_runs_that_race_publish_once(stage, data_folder):
    died = died_in(data_folder.root)
    before = len(attempts(data_folder.root))

    racing = [data_folder.start() for _ in range(4)]
    ends = [end_of(process) for process in racing]

    assert {end.code for end in ends} <= {0, 75}
    outcomes = sorted(end.outcome for end in ends if end.code == 0)
    assert outcomes == ["already_published"] * (len(outcomes) - 1) + ["published"]
    pids = {process.pid for process in racing}
    busy = [BUSY.match(end.err) for end in ends if end.code == 75]
    assert {int(told[1]) for told in busy} <= pids
    assert len(attempts(data_folder.root)) == before + len(outcomes)
    assert after_heal(data_folder.root, stage.expected, died) == []


def test_the_same_input_twenty_times_is_one_run(stage, data_folder):
    died = died_in(data_folder.root)
    first = data_folder.run()
    published = published_bytes(data_folder.root)

    ends = [data_folder.run() for _ in range(20)]

    assert (first.code, first.outcome) == (0, "published")
    assert {(end.code, end.outcome) for end in ends} == {(0, "already_published")}
    assert published_bytes(data_folder.root) == published
    assert after_heal(data_folder.root, stage.expected, died) == []
