"""What meets those who pick this up can be read by its programs and names what is there."""

import json
import re
from pathlib import Path

import pytest
import yaml

from settings.load import load_settings

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
HOOKS = ROOT / ".pre-commit-config.yaml"
CONTAINER = ROOT / ".devcontainer" / "devcontainer.json"
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("[!c]*.yml"))
TEXTS = [HOOKS, CONTAINER, ROOT / "CONTRIBUTING.md", *sorted((ROOT / ".github").rglob("*.*"))]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_it_names_only_targets_and_files_that_are_there(path):
    text = path.read_text(encoding="utf-8")
    targets = re.findall(r"(?:`|\"|entry: )make ([a-z-]+)", text)
    files = re.findall(r"`((?:[\w.]+/)+[\w.]*|[A-Z]+\.md)`|\b(docs/[\w/-]+\.md)", text)

    assert set(targets) <= TARGETS
    assert not [name for found in files for name in found if name and not (ROOT / name).exists()]


def test_the_hooks_are_local_and_run_targets_of_the_makefile():
    config = yaml.safe_load(HOOKS.read_text())

    assert [repository["repo"] for repository in config["repos"]] == ["local"]
    for hook in config["repos"][0]["hooks"]:
        assert hook["entry"].removeprefix("make ") in TARGETS
        assert (hook["language"], hook["pass_filenames"]) == ("system", False)


def test_the_container_is_a_stage_of_our_image_which_is_not_the_one_that_ships():
    container = json.loads(CONTAINER.read_text())
    build, dockerfile = container["build"], CONTAINER.parent / container["build"]["dockerfile"]
    stages = re.findall(r"^FROM \S+(?: AS (\w+))?$", dockerfile.read_text(), re.MULTILINE)

    assert dockerfile.resolve() == ROOT / "deployments" / "Dockerfile"
    assert build["target"] in stages[:-1]
    assert stages[-1] == ""
    assert f"useradd --create-home {container['remoteUser']}" in dockerfile.read_text()
    assert container["postCreateCommand"].removeprefix("make ") in TARGETS


def test_the_container_shows_the_ports_of_the_settings():
    settings = load_settings({"TAPEWATCH_PII_KEY": "k" * 16})

    ports = json.loads(CONTAINER.read_text())["forwardPorts"]
    assert {settings.prefect.port, settings.exporter.port} < set(ports)


def test_the_programs_that_ci_installs_are_in_the_container():
    wanted = re.search(r"--no-install-recommends (.+)$", (ROOT / ".ci" / "run").read_text(), re.M)
    dockerfile = (ROOT / "deployments" / "Dockerfile").read_text()

    assert [program for program in wanted[1].split() if f" {program} " not in dockerfile] == []


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_asks_what_it_needs_and_warns_of_real_data_where_text_is_pasted(path):
    form = yaml.safe_load(path.read_text())

    assert {"name", "description", "labels", "body"} == form.keys()
    asked = [field for field in form["body"] if field["type"] != "markdown"]
    assert len({field["id"] for field in asked}) == len(asked)
    assert all(field["attributes"]["label"] for field in asked)
    if any("render" in field["attributes"] for field in asked):
        assert "Leave out every real loan" in form["body"][0]["attributes"]["value"]


def test_the_coverage_that_contributing_names_is_the_floor():
    [floor] = re.findall(r"^fail_under = (\d+)", (ROOT / "pyproject.toml").read_text(), re.M)

    assert f"fails below {floor} % of branches" in (ROOT / "CONTRIBUTING.md").read_text("utf-8")
