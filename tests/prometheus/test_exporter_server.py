"""How the metrics are served: to whom, in which words, and how the server begins and ends."""

import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from contextlib import contextmanager
from threading import Thread

import httpx
import pytest
from prometheus_client import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from deployments.cli import run_command
from prometheus.server import (
    BadCertificateError,
    CannotListenError,
    ExporterHalfConfiguredError,
    MetricsServer,
    UnprotectedError,
    make_app,
    protection,
)
from settings.load import load_settings
from tests.certificates import make_certificate
from tests.prometheus.data_folder import KEY, DataFolder, kpi

USER = {"TAPEWATCH_EXPORTER__USER": "prom", "TAPEWATCH_EXPORTER__PASSWORD": "CANARY-password"}
OPEN_METRICS = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"}
CODES = {"/": 200, "/metrics": 200, "/healthz": 200, "/other": 404}


@pytest.fixture
def folder(tmp_path):
    made = DataFolder(tmp_path)
    made.publish(kpi("par_90", "0.01"))
    made.attempt("a1", "published")
    return made


def settings_of(**variables):
    return load_settings({"TAPEWATCH_PII_KEY": KEY, **variables}).exporter


@contextmanager
def served(folder, **variables):
    """Serve a data folder on a free port; yield the address."""
    guard = protection(settings_of(**variables))
    app = make_app(folder.exporter(), guard.credentials)
    with MetricsServer("127.0.0.1", 0, app, guard.tls) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.url
        finally:
            server.shutdown()
            thread.join()


def test_the_pages_are_a_link_the_metrics_and_a_sign_of_life(folder):
    with served(folder) as url, httpx.Client(base_url=url) as client:
        assert {path: client.get(path).status_code for path in CODES} == CODES
        assert '<a href="/metrics">' in client.get("/").text
        assert client.post("/metrics").status_code == 405
        metrics = client.get("/metrics?name[]=python_info")

    assert metrics.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert 'tapewatch_kpi_value{basis="ledger",kpi="par_90",portfolio="default"} 0.01' in (
        metrics.text
    )
    assert "python_info" not in metrics.text  # of published runs, and of nothing else


def test_prometheus_gets_openmetrics_when_it_asks_for_it(folder):
    with served(folder) as url:
        answer = httpx.get(f"{url}/metrics", headers=OPEN_METRICS)

    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")
    names = {family.name for family in text_string_to_metric_families(answer.text)}
    assert {"tapewatch_runs", "tapewatch_run_duration_seconds"} <= names


@pytest.mark.parametrize(
    ("user", "password", "code"),
    [
        ("prom", "CANARY-password", 200),
        ("prom", "wrong", 401),
        ("", "CANARY-password", 401),
        ("prom:CANARY-password", "", 401),
    ],
)
def test_the_figures_are_for_those_who_know_the_password(folder, user, password, code):
    with served(folder, **USER) as url:
        assert httpx.get(f"{url}/metrics", auth=(user, password)).status_code == code


@pytest.mark.parametrize(
    "header", ["", "Basic", "Basic ***", "Basic cHJvbQ", "Bearer cHJvbTpDQU5BUlktcGFzc3dvcmQ="]
)
def test_no_other_header_opens_the_figures(folder, header):
    with served(folder, **USER) as url:
        answers = [httpx.get(url + path, headers={"Authorization": header}) for path in CODES]

    assert [answer.status_code for answer in answers] == [401, 401, 200, 401]
    assert answers[0].headers["WWW-Authenticate"].startswith("Basic ")
    assert "CANARY" not in "".join(answer.text for answer in answers)


def test_the_figures_are_encrypted_with_the_certificate_that_is_set(folder, tmp_path):
    made = make_certificate(tmp_path, "IP:127.0.0.1")
    files = {
        "TAPEWATCH_EXPORTER__CERT_FILE": str(made.file),
        "TAPEWATCH_EXPORTER__KEY_FILE": str(made.key),
    }
    trusted = ssl.create_default_context(cafile=str(made.file))

    with served(folder, **files) as url:
        assert url.startswith("https://127.0.0.1:")
        port = int(url.rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port)):  # says nothing: keeps nobody waiting
            assert httpx.get(f"{url}/metrics", verify=trusted).status_code == 200
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"http://127.0.0.1:{port}/metrics")


