"""docs/many-portfolios.md: its commands keep two books apart, and Prefect takes its schedules."""

import inspect
import json
import re
from pathlib import Path

import pytest
import yaml
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.schedules import CronSchedule

from deployments.cli import run_command
from flows.daily import daily
from settings.load import load_settings
from tests.warehouse.mixed_tape import mixed_tape
from tests.warehouse.tape_builder import Tape

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "many-portfolios.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_commands_of_the_page_keep_two_portfolios_apart(tmp_path, monkeypatch, capsys):
    late, on_time = mixed_tape(), Tape()
    on_time.loan("L1", disbursed="2025-11-01", principal=100, due="2025-12-20", customer="CLI1")
    tapes = {"north.zip": late.write(tmp_path / "n"), "south.zip": on_time.write(tmp_path / "s")}
    monkeypatch.setenv("PIPELINE_ENV", "development")
    monkeypatch.setenv("TAPEWATCH_DATA_DIR", str(tmp_path / "home"))
    commands = re.findall(r"^\$ tapewatch ([^#\n]+)", PAGE, re.MULTILINE)

    codes = {c: run_command([str(tapes.get(word, word)) for word in c.split()]) for c in commands}

    assert set(codes.values()) == {0}, codes
    capsys.readouterr()
    run_command(["runs", "--json"])
    runs = json.loads(capsys.readouterr().out)["runs"]
    assert {(run["portfolio"], run["state"]) for run in runs} == {
        ("north", "served"),
        ("south", "served"),
    }


def test_prefect_takes_the_schedules_of_the_page_and_the_flow_their_parameters():
    [text] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    schedules = yaml.safe_load(text)["schedules"]

    taken = [
        DeploymentScheduleCreate(
            schedule=CronSchedule(cron=told["cron"], timezone=told["timezone"]),
            slug=told["slug"],
            parameters=told["parameters"],
        )
        for told in schedules
    ]
    assert [schedule.parameters["portfolio"] for schedule in taken] == ["north", "south"]
    for schedule in taken:
        inspect.signature(daily.fn).bind(**schedule.parameters)


def test_the_drop_folder_of_a_portfolio_is_the_one_on_the_page():
    settings = load_settings({"TAPEWATCH_PII_KEY": "k" * 16}, portfolio="north")

    [told] = re.findall(r"drop folder is `([^`]+)`", PAGE)
    assert settings.drop_folder == settings.root_dir / told
