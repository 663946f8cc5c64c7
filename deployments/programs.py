"""Start a program, wait until it says where it listens, and end it when it is no longer needed."""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from settings.errors import ConfigError

_STARTS_WITHIN_SECONDS = 60
_ENDS_WITHIN_SECONDS = 20
_SHOWN_CHARACTERS = 300
# The end of its input means that it is no longer needed, also when its parent was killed. No shell
# does it: what a shell starts in the background ignores interrupts for good.
_KEEPER = """
import subprocess, sys, threading
program = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL)
def end():
    sys.stdin.read()
    program.terminate()
    try:
        program.wait(float(sys.argv[1]))
    except subprocess.TimeoutExpired:
        program.kill()
threading.Thread(target=end, daemon=True).start()
sys.exit(program.wait())
"""
# Debian's names first; those of the projects' own archives second.
_NAMES = {
    "prometheus": ("prometheus",),
    "alertmanager": ("prometheus-alertmanager", "alertmanager"),
}


class ProgramMissingError(ConfigError):
    """A program that is not part of Tapewatch is not installed."""

    code = "PROGRAM_MISSING"


class ProgramEndedError(ConfigError):
    """A program did not start, or ended by itself."""

    code = "PROGRAM_ENDED"


@dataclass
class Program:
    """A program of ours that runs, and where it listens and says what it does."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    address: str = ""

    def check(self) -> None:
        """Raise ProgramEndedError if it runs no more."""
        if self.process.poll() is not None:
            said = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            last = said[-1][-_SHOWN_CHARACTERS:] if said else "nothing"
            raise ProgramEndedError(
                f"{self.name} ended; its last line: {last}", fix=f"see {self.log}"
            )

    def end(self) -> None:
        """End it, and wait until it has; a second time does nothing."""
        assert self.process.stdin is not None  # noqa: S101 - it is a pipe
        self.process.stdin.close()
        self.process.wait(timeout=_ENDS_WITHIN_SECONDS + 5)


def find_program(name: str) -> str:
    """Return the path of `prometheus` or `alertmanager`.

    Raises:
        ProgramMissingError: It is not installed.
    """
    found = next((path for each in _NAMES[name] if (path := shutil.which(each))), None)
    if found is None:
        raise ProgramMissingError(
            f"{name} is not installed",
            fix="apt-get install prometheus prometheus-alertmanager (Debian, Ubuntu), or put the "
            "projects' own binaries on the PATH",
        )
    return found


@contextmanager
def running(
    name: str, command: Sequence[str], log: Path, address: str
) -> Generator[Program, None, None]:
    """Start a program and yield it once its log tells its address; never leave it behind.

    Args:
        name: What people call it.
        command: Its path and its arguments.
        log: Where its output goes; written anew.
        address: What finds the address in the log, as its first group.

    Raises:
        ProgramEndedError: It did not start.
    """
    with log.open("wb") as file:
        # a session of its own: an interrupt at the terminal is ours, and ends all in their order
        process = subprocess.Popen(  # noqa: S603 - a program that `find_program` found
            [sys.executable, "-ISc", _KEEPER, str(_ENDS_WITHIN_SECONDS), *command],
            stdin=subprocess.PIPE,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    program = Program(name, process, log)
    try:
        program.address = _address(program, address)
        yield program
    finally:
        program.end()


def _address(program: Program, pattern: str) -> str:
    until = time.monotonic() + _STARTS_WITHIN_SECONDS
    while time.monotonic() < until:
        if found := re.search(pattern, program.log.read_text(encoding="utf-8", errors="replace")):
            return found[1]
        program.check()
        time.sleep(0.05)
    raise ProgramEndedError(
        f"{program.name} does not say that it listens", fix=f"see {program.log}"
    )
