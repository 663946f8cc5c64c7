"""Start the shipped command line on a data folder of its own, let it end, or end it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parents[2]
ALTERED = Path(__file__).with_name("altered_cli.py")
DEADLINE_SECONDS = 300  # a disk that others keep busy may hold an fsync for minutes
_LOOK_SECONDS = 0.002


@dataclass(frozen=True)
class Done:
    """How a run ended: its exit code, negative for a signal, and what it said."""

    code: int
    out: str
    err: str

    @property
    def outcome(self) -> str:
        return json.loads(self.out)["outcome"]


@dataclass(frozen=True)
class DataFolder:
    """A data folder, the tape its runs take, and what of a run is otherwise than shipped.

    The alterations are those of `altered_cli.py`; `under` is the command that starts the run, and
    `settings` are its environment variables.
    """

    root: Path
    tape: Path
    alteration: str | None = None
    under: tuple[str, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()

    def copy_to(self, root: Path) -> Self:
        shutil.copytree(self.root, root, symlinks=True)
        return replace(self, root=root)

    def moved_to(self, root: Path) -> Self:
        return replace(self, root=root)

    def altered(self, alteration: str | None) -> Self:
        return replace(self, alteration=alteration)

    def started_under(self, *command: str) -> Self:
        return replace(self, under=command)

    def set(self, **settings: str) -> Self:
        return replace(self, settings=tuple(settings.items()))

    def start(self, *arguments: str, crash_at: str = "") -> subprocess.Popen:
        program = ["-m", "deployments.cli"]
        if self.alteration is not None:
            program = [str(ALTERED), self.alteration]
        run = ["run", "--json", "--input", str(self.tape), *arguments]
        return subprocess.Popen(  # noqa: S603
            [*self.under, sys.executable, *program, *run],
            cwd=self.root,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(ROOT),
                "PYTHONFAULTHANDLER": "1",
                "PIPELINE_ENV": "development",
                "TAPEWATCH_DATA_DIR": str(self.root),
                "TAPEWATCH_TEST": "1",
                "TAPEWATCH_CRASH_AT": crash_at,
                **dict(self.settings),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, crash_at: str = "") -> Done:
        return end_of(self.start(*arguments, crash_at=crash_at))

    def start_and_wait(self, seconds: float) -> subprocess.Popen:
        """Start a run and return so many seconds after it took the lock."""
        process = self.start()
        self.wait_for_lock(process)
        time.sleep(seconds)
        return process

    def wait_for_lock(self, process: subprocess.Popen) -> None:
        until = time.monotonic() + DEADLINE_SECONDS
        while process.poll() is None and self._lock_holder() != process.pid:
            assert time.monotonic() < until, "the run did not take the lock"
            time.sleep(_LOOK_SECONDS)

    def seconds_under_lock(self) -> float:
        """Run to the end and return how long that took from the lock on."""
        process = self.start()
        self.wait_for_lock(process)
        started = time.monotonic()
        done = end_of(process)
        assert done.code == 0, done.err
        return time.monotonic() - started

    def _lock_holder(self) -> int | None:
        try:
            return json.loads((self.root / "data/lock").read_bytes())["pid"]
        except (OSError, ValueError):
            return None


def end_of(process: subprocess.Popen) -> Done:
    """Wait until a run has ended by itself."""
    with process:
        try:
            out, err = process.communicate(timeout=DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)  # it tells where it hangs
            out, err = process.communicate()
    return Done(process.returncode, out, err)


def wait_until_stopped(process: subprocess.Popen) -> bool:
    """Return whether the run has stopped itself; False once it has ended."""
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    if os.WIFSTOPPED(status):
        return True
    process.returncode = os.waitstatus_to_exitcode(status)  # waited for here, not by Popen
    return False
