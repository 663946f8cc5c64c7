"""`make serve` as processes of its own, and Prefect's API to ask it over."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from deployments.deploy import HOME
from settings.load import load_settings
from warehouse.attempt_state import list_attempts
from warehouse.layout import Layout

DEADLINE = 240  # of anything; a loaded machine starts Prefect in a minute
SIGN_IN = "keeper:only-for-tests"
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def soon(holds, what, seconds=DEADLINE):
    """Wait for the first true answer and return it."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if answer := holds():
            return answer
        time.sleep(0.5)
    raise AssertionError(f"{what}: not within {seconds} s")


class Served:
    """A running `make serve`, asked over Prefect's own API."""

    def __init__(self, root, process, url):
        self.root, self.process, self.url = root, process, url
        self.settings = load_settings(
            {"PIPELINE_ENV": "development", "TAPEWATCH_DATA_DIR": str(root)}
        )
        self.layout = Layout.of(self.settings)

    def ask(self, method, path, **more):
        """Ask as somebody who has signed in."""
        asked = {"auth": tuple(SIGN_IN.split(":")), "trust_env": False, "timeout": 30}
        answer = httpx.request(method, f"{self.url}/api{path}", **asked, **more)
        answer.raise_for_status()
        return answer

    def get(self, path):
        return self.ask("GET", path).json()

    def post(self, path, **body):
        return self.ask("POST", path, json=body).json()

    def begin(self, name, environment=None, **parameters):
        """Ask for one run of a deployment, and return its id."""
        deployment = self.get(f"/deployments/name/{name}")["id"]
        asked = self.post(
            f"/deployments/{deployment}/create_flow_run",
            parameters=parameters,
            state={"type": "SCHEDULED"},
            job_variables={"env": environment or {}},
        )
        return asked["id"]

    def run(self, name, environment=None, **parameters):
        """Ask for one run of a deployment, and return its last state."""
        return self.ended(self.begin(name, environment, **parameters))

    def ended(self, run, seconds=DEADLINE):
        def state():
            assert self.process.poll() is None
            found = self.get(f"/flow_runs/{run}")["state"]
            return found if found["type"] in ENDED else None

        return soon(state, f"the end of {run}", seconds)

    def pids(self, *words):
        """Return its processes, and theirs, that were started with these words."""
        parents, started = {}, {}
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has just ended
                told = (folder / "stat").read_text().rpartition(")")[2].split()
                parents[int(folder.name)] = int(told[1])
                started[int(folder.name)] = (folder / "cmdline").read_bytes().decode().split("\0")

        def is_ours(pid):
            return pid == self.process.pid or (pid in parents and is_ours(parents[pid]))

        return [
            pid
            for pid, told in started.items()
            if told[1 : 1 + len(words)] == list(words) and is_ours(pid)
        ]

    def attempts(self):
        return list_attempts(self.layout)

    def stop(self):
        """End it as systemd would, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=120)

    def state_on_disk(self, run):
        """Return what Prefect's database says of a run, also when no server is up."""
        path = self.settings.paths.prefect_home / "prefect.db"
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
            query = "select state_type from flow_run where replace(id, '-', '') = ?"
            return db.execute(query, [run.replace("-", "")]).fetchone()[0]


@contextmanager
def serving(root, **more):
    """Start `make serve` over `root` and yield it; whatever the test did, it is ended."""
    port, exporter = free_port(), free_port()
    ours = ("PREFECT_", "TAPEWATCH_", "CASCADE_")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(ours)},
        "PIPELINE_ENV": "development",
        "TAPEWATCH_DATA_DIR": str(root),
        "TAPEWATCH_PREFECT__PORT": str(port),
        "TAPEWATCH_EXPORTER__PORT": str(exporter),
        "TAPEWATCH_PREFECT__AUTH_STRING": SIGN_IN,
        "TAPEWATCH_INGESTION__SETTLE_SECONDS": "0",
        **more,
    }
    log = root / "serve.log"
    with (
        log.open("w") as out,
        subprocess.Popen(
            [sys.executable, "-m", "deployments.serve"],
            env=environment, stdout=out, stderr=out, cwd=HOME,
        ) as process,
    ):  # fmt: skip
        try:
            until = time.monotonic() + DEADLINE
            while "ends by" not in log.read_text():
                assert process.poll() is None and time.monotonic() < until, log.read_text()
                time.sleep(0.2)
            yield Served(root, process, f"http://127.0.0.1:{port}")
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait(timeout=120)