def test_a_certificate_that_is_none_is_told_at_the_start(tmp_path):
    made = make_certificate(tmp_path, "IP:127.0.0.1")
    files = {
        "TAPEWATCH_EXPORTER__CERT_FILE": str(made.key),
        "TAPEWATCH_EXPORTER__KEY_FILE": str(made.file),
    }

    with pytest.raises(BadCertificateError, match=r"key\.pem with"):
        protection(settings_of(**files))


@pytest.mark.parametrize("name", ["USER", "PASSWORD", "CERT_FILE", "KEY_FILE"])
def test_half_of_a_pair_is_an_error_that_names_the_other_half(name):
    other = {"USER": "PASSWORD", "CERT_FILE": "KEY_FILE"}
    other |= {b: a for a, b in other.items()}

    with pytest.raises(ExporterHalfConfiguredError, match=f"__{other[name]} is not") as raised:
        protection(settings_of(**{f"TAPEWATCH_EXPORTER__{name}": "canary"}))

    assert "canary" not in raised.value.line()


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.7"])  # noqa: S104 - refused
def test_an_address_beyond_this_machine_wants_a_password_or_a_word(address):
    beyond = {"TAPEWATCH_EXPORTER__ADDRESS": address}

    with pytest.raises(UnprotectedError, match=re.escape(address)):
        protection(settings_of(**beyond))
    assert protection(settings_of(**beyond, **USER)).credentials == b"prom:CANARY-password"
    said = protection(settings_of(**beyond, TAPEWATCH_EXPORTER__ALLOW_UNPROTECTED="true"))
    assert said.credentials is None


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.53", "::1"])
def test_this_machines_own_addresses_need_neither(address):
    assert protection(settings_of(TAPEWATCH_EXPORTER__ADDRESS=address)).credentials is None


def test_an_address_of_another_machine_cannot_be_listened_on(folder):
    with pytest.raises(CannotListenError, match=r"192\.0\.2\.7 port 0"):
        MetricsServer("192.0.2.7", 0, make_app(folder.exporter(), None), None)


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--address", "0.0.0.0"], 78, "TAPEWATCH-EXPORTER_UNPROTECTED: "),  # noqa: S104
        (["--address", "example.com"], 64, "TAPEWATCH-USAGE: "),
        (["--port", "65536"], 64, "TAPEWATCH-USAGE: "),
    ],
)
def test_what_cannot_be_served_ends_in_one_typed_line(
    folder, monkeypatch, capsys, arguments, code, told
):
    monkeypatch.setenv("TAPEWATCH_DATA_DIR", str(folder.settings.root_dir))
    monkeypatch.setenv("TAPEWATCH_PII_KEY", KEY)

    assert run_command(["exporter", *arguments]) == code

    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(told)


def test_a_port_in_use_is_one_typed_line(folder, monkeypatch, capsys):
    monkeypatch.setenv("TAPEWATCH_DATA_DIR", str(folder.settings.root_dir))
    monkeypatch.setenv("TAPEWATCH_PII_KEY", KEY)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        assert run_command(["exporter", "--port", str(port)]) == 78

    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"TAPEWATCH-CANNOT_LISTEN: 127.0.0.1 port {port}: ")
    assert "--port" in line


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_exporter_says_where_it_is_and_ends_at_a_signal(folder, number):
    environment = {
        **os.environ,
        "TAPEWATCH_DATA_DIR": str(folder.settings.root_dir),
        "TAPEWATCH_PII_KEY": KEY,
        "PYTHONUNBUFFERED": "",  # the line must come without
    }
    command = [sys.executable, "-m", "deployments.cli", "exporter", "--port", "0"]
    process = subprocess.Popen(  # noqa: S603 - our own module
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        line = process.stdout.readline()
        url = line.split(": ")[0]
        answer = httpx.get(url)
        process.send_signal(number)
        _, said = process.communicate(timeout=5)
    finally:
        process.kill()

    assert re.match(r"http://127\.0\.0\.1:\d+/metrics: production in .+; ends by SIGTERM$", line)
    assert answer.status_code == 200
    assert process.returncode == 143
    assert len(said.splitlines()) == 1


def test_a_scrape_is_the_same_text_however_often_nothing_happens(folder):
    exporter = folder.exporter()

    def text():
        lines = generate_latest(Registry(exporter)).decode().splitlines()
        return [line for line in lines if "scrape_duration" not in line and "disk_" not in line]

    assert text() == text()


class Registry:
    """Just enough of a registry to write one collector out."""

    def __init__(self, collector):
        self.collect = collector.collect
