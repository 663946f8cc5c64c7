"""The runbook: every block is typed as it stands, in its order, and none may err."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from prometheus.levels import rule_levels
from settings.kpis import find_kpi
from settings.load import load_settings
from settings.model import variables
from settings.oncall import CONTACT_ROLES
from settings.severity import severity_matrix
from tests.docs.quick_command import quick_command
from tests.docs.runbook_page import (
    MARK,
    PAGE,
    ROOT,
    TAPEWATCH,
    missing_of,
    quoted,
    read_blocks,
    without_variables,
)
from tests.docs.sandbox import Sandbox, cut_tape, ended_by_timeout, make_home, zipped
from tests.export_server import COOKIE, serve_export
from tests.slack_server import serve_slack
from tests.warehouse.mixed_tape import mixed_tape

BLOCKS = read_blocks()
TYPED = [block for block in BLOCKS if block.mark in (None, "endless")]
LOOKED_AT = [block for block in BLOCKS if block.mark in ("exists", "dry-run")]
A_RUN_FAILS_BEFORE = ("The run failed before a tape was read", "Investigation")
OLD = [
    "scripts/run_data_pipeline.py",
    "python.pipeline.orchestrator",
    "scripts/performance_stress_test.py",
    "scripts/generate_compliance_report.py",
    "| slack",
    "create_client",
    "pip install -r requirements.txt",
    "pip install --upgrade",
    "find logs/runs",
    "find data/raw/cascade",
    "config/pipeline.yml",
    "config/data_schemas/loan_tape.json",
]


def one_each(blocks):
    return pytest.mark.parametrize("block", blocks, ids=lambda block: block.name)


@pytest.mark.slow
def test_every_block_does_what_it_says(tmp_path, databases):
    home = tmp_path / "home"
    home.mkdir()
    make_home(home, tmp_path)
    export = Path(zipped(mixed_tape(extra_payment=1), tmp_path / "newer")).read_bytes()
    with (
        quick_command(home / ".venv" / "bin" / "tapewatch", tmp_path),
        databases.empty() as store,
        serve_slack() as slack,
        serve_export(export) as (url, _),
    ):
        filled = {
            "<your-cascade-cookie>": COOKIE,
            "<your-export-url>": url,
            "<your-slack-webhook>": slack.hook("pipeline_failures"),
            "<url-of-the-owner>": store.url("owner"),
            "<url-of-the-service>": store.url("app"),
            "<what-happened>": "Tape without customers",
            "<why>": "the figures are wrong",
            "<previous-commit>": "HEAD~1",
            "<stable-commit>": "main",
            "<run>": lambda home: min((home / "data" / "runs").iterdir()).name,
        }
        answers = list(type_all(Sandbox(home, filled)))

    wrong = [
        f"{block.name} ended with {done.returncode}:\n{block.text}\n{done.stdout}\n{done.stderr}"
        for block, done in answers
        if "TAPEWATCH-" in done.stderr
        or (not ended_by_timeout(done) if block.mark == "endless" else done.returncode != 0)
    ]
    assert not wrong, "\n\n".join(wrong)
    silent = [block.name for block, done in answers if not done.stdout.strip()]
    assert silent == [block.name for block, _ in answers if not says_something(block)]


def type_all(sandbox):
    """Type one block after another; on-call meets a run that has failed."""
    for block in TYPED:
        if block.section in A_RUN_FAILS_BEFORE:
            failed = sandbox.type(f"! {TAPEWATCH} run --input '{cut_tape(sandbox.home)}'")
            assert "TAPEWATCH-SCHEMA_MISSING" in failed.stderr, failed.stderr
        type_it = sandbox.begin_endless if block.mark == "endless" else sandbox.type
        yield block, type_it(block.text)


def says_something(block):
    """Whether a block does more than to set variables."""
    return not all(line.startswith("export ") for line in block.lines)


@one_each(LOOKED_AT)
def test_a_block_that_is_not_typed_has_only_commands_that_exist(block):
    for line in block.lines:
        first, *words = without_variables(line) or ["true"]
        if first == TAPEWATCH:
            assert missing_of(words) is None
        elif first == "make":
            done = shell(f"make --dry-run {' '.join(words)}")
            assert done.returncode == 0, done.stderr
        else:
            assert shell(f"type {first}").returncode == 0


@pytest.mark.parametrize("command", sorted(set(quoted())))
def test_a_command_in_the_text_exists(command):
    words = (
        without_variables(command) if re.match(r"(PIPELINE_ENV=\w+ )?tapewatch ", command) else []
    )
    if words:
        assert missing_of(words[1:]) is None
    elif command.startswith("make "):
        assert command.split()[1] in re.findall(r"^([a-z-]+):", makefile(), re.MULTILINE)


def test_few_blocks_are_marked_and_each_says_why():
    marks = re.findall(r"<!-- test:.*", PAGE)

    assert len(marks) == len([block for block in BLOCKS if block.mark])
    assert all(MARK.fullmatch(mark) for mark in marks)
    assert {block.mark for block in BLOCKS} == {None, "exists", "dry-run", "endless"}
    assert len(TYPED) >= 2 * len(LOOKED_AT)


def test_a_block_that_stays_within_this_machine_is_typed():
    within = re.compile(r"tapewatch (explain|kpi|runs|oncall|incident|verify|doctor|rollback)")

    assert not [
        block.name for block in LOOKED_AT if block.mark == "exists" and within.search(block.text)
    ]


def test_every_variable_that_is_exported_is_one_of_ours():
    named = set(re.findall(r"(?:export |`)([A-Z]+_[A-Z_]+)=", PAGE))

    assert named <= variables().keys()


def test_every_code_that_a_page_names_is_one_of_ours():
    pages = [(ROOT / "docs" / name).read_text() for name in ("inputs.md", "AUDIT_LINEAGE.md")]
    named = set(re.findall(r"`([A-Z]+_[A-Z_0-9]+)`", PAGE + "".join(pages)))
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


def test_the_levels_and_the_contacts_are_those_of_the_settings():
    told = load_settings({"TAPEWATCH_PII_KEY": "k" * 16}).oncall

    for level, row in severity_matrix().items():
        line = f"| {level} ({row.title}) | {row.impact} | {row.response} | {row.escalation} |"
        assert line in PAGE
        assert f"{level}: {row.first_action}" in PAGE
    for role in CONTACT_ROLES:
        assert f"| {told.contact(role).title} | {told.contact(role).slack} |" in PAGE


@pytest.mark.parametrize(
    ("row", "name", "scale"),
    [
        ("PAR 90", "par_90", 100),
        ("Collection rate, a day", "collection_rate", 100),
        ("Recovered default rate 90", "rdr_90", 100),
        ("Portfolio health, 0 to 10", "portfolio_health", 1),
        ("Pipeline latency", "latency_minutes", 1),
        ("Data freshness", "freshness_hours", 1),
        ("Errors since the last success", "errors", 1),
    ],
)
def test_the_lines_of_a_metric_are_those_of_the_settings(row, name, scale):
    operations = load_settings({"TAPEWATCH_PII_KEY": "k" * 16}).operations
    lines = getattr(operations, name, None) or find_kpi(name).thresholds

    [told] = re.findall(rf"^\| {re.escape(row)} \| (.*) \|$", PAGE, re.MULTILINE)
    figures = [float(figure) for figure in re.findall(r"[\d.]+", told)]
    drawn = [lines.target, lines.warning, lines.critical]
    assert figures == [pytest.approx(float(line) * scale) for line in drawn]


def test_every_alert_has_its_page_and_its_levels_in_the_table():
    rows = dict(re.findall(r"^\| \[(\w+)\]\(runbooks/\w+\.md\) \| (.*) \|$", PAGE, re.MULTILINE))
    levels = {}
    for (alert, _), level in rule_levels().items():
        levels.setdefault(alert, set()).add(level)

    assert rows.keys() == {path.stem for path in (ROOT / "docs" / "runbooks").glob("*.md")}
    assert {alert: set(rows[alert].split(", ")) for alert in levels} == levels


def test_the_escalation_matrix_has_the_levels_of_its_alerts():
    table = PAGE.split("### Escalation matrix\n")[1].split("\n## ")[0]
    rows = [line.split(" | ") for line in table.splitlines() if "runbooks/" in line]

    assert len(rows) == 5  # as many symptoms as the runbook knows
    for _, alerts, level, *actions in rows:
        for alert in re.findall(r"\[(\w+)\]", alerts):
            of_rules = {told for (name, _), told in rule_levels().items() if name == alert}
            of_kpis = set((find_kpi("par_90").alert or {}).values())
            assert level in (of_rules or of_kpis)
        assert all(actions)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("kpi", "KPI: every 30 minutes"),
        ("risk", "Risk: every 15"),
        ("executive", "Executive: hourly"),
    ],
)
def test_a_dashboard_refreshes_as_often_as_the_page_says(name, told):
    built = json.loads((ROOT / "grafana" / "dashboards" / f"{name}.json").read_text())
    often = {"30m": "every 30", "15m": "every 15", "1h": "hourly"}[built["refresh"]]

    assert told in PAGE
    assert often in told


def test_every_channel_on_the_page_is_one_of_the_settings():
    channels = load_settings({"TAPEWATCH_PII_KEY": "k" * 16}).integrations.slack.alert_channels

    named = set(re.findall(r"`(#[a-z-]+)`", PAGE))
    assert named
    assert named <= set(channels.model_dump().values())


@pytest.mark.parametrize("old", OLD)
def test_an_old_command_has_a_new_one(old):
    table = PAGE.split("## From the old commands to the new\n")[1].replace("\\|", "|")

    assert old in table


def test_every_link_within_the_page_leads_to_a_heading():
    headings = {
        re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    }

    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= headings


def shell(command):
    return subprocess.run(  # noqa: S603 - of our own page
        ["/bin/bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False
    )


def makefile():
    return (ROOT / "Makefile").read_text(encoding="utf-8")
