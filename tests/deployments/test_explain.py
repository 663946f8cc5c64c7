"""`tapewatch explain`: what on-call reads first, and that it is what really happened."""

import json
import os
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from settings.load import load_settings
from tests.warehouse.mixed_tape import AS_OF, mixed_tape
from warehouse.attempt_folder import utc_text
from warehouse.attempt_state import AttemptRecord, list_attempts, save_attempt
from warehouse.durable import replace_file
from warehouse.json_text import line_json
from warehouse.layout import Layout


@pytest.fixture
def bad_tape(tmp_path):
    """A tape without its customers."""
    tape = mixed_tape().write(tmp_path / "bad")
    (tape / "loans.csv").write_text("loan_id,term\nL1,3\n")
    return tape


@pytest.fixture
def failed(full_home, bad_tape, tapewatch):
    """A data folder that serves a run, and whose newest attempt failed."""
    assert tapewatch("run", "--input", bad_tape).code == 65
    return full_home


def explained(tapewatch, *arguments):
    done = tapewatch("explain", *arguments, "--json")
    assert (done.code, done.err) == (0, "")
    return json.loads(done.out)


def alerts_of(told):
    return {alert["alert"]: alert["level"] for alert in told["alerts"]}


def test_a_failed_run_is_told_with_phase_error_level_and_what_is_served(failed, tapewatch):
    told = explained(tapewatch, "latest")

    assert told["told"] == "the run failed in ingestion: nothing new is published"
    assert (told["failed_phase"], told["verdict"]) == ("ingestion", "failed")
    assert told["error"]["code"] == "SCHEMA_MISSING"
    assert "customer_id" in told["error"]["message"]
    assert (told["level"], told["respond_within"]) == ("P1", "15 minutes")
    assert told["escalation"] == "VP Engineering and CEO"
    assert alerts_of(told)["RunFailed"] == "P1"
    assert told["served"]["as_of"] == AS_OF
    assert told["served"]["is_this"] is False
    assert told["served"]["status"] == "critical"  # the day of the tape is long over
    assert told["first_action"].startswith("do what the fix says, then run again; nothing was")


def test_a_person_reads_the_error_its_fix_and_where_to_read_on(failed, tapewatch):
    out = tapewatch("explain").out

    assert out.startswith("the run failed in ingestion: nothing new is published\n")
    assert "TAPEWATCH-SCHEMA_MISSING: loans.csv has no column customer_id" in out
    assert "P1 (Critical): answer within 15 minutes; after that VP Engineering and CEO." in out
    assert "P1  RunFailed (failed): docs/runbooks/RunFailed.md" in out
    assert "ingestion_error.log" in out
    assert f"of {AS_OF}: its day ended" in out


def test_every_link_of_a_failed_run_leads_to_a_file(failed, tapewatch, monkeypatch):
    monkeypatch.chdir(failed)

    links = explained(tapewatch)["links"]

    assert set(links) == {"log", "error log"}
    assert all((failed / path).is_file() for path in links.values())


def test_links_are_addresses_where_the_settings_have_them(failed, tapewatch, monkeypatch):
    monkeypatch.setenv("TAPEWATCH_ALERTING__RUNBOOKS_URL", "https://docs.example/runbooks")
    monkeypatch.setenv("TAPEWATCH_ALERTING__GRAFANA_URL", "https://grafana.example")

    told = explained(tapewatch)

    [page] = [a["runbook"] for a in told["alerts"] if a["alert"] == "RunFailed"]
    assert page == "https://docs.example/runbooks/RunFailed.md"
    assert told["links"]["dashboards"] == "https://grafana.example"


def test_after_a_deployment_the_first_action_of_a_failed_run_is_to_roll_back(
    failed, tapewatch, monkeypatch
):
    monkeypatch.setattr("deployments.diagnosis.code_version", lambda: "9.9.9")

    assert "code is 9.9.9" in explained(tapewatch)["first_action"]
    assert "roll back if that was deployed today" in explained(tapewatch)["first_action"]


