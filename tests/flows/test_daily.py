"""The daily flow on a real Prefect server: the same phases as the command line, as tasks."""

import asyncio
import json
import zipfile
from pathlib import Path

import pytest

from settings.errors import StorageError
from tests.export_server import COOKIE, TOKEN, serve_export
from tests.flows.artifacts import all_artifacts, newest_artifacts
from warehouse.attempts import PHASES
from warehouse.columns import SchemaMissingError
from warehouse.synthetic import write_tape

LOANS = 300


@pytest.fixture
def tape(tmp_path):
    return write_tape(tmp_path / "tape", LOANS).folder


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("PIPELINE_ENV", "development")
    monkeypatch.setenv("TAPEWATCH_DATA_DIR", str(tmp_path))
    return tmp_path


def flow_runs():
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        return client.read_flow_runs()


def task_runs():
    from prefect.client.orchestration import get_client

    async def read():
        async with get_client() as client:
            return await client.read_task_runs()

    return asyncio.run(read())


def test_the_flow_publishes_a_run_and_shows_its_kpis(prefect_server, home, tape):
    from flows.daily import daily

    outcome = daily(inputs=[tape], portfolio="small_loans")

    assert outcome.outcome == "published"
    assert (home / "data" / "runs" / outcome.sealed.name / "manifest.json").is_file()
    (table,) = [artifact for artifact in all_artifacts() if artifact.key == "kpis-small-uloans"]
    rows = {row["KPI"]: row for row in json.loads(table.data)}
    assert rows["PAR 90"]["status"] in ("ok", "warning", "critical")
    assert rows["PAR 90"]["thresholds"] == "warning > 3.00 %, critical > 5.00 %"
    assert b"PAR 90" in (outcome.log_folder / "report.html").read_bytes()


def test_the_page_of_a_flow_run_says_what_changed_and_where_to_read_on(
    prefect_server, home, tape, monkeypatch
):
    from flows.daily import daily

    monkeypatch.setenv("TAPEWATCH_ALERTING__REPORTS_URL", "https://reports.example.com/logs")
    monkeypatch.setenv("TAPEWATCH_ALERTING__GRAFANA_URL", "https://grafana.example.com")
    daily(inputs=[tape], as_of="2025-12-09")

    outcome = daily(inputs=[tape], as_of="2025-12-10")

    shown = newest_artifacts()
    assert shown["what-changed-default"].data.startswith("# default on 2025-12-10\n")
    assert f"Against run {outcome.previous.name}" in shown["what-changed-default"].data
    page = f"https://reports.example.com/logs/runs/{outcome.log_folder.name}/report.html"
    assert f"({page})" in shown["report-default"].data
    assert "https://grafana.example.com" in shown["dashboards"].data
    assert float(shown["progress-default"].data) == 100
    assert {"default 2025-12-09", "default 2025-12-10"} <= {run.name for run in flow_runs()}


def test_the_bar_moves_inside_the_phases_and_never_back(prefect_server, home, tape, monkeypatch):
    from flows.daily import daily
    from tasks import progress

    really, moved = progress.update_progress_artifact, []

    def update(artifact, percent):
        moved.append(percent)
        return really(artifact, percent)

    monkeypatch.setattr("tasks.progress.update_progress_artifact", update)
    monkeypatch.setattr("tasks.progress._MOVE_SECONDS", 0)  # a small tape takes less than one

    daily(inputs=[tape])

    assert moved == sorted(moved)
    # 8 files read the tape, 40 checks and more make the book, 15 KPIs are worked out; none seals
    inside = [sum(begin < percent < begin + 25 for percent in moved) for begin in (0, 25, 50, 75)]
    assert inside[0] >= 4
    assert inside[1] >= 40
    assert inside[2] >= 15
    assert inside[3] == 0
    assert moved[-1] == 100


def test_a_server_that_draws_nothing_stops_nothing(prefect_server, home, tape, monkeypatch):
    from flows.daily import daily

    def refuse(*_, **__):
        raise ConnectionError("the server is gone")

    for name in ("create_progress_artifact", "get_client"):
        monkeypatch.setattr(f"tasks.progress.{name}", refuse)

    assert daily(inputs=[tape]).outcome == "published"


