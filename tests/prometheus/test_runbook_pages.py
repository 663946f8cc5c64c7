"""Each alert has a page that says what it means and what to type, and each page an alert."""

import os
import re
import shlex
import subprocess

import pytest
from typer.main import get_command

from deployments.cli import app
from settings.kpis import load_catalogue
from settings.model import variables
from tests.docs.quick_command import quick_command
from tests.prometheus.shipped import PAGES, ROOT, alerts
from tests.warehouse.mixed_tape import mixed_tape

HEADINGS = ["Meaning", "Impact", "Diagnosis", "Mitigation", "Escalation"]
ALERT_OF = {
    "KpiBeyondWarning": "warning",
    "KpiBeyondCritical": "critical",
    "KpiBeyondEscalation": "escalation",
    "KpiStillBeyondEscalation": "escalation",
    "KpiUnknown": "warning",
}
NOT_HERE = ("curl", "tail", "ps ", "df ", "du ", "ls ", ".venv/bin/tapewatch stress")
COMMAND = re.compile(r"(?:\.venv/bin/)?tapewatch( [^`|\n]*)")


def every_page():
    return pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def section(page, heading):
    return page.read_text().split(f"## {heading}\n")[1].split("\n## ")[0]


def levels(alert):
    """The incident levels at which an alert fires; those of a KPI are the catalogue's."""
    if alert in ALERT_OF:
        severity = ALERT_OF[alert]
        return {k.alert[severity] for k in load_catalogue() if severity in (k.alert or {})}
    return {rule["labels"]["level"] for rule in alerts() if rule["alert"] == alert} - {"none"}


def typed_lines(page):
    blocks = "\n".join(re.findall(r"```bash\n(.*?)```", page.read_text(), re.DOTALL))
    return [line for line in blocks.splitlines() if line and not line.startswith("#")]


def commands(page):
    """What a reader may type: the lines of the code blocks, and what stands in backticks."""
    text = page.read_text()
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    inline = [" ".join(quoted.split()) for quoted in re.findall(r"`([^`]+)`", prose)]
    return [
        shlex.split(found[1])
        for line in [*typed_lines(page), *inline]
        if (found := COMMAND.match(line)) is not None
    ]


def test_every_alert_has_a_page_and_every_page_an_alert():
    assert {page.stem for page in PAGES} == {rule["alert"] for rule in alerts()}


@every_page()
def test_a_page_has_the_five_headings_each_with_a_text(page):
    text = page.read_text()

    assert text.startswith(f"# {page.stem}\n")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == HEADINGS
    assert all(section(page, heading).strip() for heading in HEADINGS)


@every_page()
def test_the_diagnosis_has_a_command_of_tapewatch(page):
    [block] = re.findall(r"```bash\n(.*?)```", section(page, "Diagnosis"), re.DOTALL)

    assert ".venv/bin/tapewatch " in block


@every_page()
def test_every_command_of_a_page_is_one_that_tapewatch_has(page):
    for words in commands(page):
        command = get_command(app)
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        known = {option for parameter in command.params for option in parameter.opts}
        asked = {word for word in words if word.startswith("--")} - {"--help"}

        assert command is not get_command(app)
        assert command.name != "tapewatch"
        assert asked <= known, words
        kpis = {kpi.name for kpi in load_catalogue()}
        if command.name in ("kpi", "lineage") and words:
            assert words[0] in kpis


@every_page()
def test_the_escalation_names_the_levels_at_which_the_alert_fires(page):
    named = set(re.findall(r"^(P\d):", section(page, "Escalation"), re.MULTILINE))

    assert named == levels(page.stem)


@every_page()
def test_what_a_page_links_to_and_the_variables_it_names_exist(page):
    text = page.read_text()

    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert (page.parent / target).exists()
    assert set(re.findall(r"`(TAPEWATCH_\w+)`", text)) <= variables().keys()


def test_every_code_of_a_compliance_violation_is_ours_and_on_its_page():
    [rule] = [rule for rule in alerts() if rule["alert"] == "ComplianceViolation"]
    [codes] = re.findall(r'code=~"([^"]+)"', rule["expr"])
    sources = [
        path.read_text()
        for folder in ("warehouse", "blocks", "deployments")
        for path in (ROOT / folder).rglob("*.py")
    ]
    defined = set(re.findall(r'^    code = "([A-Z_]+)"', "\n".join(sources), re.MULTILINE))
    [page] = [page for page in PAGES if page.stem == "ComplianceViolation"]

    assert set(codes.split("|")) <= defined
    assert set(codes.split("|")) == set(re.findall(r"`([A-Z]+_[A-Z_]+)`", page.read_text()))


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder to type in, with one good run."""
    home = tmp_path_factory.mktemp("desk")
    program = home / ".venv" / "bin" / "tapewatch"
    program.parent.mkdir(parents=True)
    drop = home / "data" / "raw" / "cascade"
    drop.mkdir(parents=True)
    (drop / "loan_tape.csv").write_text(
        "loan_id,customer_id,balance,days_past_due,reporting_date\nL1,CLI1,100,0,2025-12-01\n"
    )
    tape = mixed_tape().write(tmp_path_factory.mktemp("tape"))
    with quick_command(program, tmp_path_factory.mktemp("command")):
        assert typed(home, f".venv/bin/tapewatch run --input {tape}").returncode == 0
        yield home


def typed(home, line):
    environment = {**os.environ, "PIPELINE_ENV": "development"}
    return subprocess.run(  # noqa: S602 - the page's own line, as a person types it
        line, shell=True, cwd=home, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_every_diagnosis_answers_as_it_stands(desk):
    lines = dict.fromkeys(line for page in PAGES for line in typed_lines(page))
    answers = {line: typed(desk, line) for line in lines if not line.startswith(NOT_HERE)}

    failed = {line: done.stderr for line, done in answers.items() if done.returncode != 0}
    assert not failed
    assert all(done.stdout.strip() for done in answers.values())
