"""The stage of the trials: a small tape, its older version already served, a dead attempt."""

import signal

import pytest

from tests.trials.evidence import expect, served
from tests.trials.killing import Stage, trial_names
from tests.trials.run_process import DataFolder
from warehouse.synthetic import write_tape

LOANS = 400


def pytest_generate_tests(metafunc):
    trials = metafunc.config.getoption("--trials")
    if "trial_name" in metafunc.fixturenames:
        metafunc.parametrize("trial_name", trial_names(trials))
    if "stop_seed" in metafunc.fixturenames:
        metafunc.parametrize("stop_seed", range(max(1, trials // 6)))


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
