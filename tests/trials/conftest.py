"""The stage of the trials: a small tape, its older version already served, a dead attempt.

`TRIAL_JOURNAL=FILE` keeps a line for each trial that ran, by the name that plays it again.
"""

import json
import os
import signal
from pathlib import Path

import pytest

from tests.trials.evidence import expect, served
from tests.trials.killing import Stage, trial_names
from tests.trials.run_process import DataFolder
from tests.trials.syscalls import syscall_faults
from warehouse.synthetic import write_tape

LOANS = 400
SOAK = 1_000
# What the disk leaves to a run: in the suite, and in a soak.
SIZES = {
    "disk_share": ([(n, 9) for n in range(1, 9)], [(n, 31) for n in range(1, 31)]),
    "files_share": ([(0, 2), (1, 2)], [(n, 8) for n in range(8)]),
    "stingy_limit": (
        ["--nofile=8", "--nofile=11", "--fsize=100", "--fsize=60000"],
        [*(f"--nofile={n}" for n in range(6, 12)), *(f"--fsize={2**k}" for k in range(16))],
    ),
}


def pytest_generate_tests(metafunc):
    trials = metafunc.config.getoption("--trials")
    if "trial_name" in metafunc.fixturenames:
        metafunc.parametrize("trial_name", trial_names(trials))
    if "stop_seed" in metafunc.fixturenames:
        metafunc.parametrize("stop_seed", range(max(1, trials // 6)))
    is_soak = trials >= SOAK
    for name, (in_suite, in_soak) in SIZES.items():
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, in_soak if is_soak else in_suite, ids=_shown)
    if "syscall_fault" in metafunc.fixturenames:
        faults = syscall_faults(trials)
        metafunc.parametrize("syscall_fault", faults, ids=[f"{f.name}-{f.number}" for f in faults])


def _shown(size):
    return "of".join(map(str, size)) if isinstance(size, tuple) else str(size)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    told = dict(item.user_properties)
    path = os.environ.get("TRIAL_JOURNAL")
    if path and call.when == "call" and "kind" in told:
        line = {"name": item.nodeid, "verdict": report.outcome, "kills": 0} | told
        with Path(path).open("a", encoding="utf-8") as journal:
            journal.write(json.dumps(line) + "\n")
    return report


@pytest.fixture(scope="session")
def tapes(tmp_path_factory):
    """A tape, and the same rows in another order: other bytes, the same book."""
    root = tmp_path_factory.mktemp("tapes")
    new = write_tape(root / "new", LOANS).folder
    (root / "old").mkdir()
    for table in new.glob("*.csv"):
        header, *rows = table.read_bytes().splitlines(keepends=True)
        (root / "old" / table.name).write_bytes(header + b"".join(reversed(rows)))
    return root / "old", new


@pytest.fixture(scope="session")
def stage(tmp_path_factory, tapes):
    root = tmp_path_factory.mktemp("stage")
    old, new = tapes
    folder = DataFolder(root / "start", new)
    folder.root.mkdir(mode=0o700)
    first = DataFolder(folder.root, old).run("--as-of", "2025-12-09")
    assert first.code == 0, first.err
    assert folder.run(crash_at="copy_done").code == -signal.SIGKILL
    never_killed = folder.copy_to(root / "never_killed")
    seconds = never_killed.seconds_under_lock()
    expected = expect(folder.root, never_killed.root)
    assert served(never_killed.root) == expected.new_run != expected.old_run
    return Stage(folder, expected, seconds)


@pytest.fixture
def data_folder(stage, tmp_path):
    """A fresh copy of the stage's data folder."""
    return stage.folder.copy_to(tmp_path / "here")
