"""Draw the report of a run into the attempt's log folder."""

from pathlib import Path

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from settings.model import Settings
from warehouse.job import RunOutcome
from warehouse.layout import Layout
from warehouse.report.write import write_report


@task(
    name="report",
    task_run_name="report",
    description="One page about the run, for people: report.html in the attempt's log folder.",
    cache_policy=NO_CACHE,
    persist_result=False,
    timeout_seconds=120,
)
def draw_report(outcome: RunOutcome, settings: Settings) -> Path:
    """Draw the report; it can be made again at any time with `tapewatch report`.

    Raises:
        TapewatchError: The disk refused, or a file of the run cannot be read.
    """
    path = write_report(outcome.sealed, Layout.of(settings), settings, outcome.log_folder)
    get_run_logger().info("report: %s", path)
    return path
