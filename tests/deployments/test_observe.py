"""`tapewatch observe` on the real programs: three addresses, and nothing left behind."""

import os
import re
import signal
import subprocess
import sys
import time

import httpx
import pytest

from tests.prometheus.binaries import find_binary

COMMAND = [sys.executable, "-m", "deployments.cli", "observe"]


def environment(root, **more):
    return {**os.environ, "PIPELINE_ENV": "development", "TAPEWATCH_DATA_DIR": str(root), **more}


def first_lines(process, wanted):
    """What is printed until `wanted`."""
    said = ""
    while wanted not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
    return said


def answers(url):
    try:
        return httpx.get(url, trust_env=False, timeout=5).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture
def observed(tmp_path):
    find_binary("prometheus")
    find_binary("prometheus-alertmanager")
    command = [*COMMAND, "--any-port"]
    with subprocess.Popen(  # noqa: S603 - our own command
        command, env=environment(tmp_path), text=True, stdout=subprocess.PIPE
    ) as process:
        said = first_lines(process, "ends by")
        yield process, dict(re.findall(r"^(\w+) +(http://[\d.:]+)", said, re.MULTILINE)), said
        process.kill()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_three_addresses_answer_and_none_outlives_the_command(observed, number):
    process, addresses, said = observed

    assert addresses.keys() == {"exporter", "Prometheus", "Alertmanager"}
    query = f"{addresses['Prometheus']}/api/v1/query"
    up = httpx.get(query, params={"query": "up"}, trust_env=False).json()
    assert [series["value"][1] for series in up["data"]["result"]] == ["1"]
    assert answers(f"{addresses['Alertmanager']}/-/ready")
    assert answers(f"{addresses['exporter']}/metrics")
    # no secret is set, so nobody is called: every receiver is stood in for, and that is said
    assert "#risk-monitoring" in said
    assert "PagerDuty" in said

    process.send_signal(number)
    process.wait(timeout=30)
    deadline = time.monotonic() + 20
    while any(answers(url) for url in addresses.values()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(answers(url) for url in addresses.values())
    assert process.returncode == (143 if number == signal.SIGTERM else -number)


def run(root, *arguments, **more):
    return subprocess.run(  # noqa: S603 - our own command
        [*COMMAND, *arguments],
        env=environment(root, **more),
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_program_that_is_not_installed_is_one_line_that_says_how_to_get_it(tmp_path):
    done = run(tmp_path, "--any-port", PATH="/nowhere")

    assert done.returncode == 78
    assert done.stderr.startswith(
        "TAPEWATCH-PROGRAM_MISSING: prometheus is not installed | fix: apt"
    )
    assert len(done.stderr.splitlines()) == 1


def test_the_files_alone_can_be_written_for_a_machine_of_their_own(tmp_path):
    folder = tmp_path / "etc"
    more = {"SLACK_WEBHOOK_TOKEN": "http://127.0.0.1:9/hook"}
    places = ["--exporter-at", "exporter:9464", "--alertmanager-at", "alertmanager:9093"]
    done = run(tmp_path, "--files", folder, *places, **more)

    assert done.returncode == 0, done.stderr
    assert "exporter:9464" in (folder / "prometheus.yml").read_text()
    assert "alertmanager:9093" in (folder / "prometheus.yml").read_text()
    assert (folder / "secrets" / "slack_devops_alerts").read_text() == more["SLACK_WEBHOOK_TOKEN"]
    assert "pagerduty_routing_key" in done.stderr  # nobody is paged, and that is said
    assert more["SLACK_WEBHOOK_TOKEN"] not in done.stdout + done.stderr
