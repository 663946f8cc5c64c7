"""Where every error ends: one line on stderr for a person, an exit code for a program."""

import signal
import sys
import traceback
from types import FrameType
from typing import Never

import typer

from settings.errors import TapewatchError
from warehouse.stopping import interrupt_on_signals

USAGE_CODE = 64
INTERRUPTED = 130  # what typer makes of a KeyboardInterrupt


class StopSignal(KeyboardInterrupt):
    """A signal told this process to stop.

    Not a plain KeyboardInterrupt: one that comes while an import runs `exec`, as dataclasses do,
    lets `python -m` end by SIGINT instead of with its exit code, caught or not.
    """


class AttemptFailed(Exception):
    """An attempt ended by its `__cause__`; the id is None when it had not even begun."""

    def __init__(self, attempt_id: str | None) -> None:
        super().__init__(attempt_id)
        self.attempt_id = attempt_id


def stop_on_signals() -> None:
    """Make SIGTERM and SIGINT end what is at work in order; a second one ends it at once."""
    interrupt_on_signals()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)


def _stop(number: int, _frame: FrameType | None) -> Never:
    signal.signal(number, signal.SIG_DFL)
    raise StopSignal


def report(error: BaseException, *, is_debug: bool) -> int:
    """Tell an error on stderr, with its traceback only if asked for, and return its exit code."""
    if is_debug:
        traceback.print_exception(error)
    line, code = line_of(error)
    sys.stderr.write(f"{line}\n")
    return code


def line_of(error: BaseException) -> tuple[str, int]:
    """Return what a person reads of an error, on one line, and its exit code."""
    attempt_id = None
    if isinstance(error, AttemptFailed) and error.__cause__ is not None:
        attempt_id, error = error.attempt_id, error.__cause__
    if isinstance(error, TapewatchError):
        return error.line(attempt_id), error.exit_code
    if isinstance(error, typer.TyperException):
        told = " ".join(error.format_message().split())
        return f"TAPEWATCH-USAGE: {told} | fix: see tapewatch --help", USAGE_CODE
    from warehouse.attempt_folder import describe_error  # what --help does without

    facts = describe_error(error)
    return facts.line(attempt_id), facts.exit_code
