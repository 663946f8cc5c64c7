"""`tapewatch backfill`: work out the KPIs of past days from the served tape."""

import time
from contextlib import nullcontext
from datetime import UTC, datetime

from pydantic import JsonValue
from rich.console import Console
from rich.status import Status

from deployments.documents import print_json
from deployments.render import open_console, print_facts, short_path
from settings.model import Settings
from warehouse.backfill import Backfilled, PastDays, backfill
from warehouse.kpi_history import KpiHistory
from warehouse.layout import Layout
from warehouse.served import served_run

_QUIET_SECONDS, _LINE_SECONDS = 2, 10  # what is done sooner needs no word


def backfill_past(settings: Settings, asked: PastDays, *, is_json: bool) -> None:
    """Work out the days asked for, tell how far it is on stderr, and show what is known now.

    Raises:
        NothingPublishedError: There is no run to take the tape from.
        NoLedgerError: Its tape does not tell the past.
        NoPastDaysError: There is no such day.
        LockHeldError: Another backfill of this book is at work.
    """
    layout = Layout.of(settings)
    run = served_run(layout)
    console = open_console(stderr=True)
    with console.status("backfilling …") if console.is_terminal else nullcontext() as status:
        told = _Progress(console, status)
        done = backfill(layout, run, settings, asked, datetime.now(UTC), told)
    folder = KpiHistory.of(layout, run).folder
    if is_json:
        print_json({**_document(done), "every": asked.every, "folder": str(folder)})
        return
    out = open_console()
    out.print(f"run {run.name} tells the past: {_line(done)}", style="bold", soft_wrap=True)
    facts = {"days": f"{done.days[0]} to {done.days[-1]}, by the {asked.every}"}
    print_facts(
        out, {**facts, "folder": short_path(folder), "try next": "tapewatch history par_90"}
    )


class _Progress:
    """Tell on stderr how many days are done: in place on a terminal, else a line now and then."""

    def __init__(self, console: Console, status: Status | None) -> None:
        self._console, self._status = console, status
        self._next = time.monotonic() + _QUIET_SECONDS

    def __call__(self, done: int, of: int) -> None:
        line = f"backfilling: {done:,} of {of:,} days"
        if self._status is not None:
            self._status.update(f"{line} …")
        elif time.monotonic() > self._next:
            self._console.print(line, soft_wrap=True)
            self._next = time.monotonic() + _LINE_SECONDS


def _line(done: Backfilled) -> str:
    known = len(done.days) - len(done.new)
    return f"{len(done.new):,} days worked out, {known:,} known before"


def _document(done: Backfilled) -> dict[str, JsonValue]:
    return {
        "run": done.run.name,
        "run_id": done.run.manifest.run_id,
        "as_of": done.run.manifest.identity.as_of.isoformat(),
        "days": [day.isoformat() for day in done.days],
        "new": [day.isoformat() for day in done.new],
    }
