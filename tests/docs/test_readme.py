"""What the README and the pages tell a person to type or expect is really there."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from deployments.cli import EXIT_CODES, app

ROOT = Path(__file__).parents[2]
DOCS = sorted((ROOT / "docs").glob("*.md"))
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
PAGES = [*sorted(ROOT.glob("*.md")), *DOCS, *DECISIONS]


def commands():
    return set(get_command(app).commands)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_on_a_page_exists(page):
    told = re.findall(r"(?:`|/|\n)tapewatch ([a-z]+)", page.read_text(encoding="utf-8"))

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
