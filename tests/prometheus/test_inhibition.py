"""What a worse alert silences, asked of a running Alertmanager with the shipped configuration."""

import socket
import subprocess
import time

import httpx
import pytest

from tests.prometheus.binaries import find_binary
from tests.prometheus.shipped import ALERTMANAGER

pytestmark = pytest.mark.slow

KPI = {"kpi": "par_90", "portfolio": "p", "team": "risk"}
WARNING = KPI | {"alertname": "KpiBeyondWarning", "severity": "warning", "level": "P4"}
CRITICAL = KPI | {"alertname": "KpiBeyondCritical", "severity": "critical", "level": "P2"}
ESCALATION = KPI | {"alertname": "KpiBeyondEscalation", "severity": "escalation", "level": "P2"}
STALE = {"alertname": "DataStale", "portfolio": "p", "team": "pipeline", "severity": "warning"}
EXPIRING = {"alertname": "CredentialExpiring", "credential": "one", "severity": "warning"}
DOWN = {"alertname": "ExporterDown", "severity": "critical", "level": "P3", "team": "pipeline"}
UNREADABLE = {"alertname": "SourceUnreadable", "severity": "critical", "source": "runs"}
WATCHDOG = {"alertname": "Watchdog", "severity": "none", "level": "none"}


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture
def alertmanager(tmp_path):
    address = f"127.0.0.1:{free_port()}"
    command = [
        find_binary("prometheus-alertmanager"),
        f"--config.file={ALERTMANAGER}",
        f"--storage.path={tmp_path}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
    ]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603 - by its path
    with httpx.Client(base_url=f"http://{address}", trust_env=False) as client:
        try:
            wait_for(lambda: is_ready(client))
            yield client
        finally:
            process.terminate()
            process.wait(timeout=30)


def wait_for(is_so, timeout=30):
    deadline = time.monotonic() + timeout
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def is_ready(client):
    try:
        return client.get("/-/ready").status_code == 200
    except httpx.TransportError:
        return False


def silenced(client, firing):
    """Return the names of those alerts that another one inhibits."""
    client.post("/api/v2/alerts", json=[{"labels": labels} for labels in firing])
    shown = []

    def is_processed():
        shown[:] = client.get("/api/v2/alerts").json()
        states = {alert["status"]["state"] for alert in shown}
        return len(shown) == len(firing) and "unprocessed" not in states

    wait_for(is_processed)
    return {a["labels"]["alertname"] for a in shown if a["status"]["inhibitedBy"]}


@pytest.mark.parametrize(
    ("firing", "names"),
    [
        ([WARNING, CRITICAL], {"KpiBeyondWarning"}),
        ([WARNING, CRITICAL, ESCALATION], {"KpiBeyondWarning", "KpiBeyondCritical"}),
        ([WARNING, CRITICAL | {"portfolio": "q"}], set()),
        ([WARNING, CRITICAL | {"kpi": "rdr_90"}], set()),
        ([STALE, STALE | {"severity": "critical"}], {"DataStale"}),
        ([STALE, CRITICAL], set()),
        ([EXPIRING, EXPIRING | {"severity": "critical"}], {"CredentialExpiring"}),
        ([EXPIRING, EXPIRING | {"severity": "critical", "credential": "another"}], set()),
        ([DOWN, WATCHDOG, ESCALATION, STALE], {"KpiBeyondEscalation", "DataStale"}),
        ([UNREADABLE, CRITICAL, {"alertname": "KpiMissing"}], {"KpiMissing"}),
    ],
    ids=lambda value: "-".join(a["alertname"] for a in value) if isinstance(value, list) else "",
)
def test_the_worse_alert_speaks_for_what_it_explains(alertmanager, firing, names):
    assert silenced(alertmanager, firing) == names
