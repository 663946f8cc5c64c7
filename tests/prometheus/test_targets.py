"""Prefect's own metrics are scraped once a line is switched on, and by no edit but that."""

import re
import shutil

import pytest

from tests.prometheus.binaries import run
from tests.prometheus.shipped import CONFIG, read

TARGETS = sorted((CONFIG.parent / "targets").glob("*.yml"))
PORTS = {"prefect-server": "127.0.0.1:4200", "prefect-worker": "127.0.0.1:4201"}


def jobs():
    return {job["job_name"]: job for job in read(CONFIG)["scrape_configs"]}


def test_nothing_but_the_exporter_is_a_target_as_shipped():
    static = {name for name, job in jobs().items() if "static_configs" in job}

    assert static == {"tapewatch"}
    assert [read(path) for path in TARGETS] == [[]] * len(TARGETS)


def test_every_file_of_targets_is_that_of_one_job():
    files = {path.stem: f"targets/{path.stem}*.yml" for path in TARGETS}
    read_by = {name: job["file_sd_configs"] for name, job in jobs().items() if name in files}

    assert read_by == {name: [{"files": [pattern]}] for name, pattern in files.items()}
    assert jobs().keys() == {"tapewatch", *files}


@pytest.mark.parametrize("path", TARGETS, ids=lambda path: path.stem)
def test_the_line_that_switches_a_job_on_is_one_that_prometheus_takes(path, tmp_path):
    shutil.copytree(CONFIG.parent, tmp_path, dirs_exist_ok=True)
    copy = tmp_path / "targets" / path.name
    switched = re.sub(r"^# (- targets: .*)\n\[\]$", r"\1", path.read_text(), flags=re.MULTILINE)
    copy.write_text(switched)

    done = run("promtool", "check", "config", "--lint-fatal", tmp_path / CONFIG.name)

    assert read(copy) == [{"targets": [PORTS[path.stem]]}]
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_would_refuse_a_file_of_targets_that_is_none(tmp_path):
    shutil.copytree(CONFIG.parent, tmp_path, dirs_exist_ok=True)
    (tmp_path / "targets" / "prefect-server.yml").write_text("targets: ['127.0.0.1:4200']\n")

    done = run("promtool", "check", "config", "--lint-fatal", tmp_path / CONFIG.name)

    assert done.returncode != 0
