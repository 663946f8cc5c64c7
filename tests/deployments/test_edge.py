"""A signal ends a statement in the middle, whichever thread DuckDB keeps busy with it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
from pathlib import Path
from deployments.edge import stop_on_signals
from settings.model import EngineSettings
from warehouse.engine import open_engine

stop_on_signals()
settings = EngineSettings(memory_limit="500MB", max_temp_size="1GB", threads=int(sys.argv[2]))
try:
    with open_engine(settings, Path(sys.argv[1]), (), 600) as db:
        print("ready", flush=True)
        db.execute("select sum(hash(range)) from range(100000000000)").fetchall()
except KeyboardInterrupt:
    sys.exit(143)
"""
IN_EXEC = """
import sys
from deployments.edge import stop_on_signals

stop_on_signals()
try:
    exec("import os, signal, time; os.kill(os.getpid(), signal.SIGTERM); time.sleep(9)")
except KeyboardInterrupt:
    sys.exit(143)
"""


@pytest.mark.slow
@pytest.mark.parametrize("threads", ["1", "2"])
def test_a_signal_ends_a_statement_that_would_take_hours(tmp_path, threads):
    with subprocess.Popen(  # noqa: S603 - this interpreter
        [sys.executable, "-c", PROGRAM, str(tmp_path / "spill"), threads],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.3)  # well into the statement
        sent = time.monotonic()
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=20)
        finally:
            process.kill()

    assert process.returncode == 143
    assert time.monotonic() - sent < 5


def test_a_signal_during_an_exec_does_not_change_the_exit_code(tmp_path):
    (tmp_path / "stopped.py").write_text(IN_EXEC)

    done = subprocess.run(
        [sys.executable, "-m", "stopped"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=False,
    )

    assert done.returncode == 143
