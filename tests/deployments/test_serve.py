"""Server, worker and exporter as `make serve` starts them, and the deployments they run."""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import httpx
import pytest
import yaml

from deployments.deploy import HOME
from deployments.serve import OpenServerError, serve
from settings.load import load_settings
from tests.deployments.dribbling_source import dribbling
from tests.deployments.moved_clock import MovedClock
from tests.deployments.served import SIGN_IN, serving, soon
from tests.leaving_out import leave_out
from warehouse.lock import hold_lock
from warehouse.synthetic import write_tape

KEY = {"TAPEWATCH_PII_KEY": "k" * 16}
ZONE = ZoneInfo("America/El_Salvador")  # the portfolio's own, by default
NIGHT = datetime(2025, 12, 11, 2, 50, tzinfo=ZONE)  # yesterday is the day of the synthetic tape


@pytest.fixture(scope="module")
def clock(tmp_path_factory):
    if not MovedClock.is_possible():
        leave_out("no C compiler (cc) moves a clock here: apt install gcc libc6-dev")
    return MovedClock(tmp_path_factory.mktemp("clock"))


@pytest.fixture(scope="module")
def served(tmp_path_factory, clock):
    clock.move_to(NIGHT)
    with serving(tmp_path_factory.mktemp("served"), **clock.environment) as made:
        yield made
    with pytest.raises(httpx.TransportError):  # the server has ended with it
        httpx.get(f"{made.url}/api/health", trust_env=False)


@pytest.mark.slow
def test_all_on_one_machine(served, clock):
    """One start takes half a minute, so one test goes through it all."""
    deployments_are_those_of_the_file(served)
    who_does_not_sign_in_gets_no_answer(served)
    nobody_reads_what_prefect_keeps(served)
    the_secret_of_a_block_is_encrypted_with_a_key_that_is_not_beside_it(served)
    deploying_again_changes_nothing(served)
    another_run_at_work_ends_a_run_as_busy_and_not_as_failed(served)
    a_run_that_is_killed_is_crashed_and_blocks_nothing(served)
    at_three_the_next_run_begins_by_itself_and_heals(served, clock)
    the_exporter_tells_of_it(served)
    a_stop_ends_the_run_at_work_as_canceled(served)


def listed():
    file = yaml.safe_load((HOME / "deployments" / "prefect.yaml").read_text())
    return {
        re.fullmatch(r"flows/(\w+)\.py:(\w+)", entry["entrypoint"])[2]: entry
        for entry in file["deployments"]
    }


def deployments_are_those_of_the_file(served):
    for flow, entry in listed().items():
        found = served.get(f"/deployments/name/{flow}/{entry['name']}")
        told = [(s["schedule"]["cron"], s["schedule"]["timezone"]) for s in found["schedules"]]
        wanted = [s["cron"] for s in entry.get("schedules", ())]
        assert told == [(cron, "America/El_Salvador") for cron in wanted]
        assert all(schedule["active"] for schedule in found["schedules"])
        assert found["concurrency_limit"] is None


def ids(served):
    automations = {one["name"]: one["id"] for one in served.post("/automations/filter")}
    deployments = {
        flow: served.get(f"/deployments/name/{flow}/{entry['name']}")["id"]
        for flow, entry in listed().items()
    }
    return deployments, automations, len(served.post("/automations/filter"))


def who_does_not_sign_in_gets_no_answer(served):
    for path in ("/deployments/filter", "/flow_runs/filter", "/block_documents/filter"):
        url = f"{served.url}/api{path}"
        assert httpx.post(url, json={}, trust_env=False).status_code == 401
        wrong = httpx.post(url, json={}, auth=("keeper", "guess"), trust_env=False)
        assert wrong.status_code == 401
    assert httpx.get(f"{served.url}/api/metrics", trust_env=False).status_code == 401
    assert SIGN_IN.partition(":")[2] not in (served.root / "serve.log").read_text()


def nobody_reads_what_prefect_keeps(served):
    """Results are JSON, old runs go, nobody is told how it is used, secrets have their own key."""
    kept = served.get("/admin/settings")
    vacuum = kept["server"]["services"]["db_vacuum"]

    assert kept["results"]["default_serializer"] == "json"
    assert kept["server"]["analytics_enabled"] is False
    assert set(vacuum["enabled"]) == {"events", "flow_runs"}
    assert vacuum["retention_period"] in (90 * 86_400, "P90D", 90.0 * 86_400)


def the_secret_of_a_block_is_encrypted_with_a_key_that_is_not_beside_it(served):
    kind = served.get("/block_types/slug/secret")["id"]
    [schema, *_] = served.post(
        "/block_schemas/filter", block_schemas={"block_type_id": {"any_": [kind]}}
    )
    served.post(
        "/block_documents/",
        name="canary",
        block_type_id=kind,
        block_schema_id=schema["id"],
        data={"value": "canary-of-a-block"},
    )

    home = served.settings.paths.prefect_home
    with sqlite3.connect(f"file:{home / 'prefect.db'}?mode=ro", uri=True) as db:
        keys = {name for (name,) in db.execute("select key from configuration")}
        [(kept,)] = db.execute("select data from block_document where name = 'canary'")
    assert "ENCRYPTION_KEY" not in keys
    assert "canary-of-a-block" not in str(kept)
    assert (home / "encryption.key").stat().st_mode & 0o777 == 0o600


