"""Draw the report of a run, and show on the flow run's page what changed and where to read on."""

from pathlib import Path

from prefect import get_run_logger, task
from prefect.artifacts import create_link_artifact, create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from settings.model import Settings
from tasks.showing import artifact_key, showing
from warehouse.attempt_folder import REPORT
from warehouse.job import RunOutcome
from warehouse.layout import Layout
from warehouse.report.facts import KpiFacts, ReportFacts
from warehouse.report.wording import (
    before,
    change_reasons,
    changed_line,
    is_judged,
    move_line,
    shown,
    unusual,
    verdict,
)
from warehouse.report.write import gather_facts, write_page


@task(
    name="report",
    task_run_name="report",
    description="Draws report.html into the attempt's log folder, and tells what changed.",
    tags=["tapewatch"],
    cache_policy=NO_CACHE,
    persist_result=False,
    timeout_seconds=120,
)
def draw_report(outcome: RunOutcome, settings: Settings) -> Path:
    """Draw the report; `tapewatch report` can make it again at any time.

    What changed is shown before, so that a disk that refuses the page does not hide it.

    Raises:
        TapewatchError: The disk refused, or a file of the run cannot be read.
    """
    layout, alerting = Layout.of(settings), settings.alerting
    facts = gather_facts(outcome.sealed, layout, settings)
    portfolio = outcome.sealed.manifest.identity.portfolio
    with showing("what changed"):
        key = artifact_key("what-changed", portfolio)
        create_markdown_artifact(changes_page(facts), key=key, description=verdict(facts))
    if alerting.grafana_url is not None:
        _show_link("dashboards", "Dashboards", alerting.grafana_url)
    path = write_page(facts, outcome.log_folder, layout)
    get_run_logger().info("report: %s", path)
    if alerting.reports_url is not None:
        page = f"{alerting.reports_url}/runs/{outcome.log_folder.name}/{REPORT}"
        _show_link(artifact_key("report", portfolio), "The report of this run", page)
    return path


def _show_link(key: str, text: str, link: str) -> None:
    with showing(f"the link {key}"):
        create_link_artifact(link, link_text=text, key=key, description=text)


def changes_page(facts: ReportFacts) -> str:
    """Return what changed since the run before, in Markdown."""
    identity = facts.run.manifest.identity
    rows = [f"| {' | '.join(_cells(kpi))} |" for kpi in facts.kpis]
    reasons = [f"Not known: {reason} ({of})." for reason, of in change_reasons(facts)]
    lines = [
        f"# {identity.portfolio} on {identity.as_of}",
        f"**{verdict(facts)}**",
        changed_line(facts),
        "\n".join(["| KPI | before | now | status |", "|---|---:|---:|---|", *rows]),
        "\n".join(f"- **{kpi.title}** {move_line(kpi)}" for kpi in facts.kpis if kpi.change.move),
        "\n".join(f"- **{kpi.title}** {unusual(kpi)}" for kpi in facts.kpis if unusual(kpi)),
        *reasons,
    ]
    return "\n\n".join(filter(None, lines))


def _cells(kpi: KpiFacts) -> tuple[str, ...]:
    return kpi.title, before(kpi), shown(kpi), kpi.value.status if is_judged(kpi) else ""
