"""Server, worker and exporter as `make serve` starts them, and the deployments they run."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import httpx
import pytest
import yaml

from deployments.deploy import HOME
from deployments.serve import OpenServerError, serve
from settings.load import load_settings
from warehouse.layout import Layout
from warehouse.lock import hold_lock
from warehouse.synthetic import write_tape

DEADLINE = 240  # of anything; a loaded machine starts Prefect in a minute
KEY = {"TAPEWATCH_PII_KEY": "k" * 16}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Served:
    """A running `make serve`, asked over Prefect's own API."""

    def __init__(self, root, process, url):
        self.root, self.process, self.url = root, process, url
        self.settings = load_settings(
            {"PIPELINE_ENV": "development", "TAPEWATCH_DATA_DIR": str(root)}
        )

    def get(self, path):
        answer = httpx.get(f"{self.url}/api{path}", trust_env=False, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def run(self, name, **parameters):
        """Ask for one run of a deployment, and return its last state."""
        asked = httpx.post(
            f"{self.url}/api/deployments/{self.get(f'/deployments/name/{name}')['id']}/create_flow_run",
            json={"parameters": parameters, "state": {"type": "SCHEDULED"}},
            trust_env=False,
            timeout=30,
        )
        asked.raise_for_status()
        return self.ended(asked.json()["id"])

    def ended(self, run):
        until = time.monotonic() + DEADLINE
        while time.monotonic() < until:
            assert self.process.poll() is None
            state = self.get(f"/flow_runs/{run}")["state"]
            if state["type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED"):
                return state
            time.sleep(0.5)
        raise AssertionError(f"{state['type']} after {DEADLINE} s")


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    root = tmp_path_factory.mktemp("served")
    port, exporter = free_port(), free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")},
        "PIPELINE_ENV": "development",
        "TAPEWATCH_DATA_DIR": str(root),
        "TAPEWATCH_PREFECT__PORT": str(port),
        "TAPEWATCH_EXPORTER__PORT": str(exporter),
        "TAPEWATCH_INGESTION__SETTLE_SECONDS": "0",
    }
    command = [sys.executable, "-m", "deployments.serve"]
    log = root / "serve.log"
    with (
        log.open("w") as out,
        subprocess.Popen(  # noqa: S603 - our own command
            command, env=environment, stdout=out, stderr=out, cwd=HOME
        ) as process,
    ):
        until = time.monotonic() + DEADLINE
        while "ends by" not in log.read_text():
            assert process.poll() is None and time.monotonic() < until, log.read_text()
            time.sleep(0.2)
        yield Served(root, process, f"http://127.0.0.1:{port}")
        process.terminate()
        process.wait(timeout=60)
    with pytest.raises(httpx.TransportError):  # the server has ended with it
        httpx.get(f"http://127.0.0.1:{port}/api/health", trust_env=False)


@pytest.mark.slow
def test_all_on_one_machine(served):
    """One start takes half a minute, so one test goes through it all."""
    deployments_are_those_of_the_file(served)
    a_run_is_planned_for_the_next_night_by_itself(served)
    deploying_again_changes_nothing(served)
    another_run_at_work_ends_a_run_as_busy_and_not_as_failed(served)
    a_run_takes_the_tape_of_the_drop_folder_to_a_served_run(served)
    the_exporter_tells_of_it(served)


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
    return {
        flow: served.get(f"/deployments/name/{flow}/{entry['name']}")["id"]
        for flow, entry in listed().items()
    }


def a_run_is_planned_for_the_next_night_by_itself(served):
    """Prefect's scheduler plans ahead: what it has planned needs nobody to start it."""
    zone = ZoneInfo(served.settings.portfolio.time_zone)
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until:
        planned = httpx.post(
            f"{served.url}/api/flow_runs/filter",
            json={"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}, "limit": 200},
            trust_env=False, timeout=30,
        ).json()  # fmt: skip
        daily = served.get("/deployments/name/daily/scheduled")["id"]
        nights = [
            datetime.fromisoformat(run["expected_start_time"]).astimezone(zone)
            for run in planned
            if run["deployment_id"] == daily and run["auto_scheduled"]
        ]
        if nights:
            break
        time.sleep(1)
    assert {(night.hour, night.minute) for night in nights} == {(3, 0)}
    log = (served.root / "data" / "serve" / "server.log").read_text()
    assert "Can't evaluate bulk DML" not in log


def deploying_again_changes_nothing(served):
    before = ids(served)
    done = subprocess.run(
        [sys.executable, "-m", "deployments.deploy"],
        env={
            **os.environ,
            "PIPELINE_ENV": "development",
            "TAPEWATCH_DATA_DIR": str(served.root),
            "PREFECT_API_URL": f"{served.url}/api",
        },
        capture_output=True, text=True, check=False, cwd=HOME,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert before == ids(served)


def another_run_at_work_ends_a_run_as_busy_and_not_as_failed(served):
    layout = Layout.of(served.settings)
    layout.make()
    with hold_lock(layout.lock, "b" * 32, datetime.now(UTC)):
        state = served.run("daily/scheduled")

    assert (state["type"], state["name"]) == ("COMPLETED", "Busy")
    assert "TAPEWATCH-BUSY" in state["message"]


def a_run_takes_the_tape_of_the_drop_folder_to_a_served_run(served):
    made = write_tape(served.root / "tape", 300).folder
    shutil.copytree(made, served.settings.drop_folder / "export")

    state = served.run("daily/scheduled", as_of=None)

    assert (state["type"], state["name"]) == ("COMPLETED", "Completed"), state["message"]
    assert Layout.of(served.settings).current.is_file()


def the_exporter_tells_of_it(served):
    [url] = re.findall(r"(http://\S+)/metrics", (served.root / "serve.log").read_text())
    text = httpx.get(f"{url}/metrics", trust_env=False).text

    target = served.root / "data/observe/config/targets/prefect-server.yml"
    assert yaml.safe_load(target.read_text()) == [{"targets": [served.url.removeprefix("http://")]}]
    assert httpx.get(f"{served.url}/api/metrics", trust_env=False).status_code == 200
    assert 'tapewatch_runs_total{outcome="published",portfolio="default"} 1.0' in text


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
