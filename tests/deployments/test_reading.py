"""The other everyday commands, and what they have in common."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.warehouse.mixed_tape import AS_OF

ROOT = Path(__file__).parents[2]
READING = [
    ["kpi"],
    ["kpi", "par_90"],
    ["kpi", "rdr_90", "--loans"],
    ["changed"],
    ["changed", "par_90"],
    ["runs"],
    ["runs", "list"],
    ["runs", "latest"],
    ["runs", "show", AS_OF],
    ["verify"],
    ["doctor"],
    ["config", "show"],
    ["credentials"],
    ["explain"],
    ["oncall"],
    ["oncall", "handover"],
    ["incident", "list"],
]


@pytest.mark.parametrize("arguments", READING, ids=" ".join)
def test_json_is_one_document_on_stdout_and_nothing_else(full_home, tapewatch, arguments):
    done = tapewatch(*arguments, "--json")

    assert (done.code, done.err) == (0, "")
    assert isinstance(json.loads(done.out), dict)


@pytest.mark.parametrize("arguments", READING, ids=" ".join)
def test_a_person_sees_no_raw_id_and_no_key(full_home, tapewatch, arguments):
    out = tapewatch(*arguments).out + tapewatch(*arguments, "--json").out

    assert not any(
        raw in out for raw in ("LATE-100", "DEF-0", "CLI7", os.environ["TAPEWATCH_PII_KEY"])
    )


@pytest.mark.slow
def test_no_everyday_command_imports_prefect(full_home, tape):
    commands = [["run", "--input", str(tape)], *READING, ["synthesize", "--loans", "60"]]
    code = (
        "import json, sys\n"
        "from deployments.cli import run_command\n"
        "for arguments in json.loads(sys.argv[1]):\n"
        "    assert run_command(arguments) == 0, arguments\n"
        "    met = {name.partition('.')[0] for name in sys.modules}\n"
        "    assert not met & {'prefect', 'prefect_slack', 'fastapi', 'pandas'}, arguments\n"
    )

    done = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", code, json.dumps(commands)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_help_imports_no_engine_and_no_settings():
    code = (
        "import sys\n"
        "from deployments.cli import run_command\n"
        "run_command(['--help'])\n"
        "met = {name.partition('.')[0] for name in sys.modules}\n"
        "assert not met & {'duckdb', 'pyarrow', 'structlog', 'pydantic', 'pydantic_settings'}\n"
        "assert not {'warehouse.engine', 'settings.model'} & {*sys.modules}\n"
    )

    program = [sys.executable, "-c", code]
    subprocess.run(program, cwd=ROOT, capture_output=True, check=True)  # noqa: S603 - see above


def test_runs_are_listed_with_the_attempts_that_failed(full_home, tapewatch):
    tapewatch("run", "--input", full_home / "none.zip")

    done = tapewatch("runs")

    assert f"{AS_OF}-" in done.out
    assert "served" in done.out
    assert "1 of 2 attempts did not succeed" in done.out
    assert "failed  TAPEWATCH-INPUT_NOT_FOUND: " in done.out
    assert "failed" in tapewatch("runs", "latest").out


def test_a_run_is_shown_with_its_rows_and_its_attempts(full_home, run_folder, tapewatch):
    document = json.loads(tapewatch("runs", "show", run_folder.name, "--json").out)

    assert document["state"] == "served"
    assert document["files"]["loan.parquet"]["rows"] == 14
    assert [attempt["outcome"] for attempt in document["attempts"]] == ["published"]


def test_the_list_of_an_empty_data_folder_says_how_to_begin(home, tapewatch):
    done = tapewatch("runs")

    assert done.code == 0
    assert "tapewatch run --input PATH" in done.out


def test_the_summary_of_an_attempt_may_be_gone(full_home, tapewatch):
    for path in (full_home / "logs" / "runs").glob("*/pipeline_summary.json"):
        path.write_text("{")

    assert tapewatch("runs", "latest").code == 0


def test_settings_are_shown_with_where_they_came_from(home, tapewatch, monkeypatch):
    monkeypatch.setenv("TAPEWATCH_ENGINE__THREADS", "2")

    rows = json.loads(tapewatch("config", "show", "--json").out)["settings"]

    by_name = {row["name"]: row for row in rows}
    assert by_name["pii_key"]["value"] == "********"
    assert by_name["engine.threads"]["value"] == "2"
    assert by_name["engine.threads"]["source"] == "env TAPEWATCH_ENGINE__THREADS"


def test_a_synthetic_tape_is_made_once_and_can_be_run(home, tapewatch, tmp_path):
    folder = tmp_path / "synthetic"

    made = tapewatch("synthesize", "--loans", "300", "--out", folder, "--json")
    again = tapewatch("synthesize", "--loans", "300", "--out", folder)

    assert json.loads(made.out)["rows"]["loans"] == 300
    assert again.code == 64
    assert tapewatch("run", "--input", folder).code == 0


def test_a_sound_machine_gets_a_clean_bill(full_home, tapewatch):
    document = json.loads(tapewatch("doctor", "--json").out)

    assert document["is_healthy"] is True
    assert {check["verdict"] for check in document["checks"]} == {"ok"}


def test_the_doctor_names_a_wrong_setting_and_its_fix(full_home, tapewatch, monkeypatch):
    monkeypatch.setenv("TAPEWATCH_ENGINE__THREADS", "many")

    done = tapewatch("doctor")

    assert done.code == 78
    assert "TAPEWATCH_ENGINE__THREADS" in done.out
    assert "fix: " in done.out
    assert done.err.startswith("TAPEWATCH-DOCTOR: 1 of 5 checks failed: settings")


def test_the_doctor_finds_a_damaged_run(full_home, run_folder, tapewatch):
    (run_folder / "book.parquet").unlink()

    done = tapewatch("doctor")

    assert done.code == 78
    assert "served run" in done.err


def test_the_doctor_sees_what_a_dead_run_left(full_home, tapewatch):
    (full_home / "data" / "staging" / "dead").mkdir()

    checks = json.loads(tapewatch("doctor", "--json").out)["checks"]

    (writer,) = (check for check in checks if check["check"] == "writer")
    assert (writer["verdict"], "dead" in writer["found"]) == ("warning", True)
