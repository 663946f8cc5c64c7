"""The calculation phase: every KPI of the catalogue over the book, and what moved it."""

from settings.kpis import load_catalogue
from warehouse.book import book_parameters
from warehouse.job import Calculated, Job, Transformed
from warehouse.kpis import compute_kpis, health_components, prepare_kpis, write_kpis
from warehouse.run_folder import previous_run
from warehouse.sealed_changes import write_changes
from warehouse.tables import view_run_tables
from warehouse.tracing import tell


def calculate(job: Job, transformed: Transformed) -> Calculated:
    """Compute every KPI of the catalogue into the run; an unknown one keeps its reason.

    Raises:
        KpiDefinitionError: A KPI's SQL does not return what every KPI returns.
    """
    settings, run = job.settings, job.paths.run
    before = previous_run(job.layout, transformed.ingested.identity)
    with job.open_engine("calculation", *([before.folder] if before else [])) as db:
        view_run_tables(db, run)
        prepare_kpis(db, settings.health)
        parameters = book_parameters(settings, transformed.ingested.as_of)
        kpis = compute_kpis(db, load_catalogue(), parameters, transformed.ingested.tape)
        health = health_components(db)
        rows = write_kpis(db, kpis, run)
        write_changes(db, job, transformed, kpis, before)
    unknown = [kpi.name for kpi in kpis if kpi.value is None]
    job.attempt.log.info("kpis computed", kpis=len(kpis), unknown=unknown)
    tell(rows_in=transformed.rows["book.parquet"], rows_out=len(kpis), unknown_kpis=len(unknown))
    return Calculated(transformed, kpis, health, rows)
