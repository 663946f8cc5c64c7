"""The commands of the runbook's ingestion section do what the page says, typed as they stand."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from settings.model import variables
from tests.warehouse.mixed_tape import mixed_tape
from warehouse.attempts import PHASES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
    if line and not line.startswith("#")
]
NOT_HERE = ("watch ", "make ", 'grep "cascade"')  # endless, of a checkout, or of an HTTP run
SLOW_PHASE = 'grep "completed at"'
AGGREGATE = (
    "measurement_date,total_receivable_usd,dpd_0_7_usd,dpd_7_30_usd,dpd_30_60_usd,"
    "dpd_60_90_usd,dpd_90_plus_usd\n2025-12-01,1000,900,40,30,10,20\n"
)


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder with a good run and, after it, one that failed in ingestion."""
    home = tmp_path_factory.mktemp("desk")
    tape = mixed_tape().write(tmp_path_factory.mktemp("tape"))
    (home / ".venv" / "bin").mkdir(parents=True)
    (home / ".venv" / "bin" / "tapewatch").write_text(
        f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m deployments.cli "$@"\n'
    )
    (home / ".venv" / "bin" / "tapewatch").chmod(0o755)
    drop = home / "data" / "raw" / "cascade"
    drop.mkdir(parents=True)
    (drop / "loan_tape.csv").write_text(AGGREGATE)
    for day in ("--as-of 2025-12-09", ""):  # a rollback needs a run before
        assert typed(home, f".venv/bin/tapewatch run --input {tape} {day}").returncode == 0
    assert set(json.loads(phases_of(home))["phases"]) == {*PHASES}  # what jq takes out
    cut = shutil.copytree(tape, home / "cut")
    (cut / "loans.csv").write_text("loan_id,term\nL1,3\n")
    assert typed(home, f".venv/bin/tapewatch run --input {cut}").returncode == 65
    return home


def typed(home, command):
    environment = {**os.environ, "PIPELINE_ENV": "development", "COLUMNS": "100"}
    environment.pop("TAPEWATCH_DATA_DIR", None)
    return subprocess.run(  # noqa: S602 - the page's own line, as a person types it
        command, shell=True, cwd=home, env=environment, capture_output=True, text=True, check=False
    )


def phases_of(home):
    [command] = [c for c in COMMANDS if c.startswith(SLOW_PHASE)]
    return typed(home, command.replace("jq '.phases'", "cat")).stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", [c for c in COMMANDS if not c.startswith((*NOT_HERE, SLOW_PHASE))]
)
def test_a_command_of_the_runbook_answers(desk, command):
    done = typed(desk, command)

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.slow
def test_the_log_of_a_failed_ingestion_says_the_phase_and_the_error(desk):
    log = typed(desk, "tail -200 logs/runs/latest/pipeline_*.log").stdout
    failure = typed(desk, "tail -100 logs/runs/latest/*_error.log").stdout

    assert '"phase": "ingestion"' in log
    assert failure.startswith("TAPEWATCH-SCHEMA_MISSING: loans.csv has no column customer_id")


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("make ")])
def test_a_make_target_of_the_runbook_is_one_of_the_makefile(command):
    done = typed(ROOT, command.replace("make", "make --dry-run", 1))

    assert done.returncode == 0, done.stderr


def test_every_code_that_a_page_names_is_one_of_ours():
    pages = [(ROOT / "docs" / name).read_text() for name in ("inputs.md", "AUDIT_LINEAGE.md")]
    page = PAGE + "".join(pages)
    named = set(re.findall(r"`([A-Z]+_[A-Z_0-9]+)`", page))
    sources = [
        path
        for folder in ("settings", "warehouse", "blocks")
        for path in (ROOT / folder).rglob("*.py")
    ]
    defined = {
        c for path in sources for c in re.findall(r'code = "([A-Z_0-9]+)"', path.read_text())
    }

    assert named
    assert named - variables().keys() <= defined
