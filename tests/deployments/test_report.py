"""`tapewatch report`: the page of a run, wherever its attempt has its log."""

import hashlib
import json
import shutil
import webbrowser
from pathlib import Path

import pytest


def test_the_report_of_the_served_run_lies_with_its_log(full_home, run_folder, tapewatch):
    done = tapewatch("report")

    path = Path(done.out.strip())
    assert (done.code, done.err) == (0, "")
    assert path.name == "report.html"
    assert path.parent.samefile(full_home / "logs" / "runs" / "latest")
    assert f"Run {run_folder.name}, sealed" in path.read_text()
    assert "34.36\N{NO-BREAK SPACE}%" in path.read_text()  # PAR 90, as `tapewatch kpi` tells it


@pytest.mark.parametrize("name", ["2025-12-10", "run id"])
def test_a_run_can_be_named_and_the_json_proves_its_page(full_home, run_folder, tapewatch, name):
    run_id = json.loads((run_folder / "manifest.json").read_text())["run_id"]

    document = json.loads(tapewatch("report", run_id if name == "run id" else name, "--json").out)

    page = Path(document["report"]).read_bytes()
    assert document["run"] == run_folder.name
    assert document["sha256"] == hashlib.sha256(page).hexdigest()
    assert document["bytes"] == len(page)


def test_it_can_be_made_again_when_the_logs_are_gone(full_home, tapewatch):
    first = Path(tapewatch("report").out.strip()).read_bytes()
    shutil.rmtree(full_home / "logs")

    assert Path(tapewatch("report").out.strip()).read_bytes() == first


def test_open_shows_it_in_the_browser_of_the_machine(full_home, tapewatch, monkeypatch):
    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)  # a browser would stay open

    path = Path(tapewatch("report", "--open").out.strip())

    assert opened == [path.resolve().as_uri()]


def test_a_run_that_is_not_there_is_said_in_one_line(full_home, tapewatch):
    done = tapewatch("report", "2024")

    assert done.code == 64
    assert done.err.startswith("TAPEWATCH-NO_SUCH_RUN: no run '2024'")


def test_a_book_without_a_run_says_what_to_do(full_home, tapewatch):
    assert "tapewatch run --input PATH" in tapewatch("report", "--portfolio", "another").err


def test_a_run_draws_it_where_its_url_is_set_and_not_otherwise(
    full_home, tape, tapewatch, monkeypatch
):
    drawn = full_home / "logs" / "runs" / "latest" / "report.html"
    tapewatch("run", "--input", tape)
    assert not drawn.exists()

    monkeypatch.setenv("TAPEWATCH_ALERTING__REPORTS_URL", "https://reports.example.com/logs")
    done = tapewatch("run", "--input", tape)

    assert (done.code, drawn.is_file()) == (0, True)
    assert "/report.html" in done.out


def test_a_run_of_another_portfolio_keeps_its_own_past(full_home, tape, tapewatch):
    tapewatch("run", "--input", tape, "--portfolio", "retail")
    tapewatch("backfill", "--portfolio", "retail")
    (run,) = (json.loads(tapewatch("runs", "--json").out))["runs"][:1]
    asked = ("report", run["run"], "--json")

    of_the_other = json.loads(tapewatch(*asked).out)

    assert run["portfolio"] == "retail"
    assert "backfilled" in Path(of_the_other["report"]).read_text()
    own = json.loads(tapewatch(*asked, "--portfolio", "retail").out)
    assert of_the_other["sha256"] == own["sha256"]


def test_where_alerts_lead_lies_the_report_of_the_served_run_alone(full_home, tape, tapewatch):
    stable = full_home / "logs" / "served" / "development-default" / "report.html"
    drawn = Path(tapewatch("report").out.strip())
    assert stable.read_bytes() == drawn.read_bytes()
    assert stable.stat().st_mode & 0o777 == 0o600

    tapewatch("run", "--input", tape, "--as-of", "2025-12-03", "--backfill")
    assert tapewatch("run", "--input", full_home / "no.zip").code != 0  # `latest` has no report
    other = Path(tapewatch("report", "2025-12-03").out.strip())

    assert stable.read_bytes() == drawn.read_bytes() != other.read_bytes()


def test_a_rollback_takes_the_page_where_alerts_lead_along(full_home, tape, tapewatch, monkeypatch):
    monkeypatch.setenv("TAPEWATCH_ALERTING__REPORTS_URL", "https://reports.example.com/logs")
    tapewatch("run", "--input", tape)
    tapewatch("run", "--input", tape, "--as-of", "2025-12-03", "--backfill")

    done = tapewatch("rollback", "2025-12-03", "--reason", "wrong tape")

    assert done.code == 0, done.err
    stable = full_home / "logs" / "served" / "development-default" / "report.html"
    assert "Run 2025-12-03-" in stable.read_text()


def test_a_report_that_cannot_be_drawn_fails_no_run(full_home, tape, tapewatch, monkeypatch):
    def refuse(*_):
        raise ValueError("a cell of the tape")

    monkeypatch.setenv("TAPEWATCH_ALERTING__REPORTS_URL", "https://reports.example.com/logs")
    monkeypatch.setattr("warehouse.report.write.write_page", refuse)

    done = tapewatch("run", "--input", tape)

    assert done.code == 0
    assert "the report could not be drawn: ValueError in test_report.py" in done.err
    assert "a cell of the tape" not in done.err
