"""Show the KPIs of a run as a table artifact on the flow run's page."""

from prefect import task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE

from settings.kpis import find_kpi
from tasks.showing import artifact_key
from warehouse.job import RunOutcome
from warehouse.sealed_kpis import read_kpis


@task(
    name="KPI table",
    task_run_name="KPI table",
    description="Shows the KPIs of the run as a table on the flow run's page.",
    tags=["tapewatch"],
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=2,
    retry_delay_seconds=2,
)
def publish_kpi_table(outcome: RunOutcome) -> None:
    """Publish one row a KPI: value, status, thresholds, numerator and denominator."""
    rows = [
        {
            "KPI": find_kpi(kpi.name).title,
            "value": find_kpi(kpi.name).format(kpi.value),
            "status": kpi.status,
            "thresholds": find_kpi(kpi.name).threshold_line(),
            "numerator": _text(kpi.numerator),
            "denominator": _text(kpi.denominator),
            "why unknown": kpi.reason or "",
        }
        for kpi in read_kpis(outcome.sealed)
    ]
    manifest = outcome.sealed.manifest
    create_table_artifact(
        key=artifact_key("kpis", manifest.identity.portfolio),
        table=rows,
        description=f"{manifest.identity.portfolio} on {manifest.identity.as_of}: "
        f"run {outcome.sealed.name}, {outcome.outcome}",
    )


def _text(number: object) -> str:
    return "" if number is None else f"{number:,.2f}"
