"""Each call of a run that the disk must keep: killed there, or refused there, and healed after.

`pytest --trials 1000 "tests/trials/test_syscalls.py::NAME[EIO-17]"` plays one trial again.
"""

import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from tests.trials.power_loss import undone_by_power_loss
from tests.trials.syscalls import (
    QUICK_TRIES,
    fixed,
    points_of,
    syscall_faults,
    syscall_trial,
    trace_run,
)

pytestmark = pytest.mark.slow

DURABLE = {"fsync", "rename", "unlink", "unlinkat", "rmdir", "mkdir", "link", "write", "pwrite64"}


@pytest.fixture(scope="session")
def clean_run(stage, tmp_path_factory):
    """The data folder of a run that nothing disturbed, and its calls."""
    root = tmp_path_factory.mktemp("clean")
    folder = fixed(stage.folder.copy_to(root / "run"))
    done, calls = trace_run(folder, root / "strace.log")
    assert done.code == 0, done.err
    return folder.root, calls


@pytest.fixture(scope="session")
def points(clean_run):
    return points_of(*clean_run)


def test_the_trials_meet_every_kind_of_call_and_in_a_soak_every_third_call(points, request):
    trials = request.config.getoption("--trials")
    faults = syscall_faults(trials)

    assert {point.name for point in points} >= DURABLE
    kills = [fault.point(points) for fault in faults if fault.name == "SIGKILL"]
    refusals = [fault.point(points) for fault in faults if fault.name != "SIGKILL"]
    assert len(set(kills)) == len(set(refusals)) == len(faults) / 2
    if trials >= 1_000:
        assert len(points) / len(kills) <= 3
        assert {point.name for point in kills} >= DURABLE - {"rmdir"}


def test_a_run_killed_or_refused_at_a_system_call_is_healed_by_the_next_one(
    stage, points, syscall_fault, tmp_path, record_property
):
    point = syscall_fault.point(points)
    record_property("kind", f"{syscall_fault.name} {point}")
    verdict = syscall_trial(stage, syscall_fault.name, point, tmp_path)

    if syscall_fault.name == "SIGKILL":
        record_property("kills", verdict.kills)
    assert verdict.problems == [], point


def test_a_power_cut_undoes_nothing_of_a_run_that_ended_well(clean_run):
    root, calls = clean_run

    assert undone_by_power_loss(f"{root}/data", calls) == []


@pytest.fixture
def archive(tapes, tmp_path):
    """The new tape as one ZIP, so that one file is kept."""
    return Path(shutil.make_archive(str(tmp_path / "tape"), "zip", tapes[1]))


@pytest.mark.parametrize("folder", ["raw", "raw/*", "runs", "current", "attempts"])
def test_a_power_cut_undoes_nothing_that_the_run_after_a_killed_one_told(
    stage, archive, tmp_path, folder
):
    start = replace(stage.folder.copy_to(tmp_path / "run"), tape=archive)
    dying = start.altered("killed_before_folder_sync").set(TRIAL_FOLDER=f"data/{folder}")

    died, killed = trace_run(dying, tmp_path / "killed.log")
    done, healing = trace_run(start, tmp_path / "healing.log")

    assert (died.code, done.code) == (-signal.SIGKILL, 0), died.err + done.err
    assert undone_by_power_loss(f"{start.root}/data", killed, healing) == []


@pytest.mark.parametrize("path", ["run/book.parquet", "tape/input-0.part"])
def test_bytes_whose_sync_failed_are_never_published(stage, points, tmp_path, path):
    [point] = [p for p in points if p.name == "fsync" and p.path.endswith(path)]

    verdict = syscall_trial(stage, "EIO", point, tmp_path, settings=QUICK_TRIES)

    assert verdict.problems == []
