"""A signal ends the statements of the engines, and leaves its handler to whoever has set it."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import os, signal, sys
from pathlib import Path
from threading import Timer
from settings.model import EngineSettings
from warehouse.engine import open_engine
from warehouse.stopping import engines_stop

class Stop(BaseException):
    pass

def stop(number, frame):
    raise Stop

signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGALRM, lambda number, frame: None)
settings = EngineSettings(memory_limit="500MB", max_temp_size="1GB", threads=1)

def count(rows):
    with open_engine(settings, Path(sys.argv[1]), ()) as db:
        return db.execute(f"select count(hash(range)) from range({rows})").fetchone()[0]

def in_a_moment(number):
    Timer(0.3, os.kill, [os.getpid(), number]).start()
"""
ENDS = """
try:
    with engines_stop():
        in_a_moment(signal.SIGTERM)
        count(100_000_000_000)
except (Stop, KeyboardInterrupt):
    print("stopped")
"""
OTHER_SIGNAL = """
with engines_stop():
    in_a_moment(signal.SIGALRM)
    print(count(20_000_000))
"""
AFTERWARDS = """
print(count(20_000_000))
"""


def printed(tmp_path, program):
    done = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", PROGRAM + program, str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.slow
def test_a_signal_ends_a_statement_and_those_after_the_block_go_on(tmp_path):
    assert printed(tmp_path, ENDS + AFTERWARDS) == ["stopped", "20000000"]


@pytest.mark.slow
def test_a_signal_that_asks_nobody_to_stop_ends_no_statement(tmp_path):
    assert printed(tmp_path, OTHER_SIGNAL) == ["20000000"]


@pytest.mark.slow
def test_in_another_thread_the_signals_are_left_alone(tmp_path):
    program = """
from threading import Thread
def inside():
    with engines_stop():
        print(count(10))
thread = Thread(target=inside)
thread.start()
thread.join()
"""

    assert printed(tmp_path, program) == ["10"]
