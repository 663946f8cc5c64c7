"""docs/add-a-kpi.md, followed to the letter in a copy of the tree: everything knows the KPI."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.prometheus.binaries import find_binary
from tests.warehouse.mixed_tape import mixed_tape

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "add-a-kpi.md").read_text(encoding="utf-8")
NAME = "largest_client"
# of the mixed tape CLI7 owes 10,000 + 40,000 + 70,000 + 100,000, CLI9 70,000 and CLI3 1,000
SHARE = "0.756014"  # 220,000 / 291,000
SCRAPE = """
from prometheus_client import CollectorRegistry, generate_latest
from prometheus.exporter import Exporter
from settings.load import load_settings

registry = CollectorRegistry()
registry.register(Exporter(load_settings(), print))
print(generate_latest(registry).decode())
"""
VENV = Path(sys.executable).parents[1]


def block(language):
    [text] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return text


def told_file(language):
    """The file that the page names in the line before its block."""
    [path] = re.findall(rf"`([^`]+)`[^`\n]*:\n\n```{language}\n", PAGE)
    return path


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the tree in which the page was followed, with a published tape."""
    tree = tmp_path_factory.mktemp("copy") / "tree"
    left = shutil.ignore_patterns("__pycache__", "node_modules", ".*", "data", "logs", "dist")
    shutil.copytree(ROOT, tree, ignore=left)
    (tree / told_file("sql")).write_text(block("sql"))
    with (tree / told_file("toml")).open("a") as catalogue:
        catalogue.write("\n" + block("toml"))
    [generate] = re.findall(r"^\$ make (.+)$", PAGE, re.MULTILINE)
    built = [f"--old-file={VENV / stamp}" for stamp in (".run", ".dev")]
    answer(tree, "make", f"VENV={VENV}", *built, *generate.split())
    tape = mixed_tape().write(tmp_path_factory.mktemp("tape"))
    tapewatch(tree, "run", "--input", str(tape))
    return tree


def answer(tree, *command):
    environment = {**os.environ, "PIPELINE_ENV": "development", "TAPEWATCH_DATA_DIR": str(tree)}
    done = subprocess.run(  # noqa: S603 - the page's own commands
        command, cwd=tree, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def tapewatch(tree, *arguments):
    return answer(tree, sys.executable, "-m", "deployments.cli", *arguments)


@pytest.mark.slow
def test_the_run_publishes_it_and_every_command_of_the_page_shows_it(tree):
    commands = re.findall(r"^\$ tapewatch (?!run )(.+)$", PAGE, re.MULTILINE)
    shown = {command: tapewatch(tree, *command.split()) for command in commands}

    value = json.loads(tapewatch(tree, "kpi", NAME, "--json"))
    assert (value["value"], value["status"]) == (SHARE, "critical")
    assert "Largest client on 2025-12-10: 75.60 %  critical" in shown[f"kpi {NAME}"]
    assert "· Largest client is critical: 75.60 %" in shown["notify --dry-run"]
    assert "🔴 *Largest client*  75.60 %" in shown["notify --dry-run"]  # of the daily summary


@pytest.mark.slow
def test_the_exporter_publishes_it_with_its_lines_and_its_levels(tree):
    text = answer(tree, sys.executable, "-c", SCRAPE)

    about = [line for line in text.splitlines() if f'kpi="{NAME}"' in line]
    assert {line.split("{")[0] for line in about} >= {
        "tapewatch_kpi_value",
        "tapewatch_kpi_threshold",
        "tapewatch_kpi_alert_info",
        "tapewatch_kpi_info",
    }
    [value] = [line for line in about if line.startswith("tapewatch_kpi_value{")]
    assert value.endswith(f" {SHARE}")


@pytest.mark.slow
def test_pages_and_dashboards_are_generated_with_it(tree):
    row = "| [largest_client](#largest_client) | Largest client | ratio | warning > 10.00 %"
    boards = [path.read_text() for path in (tree / "grafana" / "dashboards").glob("*.json")]

    assert row in (tree / "docs" / "kpis.md").read_text(encoding="utf-8")
    assert any(NAME in board for board in boards)


@pytest.mark.slow
def test_the_rules_alert_on_its_lines_and_the_catalogue_s_tests_take_it(tree):
    find_binary("promtool")
    tests = ("tests/prometheus/test_kpi_lines.py", "tests/warehouse/kpis/test_catalogue.py")
    options = ("-q", "-p", "no:cacheprovider", "-k", f"{NAME} or every_kpi")

    told = answer(tree, sys.executable, "-m", "pytest", *options, *tests)

    assert "4 passed" in told  # warning, critical, what it reads, and that it has its SQL


@pytest.mark.slow
def test_the_sql_of_the_page_is_as_the_linter_wants_it(tree):
    sqlfluff = str(Path(sys.executable).with_name("sqlfluff"))
    config = str(ROOT / ".sqlfluff")

    answer(tree, sqlfluff, "lint", "--config", config, "--disable-progress-bar", told_file("sql"))
