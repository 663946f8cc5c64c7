"""Draw the page that alerts and messages link to, where they link to one."""

from pathlib import Path

from deployments.render import open_console
from settings.model import Settings
from warehouse.attempt_folder import describe_error
from warehouse.layout import Layout
from warehouse.run_folder import SealedRun


def draw_if_linked(run: SealedRun, folder: Path | None, settings: Settings) -> None:
    """Draw the report of `run`, into the log folder of its own attempt when `folder` is None.

    Without `alerting.reports_url` nobody would miss it; a page that is not drawn undoes nothing.
    """
    if settings.alerting.reports_url is None:
        return
    from warehouse.report.write import gather_facts, report_folder, write_page  # costs a second

    layout = Layout.of(settings)
    try:
        facts = gather_facts(run, layout, settings)
        write_page(facts, folder or report_folder(run, layout), layout)
    except Exception as error:  # noqa: BLE001 - what was asked for is done
        told = f"the report could not be drawn: {describe_error(error).message}"
        console = open_console(stderr=True)
        console.print(told, style="yellow", markup=False, soft_wrap=True)
