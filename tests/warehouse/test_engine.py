"""A statement ends when its time is over or a signal came, and the error says which it was."""

import subprocess
import sys
from pathlib import Path
from threading import Timer

import pytest

from settings.running import EngineSettings
from warehouse.engine import PhaseTimeoutError, interrupt_engines, open_engine

ROOT = Path(__file__).parents[2]
ENGINE = EngineSettings(memory_limit="500MB", max_temp_size="1GB", threads=1)
HOURS = "select sum(hash(range)) from range(100000000000)"
LOAD = """
import os, signal, sys
from pathlib import Path
from threading import Timer
from deployments.edge import stop_on_signals
from settings.model import EngineSettings
from warehouse.engine import open_engine

stop_on_signals()
Timer(float(sys.argv[2]), os.kill, [os.getpid(), signal.SIGTERM]).start()
settings = EngineSettings(memory_limit="500MB", max_temp_size="1GB", threads=1)
try:
    with open_engine(settings, Path(sys.argv[1]), ()) as db:
        db.execute("select sum(hash(range)) from range(100000000000)").fetchall()
except KeyboardInterrupt:
    sys.exit(143)
"""
LEFT_OPEN = """
import sys
from pathlib import Path
from settings.model import EngineSettings
from warehouse.engine import open_engine

settings = EngineSettings(memory_limit="500MB", max_temp_size="1GB", threads=1)
left = open_engine(settings, Path(sys.argv[1]), (), 600)
left.__enter__()
"""


def test_a_statement_is_ended_when_its_time_is_over(tmp_path):
    with (
        pytest.raises(PhaseTimeoutError, match=r"after 0\.2 seconds"),
        open_engine(ENGINE, tmp_path, (), 0.2) as db,
    ):
        db.execute(HOURS)


def test_a_statement_ended_for_a_signal_was_not_too_slow(tmp_path):
    with pytest.raises(KeyboardInterrupt), open_engine(ENGINE, tmp_path, (), 600) as db:
        Timer(0.2, interrupt_engines).start()
        db.execute(HOURS)


def test_a_process_that_had_no_time_to_close_its_engine_does_not_wait_for_the_limit(tmp_path):
    done = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", LEFT_OPEN, str(tmp_path)], cwd=ROOT, timeout=60, check=False
    )

    assert done.returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("seconds", ["0.01", "0.03", "0.05", "0.07", "0.1", "0.15"])
def test_a_signal_while_the_engine_loads_does_not_abort_the_process(tmp_path, seconds):
    done = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", LOAD, str(tmp_path), seconds],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stderr) == (143, "")
