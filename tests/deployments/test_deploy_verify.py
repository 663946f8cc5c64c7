"""The hour after a deployment: each of the five criteria can fail, and says what to do then."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from deployments.snapshot import list_snapshots, take_snapshot
from settings.load import load_settings


@pytest.fixture
def stored(full_home, database, tapewatch, monkeypatch):
    """A served run that the audit store has got."""
    monkeypatch.setenv("SUPABASE_DB_URL", database.url("app"))
    assert tapewatch("deliver").code == 0
    return full_home


def criteria(tapewatch, *arguments):
    done = tapewatch("deploy-verify", "--json", *(arguments or ["--no-tests"]))
    told = json.loads(done.out)
    verdicts = {one["check"]: one["verdict"] for one in told["criteria"]}
    assert done.code == (0 if told["is_sound"] else 65)
    return verdicts, {one["check"]: one["found"] for one in told["criteria"]}


def test_a_sound_deployment_meets_all_that_was_checked(stored, tapewatch):
    verdicts, _ = criteria(tapewatch)

    assert verdicts == {
        "tests": "warning",  # left out: said so
        "latency": "ok",
        "KPIs": "ok",
        "audit store": "ok",
        "error logs": "ok",
    }


@pytest.mark.slow
@pytest.mark.parametrize(("claim", "verdict"), [("True", "ok"), ("False", "failed")])
def test_the_tests_are_run_and_judged(stored, tapewatch, tmp_path, claim, verdict):
    (tmp_path / "test_one.py").write_text(f"def test_one():\n    assert {claim}\n")

    verdicts, _ = criteria(tapewatch, "--tests", tmp_path / "test_one.py")

    assert verdicts["tests"] == verdict


def test_a_run_before_the_deployment_proves_nothing(stored, tapewatch):
    take_snapshot(load_settings(), datetime.now(UTC) + timedelta(minutes=1))

    verdicts, found = criteria(tapewatch)

    assert verdicts["latency"] == "failed"
    assert "no run since the deployment" in found["latency"]


def test_a_snapshot_of_the_same_code_is_no_deployment(stored, tapewatch):
    now, settings = datetime.now(UTC), load_settings()
    _, path = take_snapshot(settings, now - timedelta(days=1))
    deployed = json.loads(path.read_text())
    path.write_text(json.dumps(deployed | {"current": {}}))  # before the first run
    take_snapshot(settings, now + timedelta(minutes=1))

    assert len(list_snapshots(settings)) == 2
    assert criteria(tapewatch)[0]["latency"] == "ok"


def test_a_run_that_took_too_long_is_not_sound(stored, tapewatch):
    [path] = (stored / "data/attempts").iterdir()
    attempt = json.loads(path.read_text())
    started = datetime.fromisoformat(attempt["started_at"])
    late = {"started_at": (started - timedelta(minutes=11)).isoformat()}
    path.write_text(json.dumps(attempt | late))

    verdicts, _ = criteria(tapewatch)

    assert verdicts["latency"] == "failed"


def test_a_kpi_that_is_held_against_lines_and_has_no_value_is_not_sound(home, tmp_path, tapewatch):
    """A loan tape alone gives no collection rate on its first day."""
    tape = tmp_path / "loan_tape.csv"
    tape.write_text(
        "loan_id,client_id,outstanding_balance,days_past_due\nL1,C1,100.00,0\nL2,C2,50.00,95\n"
    )
    assert tapewatch("run", "--input", tape, "--as-of", "2025-12-01").code == 0

    verdicts, found = criteria(tapewatch)

    assert verdicts["KPIs"] == "failed"
    assert "collection_rate (" in found["KPIs"]


def test_a_store_that_has_not_got_the_run_is_named(full_home, database, tapewatch, monkeypatch):
    monkeypatch.setenv("SUPABASE_DB_URL", database.url("app"))

    verdicts, found = criteria(tapewatch)

    assert verdicts["audit store"] == "failed"
    assert "has not got" in found["audit store"]
    assert database.rows("app", "select count(*) from analytics.pipeline_runs") == [(0,)]


def test_without_a_store_nothing_was_persisted(full_home, tapewatch):
    assert criteria(tapewatch)[0]["audit store"] == "failed"


def test_a_failure_in_the_logs_is_found(stored, tapewatch):
    (stored / "logs/runs/latest/output_error.log").write_text("TAPEWATCH-STORAGE: ...")

    verdicts, found = criteria(tapewatch)

    assert verdicts["error logs"] == "failed"
    assert "output_error.log" in found["error logs"]


def test_a_failed_run_is_not_sound(stored, tmp_path, tapewatch):
    (tmp_path / "loans.csv").write_text("nothing\n")
    assert tapewatch("run", "--input", tmp_path / "loans.csv").code == 65

    verdicts, _ = criteria(tapewatch)

    assert (verdicts["latency"], verdicts["error logs"]) == ("failed", "failed")


def test_before_the_first_run_there_is_nothing_to_verify(home, tapewatch):
    done = tapewatch("deploy-verify", "--no-tests")

    assert done.code == 64
    assert "NOTHING_PUBLISHED" in done.err
