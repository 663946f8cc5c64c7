"""What the README and the pages tell a person to type or expect is really there."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from deployments.cli import EXIT_CODES, app, run_command
from deployments.first_run import DEMO_LOANS
from warehouse.synthetic import write_tape

ROOT = Path(__file__).parents[2]
DOCS = sorted((ROOT / "docs").glob("*.md"))
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
PAGES = [*sorted(ROOT.glob("*.md")), *DOCS, *DECISIONS]


def commands():
    return set(get_command(app).commands)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_on_a_page_exists(page):
    told = re.findall(r"(?:`|/|\n)tapewatch ([a-z-]+)", page.read_text(encoding="utf-8"))

    assert set(told) <= commands()


def test_the_readme_names_every_command():
    text = (ROOT / "README.md").read_text(encoding="utf-8") + (ROOT / "CHANGELOG.md").read_text()

    assert not [name for name in commands() if f"`{name}" not in text and f" {name}" not in text]


def test_the_readme_has_the_exit_codes_of_the_command_line():
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", (ROOT / "README.md").read_text("utf-8"), re.M)

    assert {int(code): told for code, told in rows} == EXIT_CODES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_to_one(page):
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))

    assert not [link for link in links if "://" not in link and not (page.parent / link).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_target_of_make_on_a_page_exists(page):
    told = re.findall(r"(?:`|\n(?:\$ )?)make ([a-z-]+)", page.read_text(encoding="utf-8"))

    assert set(told) <= set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))


@pytest.mark.parametrize(
    ("index", "pages"),
    [(ROOT / "README.md", DOCS), (ROOT / "docs" / "decisions" / "README.md", DECISIONS)],
    ids=["README", "decisions"],
)
def test_an_index_leads_to_every_page(index, pages):
    linked = re.findall(r"\]\(([^)#]+)\)", index.read_text(encoding="utf-8"))

    led_to = {(index.parent / link).resolve() for link in linked}
    assert {page for page in pages if page != index} - led_to == set()


@pytest.mark.slow
def test_the_figures_of_the_readme_are_those_of_its_tape(tmp_path, monkeypatch, capsys):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = re.search(r"^KPI on .*?^reconciled: .*?$", readme, re.DOTALL | re.MULTILINE)[0]
    monkeypatch.setenv("PIPELINE_ENV", "development")
    monkeypatch.setenv("TAPEWATCH_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "100")
    tape = write_tape(tmp_path / "tape", DEMO_LOANS).folder

    assert run_command(["run", "--input", str(tape)]) == 0

    printed = {line.rstrip() for line in capsys.readouterr().out.splitlines()}
    assert f"tape of {DEMO_LOANS:,} loans" in readme
    assert set(table.splitlines()) - printed == {"…"}
