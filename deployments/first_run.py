"""`make run`: the daily flow on a synthetic tape of the real size, then its KPIs and what next."""

import logging
import os
import sys
from pathlib import Path

from rich.console import Console
from rich.status import Status

from deployments.render import open_console, print_outcome, short_path
from settings.errors import BusyError, TapewatchError
from settings.load import load_settings
from settings.model import Settings
from settings.prefect_home import prefect_environment
from warehouse.job import RunOutcome
from warehouse.synthetic import write_tape

DEMO_LOANS = 17_688  # the size of the export the definitions were proved on
DEMO_PORTFOLIO = "demo"  # a real tape must not be held against the synthetic one
_COMMAND = "PIPELINE_ENV=development .venv/bin/tapewatch"


class _PhaseLines(logging.Handler):
    """Show a line when a phase starts and when it is done, and what goes wrong between."""

    def __init__(self, console: Console, status: Status) -> None:
        super().__init__()
        self._console, self._status = console, status

    def emit(self, record: logging.LogRecord) -> None:
        phase = getattr(record, "phase", None)
        seconds = getattr(record, "seconds", None)
        if phase and seconds is None:
            self._status.update(f"{phase} …")
        elif phase:
            self._console.print(f"  [green]✓[/] {phase:<15}{seconds:6.1f} s", highlight=False)
        elif record.levelno >= logging.WARNING:
            self._console.print(f"  [yellow]{record.getMessage().splitlines()[0]}[/]")


def main() -> int:
    """Run the demo and return its exit code."""
    os.umask(0o077)
    console = Console(stderr=True)
    try:
        settings = load_settings(portfolio=DEMO_PORTFOLIO)
        tape = _demo_tape(console, settings)
        outcome = _run_flow(console, settings, tape)
    except TapewatchError as error:
        console.print(error.line(), style="red", highlight=False, soft_wrap=True)
        return error.exit_code
    print_outcome(open_console(), outcome, settings, is_demo=True, command=_COMMAND)
    return 0


def _demo_tape(console: Console, settings: Settings) -> Path:
    folder = settings.paths.data_dir / "synthetic" / f"{DEMO_LOANS}-seed7"
    if not folder.is_dir():
        with console.status(f"making a synthetic tape of {DEMO_LOANS:,} loans …"):
            write_tape(folder, DEMO_LOANS)
    told = f"tape of {DEMO_LOANS:,} loans in {short_path(folder)}"
    console.print(f"  [green]✓[/] {told}", highlight=False)
    return folder


def _run_flow(console: Console, settings: Settings, tape: Path) -> RunOutcome:
    os.environ.update(prefect_environment(settings.paths))  # read when Prefect is imported
    os.environ["PREFECT_LOGGING_LOGGERS_PREFECT_LEVEL"] = "WARNING"  # our lines tell it shorter
    with console.status("starting Prefect's own server (half a minute the first time) …") as status:
        from flows.daily import daily

        _listen(_PhaseLines(console, status))
        outcome = daily(inputs=[tape], portfolio=DEMO_PORTFOLIO)
        if not isinstance(outcome, RunOutcome):
            raise BusyError("another run is at work", fix="wait for it, then make run again")
        return outcome


def _listen(lines: logging.Handler) -> None:
    """Replace Prefect's console lines by ours; its server still receives all of them."""
    for name in ("prefect", "prefect.flow_runs", "prefect.task_runs"):
        logger = logging.getLogger(name)
        for handler in [h for h in logger.handlers if type(h).__name__ == "PrefectConsoleHandler"]:
            logger.removeHandler(handler)
        logger.addHandler(lines)
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(name).propagate = False
        logging.getLogger(name).setLevel(logging.INFO)


if __name__ == "__main__":
    sys.exit(main())