def test_a_report_that_cannot_be_drawn_fails_no_run(prefect_server, home, tape, monkeypatch):
    from flows.daily import daily

    def refuse(*_):
        raise StorageError("the disk is full", fix="make room")

    monkeypatch.setenv("TAPEWATCH_ALERTING__REPORTS_URL", "https://reports.example.com/logs")
    monkeypatch.setattr("tasks.report.write_page", refuse)

    known = {run.id for run in task_runs()}
    outcome = daily(inputs=[tape])

    assert outcome.outcome == "published"
    assert not (outcome.log_folder / "report.html").exists()
    failed = [run for run in task_runs() if run.state_name == "Failed" and run.id not in known]
    assert [run.name for run in failed] == ["report"]
    shown = [a for a in all_artifacts() if a.task_run_id == failed[0].id]
    # and no link to a page that is not there
    assert [a.key for a in shown] == ["what-changed-default"]


def test_an_artifact_that_is_refused_takes_nothing_else_with_it(
    prefect_server, home, tape, monkeypatch
):
    from flows.daily import daily

    def refuse(*_, **__):
        raise ConnectionError("the server is gone")

    monkeypatch.setenv("TAPEWATCH_ALERTING__REPORTS_URL", "https://reports.example.com/logs")
    monkeypatch.setattr("tasks.report.create_markdown_artifact", refuse)

    known = {run.id for run in task_runs()}
    outcome = daily(inputs=[tape])

    assert (outcome.log_folder / "report.html").is_file()
    (drawn,) = [run for run in task_runs() if run.name == "report" and run.id not in known]
    assert drawn.state_name == "Completed"
    assert [a.key for a in all_artifacts() if a.task_run_id == drawn.id] == ["report-default"]


def test_the_flow_answers_the_same_tape_once(prefect_server, home, tape):
    from flows.daily import daily

    first = daily(inputs=[tape])

    again = daily(inputs=[tape])

    assert (again.outcome, again.sealed.name) == ("already_published", first.sealed.name)


def test_a_schema_error_is_never_retried(prefect_server, home, tape):
    from flows.daily import daily

    loans = tape / "loans.csv"
    loans.write_text(loans.read_text().replace("disburse_principal", "amount", 1))

    known = {run.id for run in task_runs()}
    with pytest.raises(SchemaMissingError, match="disburse_principal"):
        daily(inputs=[tape])

    # of this flow run alone: what other flows of this server did may be told late
    ours = [run for run in task_runs() if run.id not in known and run.name in PHASES]
    assert [(run.name, run.state_name, run.run_count) for run in ours] == [
        ("ingestion", "Failed", 1)
    ]


def test_what_can_heal_is_tried_again(prefect_server, home):
    from prefect import flow

    from settings.load import load_settings
    from tasks.phases import prefect_phases

    tries = []

    def step():
        tries.append(1)
        if len(tries) == 1:
            raise StorageError("the disk was busy", fix="try again")
        return "done"

    settings = load_settings()
    quick = settings.phases.output.model_copy(update={"retry_delay_seconds": 0.01})
    policies = settings.phases.model_copy(update={"output": quick})

    @flow(name="retries")
    def retries():
        return prefect_phases(policies)("output", step)

    assert retries() == "done"
    assert len(tries) == 2


def test_the_flow_takes_the_export_that_a_saved_block_names(prefect_server, home, tape, tmp_path):
    from blocks.cascade import CascadeExport
    from flows.daily import daily

    archive = tmp_path / "export.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in tape.iterdir():
            packed.write(path, path.name)
    with serve_export(archive.read_bytes()) as (url, seen):
        block = CascadeExport(portfolio="default", session_cookie=COOKIE, export_url=url)
        block.save("default", overwrite=True, _sync=True)

        outcome = daily()

    CascadeExport.delete("default", _sync=True)
    assert outcome.outcome == "published"
    assert outcome.sealed.manifest.ingestion["origin"] == "cascade"
    assert len(seen) == 1
    assert not [secret for secret in (COOKIE, TOKEN) if secret.encode() in prefect_database()]


def prefect_database():
    """Return every byte of the server's database: its secrets are encrypted there."""
    from prefect.settings import PREFECT_SERVER_DATABASE_CONNECTION_URL

    url = str(PREFECT_SERVER_DATABASE_CONNECTION_URL.value())
    path = Path(url.split("///")[1])
    assert path.is_file()
    return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))
