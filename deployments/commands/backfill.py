"""`tapewatch backfill`: work out the KPIs of past days from the served tape."""

from datetime import UTC, datetime

from pydantic import JsonValue

from deployments.counted import count_days
from deployments.documents import print_json
from deployments.render import open_console, print_facts, short_path
from settings.model import Settings
from warehouse.backfill import Backfilled, PastDays, backfill
from warehouse.kpi_history import KpiHistory
from warehouse.layout import Layout
from warehouse.served import served_run


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
    with count_days(console, "backfilling") as told:
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