def deploying_again_changes_nothing(served):
    before = ids(served)
    done = subprocess.run(
        [sys.executable, "-m", "deployments.deploy"],
        env={
            **os.environ,
            "PIPELINE_ENV": "development",
            "TAPEWATCH_DATA_DIR": str(served.root),
            "PREFECT_API_URL": f"{served.url}/api",
            "TAPEWATCH_PREFECT__AUTH_STRING": SIGN_IN,
        },
        capture_output=True, text=True, check=False, cwd=HOME,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert before == ids(served)
    assert list(before[1]) == ["tapewatch-dead-run"]


def another_run_at_work_ends_a_run_as_busy_and_not_as_failed(served):
    served.layout.make()
    with hold_lock(served.layout.lock, "b" * 32, datetime.now(UTC)):
        state = served.run("daily/scheduled")

    assert (state["type"], state["name"]) == ("COMPLETED", "Busy")
    assert "TAPEWATCH-BUSY" in state["message"]


def a_run_that_is_killed_is_crashed_and_blocks_nothing(served):
    killed = {"TAPEWATCH_TEST": "1", "TAPEWATCH_CRASH_AT": "phase_started"}

    state = served.run("daily/scheduled", killed, as_of=None)

    assert state["type"] == "CRASHED"
    assert [attempt.status for attempt in served.attempts()] == ["running"]  # it said no word


def at_three_the_next_run_begins_by_itself_and_heals(served, clock):
    """Prefect's scheduler has planned it: with the clock at 02:59:50 nobody starts it."""
    export = served.settings.drop_folder / "export"
    shutil.copytree(write_tape(served.root / "tape", 300).folder, export)
    for file in export.iterdir():
        os.utime(file, (0, 0))  # it was there before the moved clock's day
    daily = served.get("/deployments/name/daily/scheduled")["id"]

    def planned():
        runs = served.post("/flow_runs/filter", flow_runs={"deployment_id": {"any_": [daily]}})
        told = {run["expected_start_time"]: run for run in runs if run["auto_scheduled"]}
        return told and told[min(told, key=datetime.fromisoformat)]

    run = soon(planned, "a planned night")
    at = datetime.fromisoformat(run["expected_start_time"]).astimezone(ZONE)
    assert (at.hour, at.minute) == (3, 0)
    log = (served.root / "data" / "serve" / "server.log").read_text()
    assert "Can't evaluate bulk DML" not in log
    clock.move_to(NIGHT.replace(minute=59, second=50))

    state = served.ended(run["id"])

    assert (state["type"], state["name"]) == ("COMPLETED", "Completed"), state["message"]
    assert [a.status for a in served.attempts()] == ["abandoned", "success"]
    assert served.layout.current.read_text().startswith("2025-12-10-")  # yesterday's tape


def the_exporter_tells_of_it(served):
    [url] = re.findall(r"(http://\S+)/metrics", (served.root / "serve.log").read_text())
    text = httpx.get(f"{url}/metrics", trust_env=False).text

    target = served.root / "data/observe/config/targets/prefect-server.yml"
    assert yaml.safe_load(target.read_text()) == [{"targets": [served.url.removeprefix("http://")]}]
    assert "prefect_" in served.ask("GET", "/metrics").text
    assert 'tapewatch_runs_total{outcome="published",portfolio="default"} 1.0' in text


def a_stop_ends_the_run_at_work_as_canceled(served):
    """A stop is no failure: what pages is a run that fails, or dies without a word."""
    others = served.post("/flows/", name="of-another-installation")
    alien = served.post("/flow_runs/", flow_id=others["id"], state={"type": "RUNNING"})
    with dribbling() as source:
        asking = {"CASCADE_SESSION_COOKIE": "a=b", "CASCADE_EXPORT_URL": source.url}
        run = served.begin("daily/scheduled", asking, as_of=None)
        soon(source.asked.is_set, "a run at work")

        assert served.stop() == 143

    assert served.attempts()[-1].status == "canceled"
    assert served.state_on_disk(run) == "CANCELLED"
    assert served.state_on_disk(alien["id"]) == "RUNNING"  # no worker of ours had taken it


def test_a_server_that_anybody_could_reach_is_not_started():
    settings = load_settings(KEY | {"TAPEWATCH_PREFECT__ADDRESS": "0.0.0.0"})  # noqa: S104

    with pytest.raises(OpenServerError, match=r"0\.0\.0\.0 could start") as raised:
        serve(settings)

    assert "TAPEWATCH_PREFECT__AUTH_STRING" in raised.value.fix


def test_deploying_without_a_server_says_how_to_name_one():
    without = {name: v for name, v in os.environ.items() if name != "PREFECT_API_URL"}
    done = subprocess.run(
        [sys.executable, "-m", "deployments.deploy"],
        env=without, capture_output=True, text=True, check=False, cwd=HOME,
    )  # fmt: skip

    assert done.returncode == 78
    assert done.stderr.startswith("TAPEWATCH-DEPLOY: PREFECT_API_URL is not set")
