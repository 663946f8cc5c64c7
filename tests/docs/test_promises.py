"""Every line of docs/promises.md is held by something that is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
HEADS = re.compile(r"^\| (promise|\| promise|what) \||^\|[-|]+\|$")
ROWS = [line for line in PAGE.splitlines() if line.startswith("|") and not HEADS.match(line)]
NAMED = re.compile(r"`((?:tests|quality)/[^`:]+)(?:::(test_\w+))?`")


def held_by(row):
    return NAMED.findall(row)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.strip("| ")[:60])
def test_every_promise_names_what_holds_it(row):
    assert held_by(row), "a promise without a test is a wish"


@pytest.mark.parametrize("path", sorted({path for row in ROWS for path, _ in held_by(row)}))
def test_every_file_that_a_promise_names_is_there(path):
    folder = ROOT if path.startswith("tests/") else ROOT / "warehouse" / "sql"

    assert (folder / path).exists()


@pytest.mark.parametrize(
    ("path", "name"), sorted({held for row in ROWS for held in held_by(row) if held[1]})
)
def test_every_test_that_a_promise_names_is_there(path, name):
    assert re.search(rf"^def {name}\(", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)


def test_each_promise_of_the_sheet_names_its_tests_one_by_one():
    sheet = PAGE.partition("## The sheet")[2].partition("## One by one")[0]
    rows = [line for line in ROWS if line in sheet]

    assert len(rows) >= 20
    assert not [row for row in rows if not any(name for _, name in held_by(row))]