def test_a_good_run_is_told_with_what_is_beyond_its_lines(full_home, tapewatch):
    told = explained(tapewatch)

    assert told["verdict"] == "breached"
    assert told["told"].endswith("a new run is published, but the book is beyond its lines")
    assert (told["failed_phase"], told["error"]) == (None, None)
    assert told["served"]["is_this"] is True
    beyond = {breach["kpi"]: breach["status"] for breach in told["breaches"]}
    assert beyond["par_90"] == "critical"  # 10,000 of 100,000 in 100 days, and more that is older
    assert {"KpiBeyondEscalation", "KpiBeyondCritical"} & alerts_of(told).keys()


def test_a_run_that_somebody_stopped_raises_nothing(full_home, tapewatch):
    stopped = _attempt("5" * 32, "canceled", error=_failure(full_home))
    save_attempt(Layout.of(load_settings()), stopped)

    told = explained(tapewatch)

    assert told["told"] == (
        "the run was stopped in ingestion, as somebody asked: nothing new is published"
    )
    assert "RunFailed" not in alerts_of(told)


def test_a_run_whose_process_is_gone_is_told_as_dead_and_one_at_work_as_running(
    full_home, tapewatch
):
    layout = Layout.of(load_settings())
    save_attempt(layout, _attempt("6" * 32, "running"))
    dead = explained(tapewatch)
    name = {"pid": os.getpid(), "since": "2025-12-26T03:00:00+00:00", "attempt_id": "6" * 32}
    replace_file(layout.lock, line_json(name))  # as a run that is at work writes it

    assert (dead["verdict"], dead["error"]["code"]) == ("died", "ABANDONED")
    assert dead["told"] == "the run's process died in ingestion: nothing new is published"
    assert explained(tapewatch)["told"] == "the run is at work in ingestion"


def test_an_earlier_attempt_is_told_with_its_own_alerts_alone(failed, tape, tapewatch):
    [before, bad] = list_attempts(Layout.of(load_settings()))
    tapewatch("run", "--input", tape)

    told = explained(tapewatch, bad.log_folder)

    assert told["is_newest"] is False
    assert alerts_of(told) == {"RunFailed": "P1"}
    assert told["first_action"] == "see tapewatch explain latest: a later attempt has ended since"
    assert told["served"] is None
    assert explained(tapewatch, before.attempt_id[:8])["verdict"] == "breached"
    assert explained(tapewatch, AS_OF)["attempt"] != before.attempt_id  # the newest with that run


def test_a_portfolio_is_explained_apart(failed, tape, tapewatch):
    assert tapewatch("run", "--input", tape, "--portfolio", "second").code == 0

    assert explained(tapewatch)["portfolio"] == "second"
    assert explained(tapewatch, "--portfolio", "default")["verdict"] == "failed"
    assert "RunFailed" not in alerts_of(explained(tapewatch))  # that of the other book


def test_what_is_named_wrongly_is_an_error_with_a_fix(full_home, tapewatch):
    done = tapewatch("explain", "2019-01-01")

    assert done.code == 64
    assert done.err == (
        "TAPEWATCH-NO_SUCH_ATTEMPT: no attempt or run '2019-01-01' | "
        "fix: name `latest`, an attempt's log folder, or a run that `tapewatch runs` lists\n"
    )


def test_an_empty_folder_says_that_nothing_was_run(home, tapewatch):
    assert "TAPEWATCH-NOTHING_PUBLISHED: nothing was ever run in development" in (
        tapewatch("explain").err
    )


def test_a_summary_that_somebody_spoilt_costs_the_phases_alone(failed, tapewatch):
    for path in (failed / "logs" / "runs" / "latest").glob("pipeline_summary.json"):
        path.write_text("{")

    told = explained(tapewatch)

    assert (told["phases"], told["failed_phase"]) == ({}, "ingestion")


def _failure(_home):
    from warehouse.attempt_folder import ErrorFacts

    return ErrorFacts("CANCELED", "stopped by StopSignal", "run the same command again", 143)


def _attempt(name, status, error=None):
    now = datetime.now(UTC)
    record = AttemptRecord(name, status, "development", "default", utc_text(now), name)
    seconds = {"ingestion": 0.1}
    ended = None if status == "running" else utc_text(now)
    return replace(record, ended_at=ended, error=error, phase_seconds=seconds)
