"""The compose file and the image, held against the files and commands they name.

No Docker engine runs them here: what can be known without one is.
"""

import re
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from deployments.cli import app
from settings.model import variables

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deployments"
COMPOSE = yaml.safe_load((FOLDER / "compose.yml").read_text())
SERVICES = COMPOSE["services"]
DOCKERFILE = (FOLDER / "Dockerfile").read_text()
OURS = {name: s for name, s in SERVICES.items() if s["image"] == "tapewatch"}


def mounts(service):
    """Where each host folder of a service is mounted."""
    pairs = (volume.split(":")[:2] for volume in service.get("volumes", ()))
    return {(FOLDER / host).resolve(): inside for host, inside in pairs}


def flag(service, name):
    [value] = [v.split("=", 1)[1] for v in service["command"] if v.startswith(f"--{name}=")]
    return value


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_listens_on_this_machine_alone(name):
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", ()))


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - OURS.keys()))
def test_an_image_of_others_is_of_one_version(name):
    assert re.fullmatch(r"[\w/-]+:v?\d+\.\d+\.\d+", SERVICES[name]["image"])


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_mounted_is_ours_or_made_by_the_make_target(name):
    [recipe] = re.findall(r"^compose:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.M)
    for host in mounts(SERVICES[name]):
        inside = host.relative_to(ROOT).as_posix()
        made = re.findall(r"mkdir -p ([^\n]*?) *\\?\n", recipe)[0].split()
        assert (host.is_dir() and inside.startswith("grafana/")) or inside in {*made, "data"}


@pytest.mark.parametrize("name", OURS)
def test_a_command_of_ours_has_the_options_it_is_given(name):
    command, *options = OURS[name]["command"]
    known = {o for p in get_command(app).commands[command].params for o in p.opts}

    assert {option.split("=")[0] for option in options} <= known


@pytest.mark.parametrize("name", OURS)
def test_a_variable_that_is_set_is_one_of_ours(name):
    told = re.findall(r"^(\w+)=", (FOLDER / "compose.env").read_text(), re.M)

    assert {*OURS[name]["environment"], *told} <= variables().keys()


def test_the_programs_are_started_with_what_is_written_for_them():
    written = SERVICES["configuration"]
    folder = flag(written, "files")
    [host] = [host for host, inside in mounts(written).items() if inside == folder]

    for name in ("prometheus", "alertmanager"):
        assert mounts(SERVICES[name])[host] == folder  # the secrets' paths are absolute
        assert flag(SERVICES[name], "config.file") == f"{folder}/{name}.yml"
        waits = SERVICES[name]["depends_on"]["configuration"]["condition"]
        assert waits == "service_completed_successfully"
    for name in ("exporter", "alertmanager"):
        service, port = flag(written, f"{name}-at").split(":")
        assert any(p.endswith(f":{port}") for p in SERVICES[service]["ports"])


def test_grafana_finds_its_dashboards_and_prometheus():
    grafana = SERVICES["grafana"]
    provider = yaml.safe_load((ROOT / "grafana/provisioning/dashboards/tapewatch.yml").read_text())
    [path] = [p["options"]["path"] for p in provider["providers"]]

    assert mounts(grafana)[ROOT / "grafana" / "dashboards"] == path
    assert mounts(grafana)[ROOT / "grafana" / "provisioning"] == "/etc/grafana/provisioning"
    service, port = re.fullmatch(
        r"http://(\w+):(\d+)", grafana["environment"]["PROMETHEUS_URL"]
    ).groups()
    assert any(p.endswith(f":{port}") for p in SERVICES[service]["ports"])


def test_nobody_sees_a_figure_without_a_password_and_none_is_written_down():
    environment = SERVICES["grafana"]["environment"]

    assert environment["GF_AUTH_ANONYMOUS_ENABLED"] == "false"
    assert environment["GF_SECURITY_ADMIN_PASSWORD"].startswith("${GRAFANA_ADMIN_PASSWORD:?")


def test_the_image_installs_by_hash_and_copies_what_is_there():
    copied = {
        name for line in re.findall(r"^COPY (.*)$", DOCKERFILE, re.M) for name in line.split()[:-1]
    }
    [packages] = re.findall(r"^packages = \[(.*)\]$", (ROOT / "pyproject.toml").read_text(), re.M)
    kept = set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.M))

    assert "--require-hashes -r requirements.txt" in DOCKERFILE
    assert all((ROOT / name).exists() for name in copied)
    assert copied == kept
    assert set(re.findall(r'"(\w+)"', packages)) <= copied
    assert re.search(r"^USER (?!root)", DOCKERFILE, re.M)


def test_whoever_runs_the_image_reaches_what_is_mounted():
    [mode] = re.findall(r"install -d -o tapewatch -m (\d+) /srv/tapewatch", DOCKERFILE)

    assert int(mode, 8) & 0o011 == 0o011  # compose runs it as the user who started it


def test_the_images_python_is_one_that_is_supported():
    [image] = re.findall(r"^FROM python:3\.(\d+)-slim$", DOCKERFILE, re.M)
    low, high = re.findall(
        r'requires-python = ">=3\.(\d+),<3\.(\d+)"', (ROOT / "pyproject.toml").read_text()
    )[0]

    assert int(low) <= int(image) < int(high)
