"""The daily flow: one tape from its bytes to a served run, with the KPIs as an artifact."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal
from uuid import uuid4

from prefect import State, flow, get_run_logger
from prefect.states import Completed

from blocks.clients.traces import start_traces
from settings.load import load_settings
from settings.version import code_version
from tasks.artifacts import publish_kpi_table
from tasks.delivery import delivery
from tasks.feed import export_feed
from tasks.phases import prefect_phases
from tasks.progress import Progress, name_flow_run
from tasks.report import draw_report
from tasks.showing import artifact_key
from warehouse.job import AcceptedAnomaly, RunOutcome, RunRequest
from warehouse.lock import LockHeldError
from warehouse.run import Start, run_daily
from warehouse.stopping import engines_stop

start_traces()  # a worker imports this file and then begins the span of the flow run


@flow(name="daily", flow_run_name="daily", persist_result=False, validate_parameters=True)
def daily(
    inputs: list[Path] | None = None,
    as_of: date | Literal["yesterday"] | None = None,
    portfolio: str | None = None,
    is_backfill: bool = False,
    accepted: AcceptedAnomaly | None = None,
) -> RunOutcome | State[None]:
    """Run the four phases on one export and show its KPIs; end as Busy when another run is at work.

    Args:
        inputs: The export's ZIP, workbook, folder or files; without them it is fetched from
            Cascade as the block cascade-export/<portfolio> or the settings say, or else the
            newest export of the drop folder is taken.
        as_of: The day the tape is of, "yesterday" in the portfolio's time zone, as the schedule
            says; read off its ledger when absent.
        portfolio: Whose book this is; the settings' portfolio when absent.
        is_backfill: Store a day older than the served one without serving it.
        accepted: Which unusual run is right after all, and why.

    Raises:
        TapewatchError: What stopped the run, with the next step.
    """
    settings = load_settings(portfolio=portfolio)
    start = Start(uuid4().hex, datetime.now(UTC), code_version())
    day = settings.portfolio.yesterday(start.now) if as_of == "yesterday" else as_of
    request = RunRequest(tuple(inputs or ()), day, is_backfill, accepted)
    feed = None if inputs else export_feed(settings)
    book, log = settings.portfolio.name, get_run_logger()
    name_flow_run(f"{book} {day or 'newest tape'}")
    progress = Progress(artifact_key("progress", book), f"{book}: four phases, then the pages")
    phases = prefect_phases(settings.phases, progress)
    try:
        with engines_stop():
            outcome = run_daily(request, settings, start, phases, feed, delivery(settings))
    except LockHeldError as error:  # no failure: the other run does the work
        log.warning(error.line())
        return Completed(name="Busy", message=error.line())
    name_flow_run(f"{book} {outcome.sealed.manifest.identity.as_of}")
    progress.show(100)
    shown = publish_kpi_table(outcome, return_state=True)
    if not shown.is_completed():  # the run is published: a page that is not drawn undoes nothing
        log.warning("the table of KPIs could not be shown: %s", shown.name)
    drawn = draw_report(outcome, settings, return_state=True)
    if not drawn.is_completed():
        log.warning("the report could not be drawn: %s; try tapewatch report", drawn.name)
    log.info("%s: %s", outcome.outcome, outcome.sealed.name)
    return outcome
