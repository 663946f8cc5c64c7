"""No text of a tape acts as a formula in a spreadsheet."""

import csv
import io
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.spreadsheet import neutral, write_csv


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@cmd", "\t=1", "\r=1", " =1", "=cmd|' /C'!A0"]
)
def test_text_that_begins_like_a_formula_gets_a_quote(text):
    assert neutral(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "loan 1", "1-2", "a=b", "#0f3", "Ahuachapán"])
def test_other_text_stays_as_it_is(text):
    assert neutral(text) == text


@given(st.text())
def test_no_text_begins_a_formula_and_none_is_lost(text):
    safe = neutral(text)

    assert not safe.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert safe.removeprefix("'") == text.removeprefix("'")


def test_numbers_stay_numbers_and_the_file_is_private(tmp_path):
    path = tmp_path / "loans.csv"

    write_csv(path, ["loan", "change"], [["=1", Decimal("-5.20")], [None, 3]])

    rows = list(csv.reader(io.StringIO(path.read_text())))
    assert rows == [["loan", "change"], ["'=1", "-5.20"], ["", "3"]]
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_loans_behind_a_kpi_are_written_for_a_spreadsheet(full_home, tapewatch, tmp_path):
    path = tmp_path / "par.csv"

    done = tapewatch("kpi", "par_90", "--csv", path)

    rows = list(csv.DictReader(io.StringIO(path.read_text())))
    assert done.code == 0
    assert rows
    assert all(row["loan"].startswith("#") or row["loan"].isalnum() for row in rows)
    assert sum(Decimal(row["numerator"]) for row in rows) > 0


def test_a_kpi_that_is_not_made_of_loans_cannot_be_written(full_home, tapewatch, tmp_path):
    done = tapewatch("kpi", "portfolio_health", "--csv", tmp_path / "x.csv")

    assert done.code == 64
    assert "TAPEWATCH-NOT_OF_LOANS" in done.err
    assert not (tmp_path / "x.csv").exists()
