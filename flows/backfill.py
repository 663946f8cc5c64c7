"""The backfill flow: the KPIs of past days, worked out from the tape that is served."""

from datetime import date

from prefect import flow

from blocks.clients.traces import start_traces
from settings.load import load_settings
from tasks.backfill import backfill_past
from tasks.progress import name_flow_run
from warehouse.backfill import Backfilled, Every, PastDays
from warehouse.stopping import engines_stop

start_traces()  # as in flows/daily.py


@flow(name="backfill", flow_run_name="backfill", persist_result=False, validate_parameters=True)
def backfill(
    first: date | None = None,
    last: date | None = None,
    every: Every = "month",
    portfolio: str | None = None,
) -> Backfilled:
    """Work out every KPI of each month end, Sunday or day in the range.

    Args:
        first: Where the range begins; at the first loan when absent.
        last: Where it ends; at the day of the served run when absent, and never later.
        every: month, week or day.
        portfolio: Whose book this is; the settings' portfolio when absent.

    Raises:
        TapewatchError: What stopped it, with the next step.
    """
    settings = load_settings(portfolio=portfolio)
    name_flow_run(f"{settings.portfolio.name} by the {every}")
    with engines_stop():
        return backfill_past(settings, PastDays(first, last, every))
