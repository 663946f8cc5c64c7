"""The catalogue and the SQL say the same."""

import hashlib
import re
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from settings.kpis import load_catalogue
from warehouse.engine import SQL_ROOT

CATALOGUE = load_catalogue()
OTHER_BASES = [(k, basis, needs) for k in CATALOGUE for basis, needs in k.other_bases.items()]


def test_every_kpi_has_one_sql_file_and_every_file_an_entry():
    files = {path.relative_to(SQL_ROOT / "kpi") for path in (SQL_ROOT / "kpi").rglob("*.sql")}

    named = {Path(f"{kpi.name}.sql") for kpi in CATALOGUE}
    assert files == named | {Path(basis, f"{kpi.name}.sql") for kpi, basis, _ in OTHER_BASES}


@pytest.mark.parametrize("kpi", CATALOGUE, ids=lambda kpi: kpi.name)
def test_a_kpi_requires_what_its_sql_says_it_reads_and_what_it_reads(kpi):
    sql = (SQL_ROOT / "kpi" / f"{kpi.name}.sql").read_text()

    assert tables(kpi.requires) == tables_named_in_header(sql) == tables_read_by(sql)


@pytest.mark.parametrize(("kpi", "basis", "requires"), OTHER_BASES)
def test_another_basis_requires_what_its_sql_says_it_reads_and_what_it_reads(kpi, basis, requires):
    sql = (SQL_ROOT / "kpi" / basis / f"{kpi.name}.sql").read_text()

    assert tables(requires) == tables_named_in_header(sql) == tables_read_by(sql)


def tables(requires):
    """Return the tables; `book.customer_id` is a column of one of them."""
    found = {name for name in requires if "." not in name}
    assert {name.split(".")[0] for name in requires} == found
    return found


def tables_named_in_header(sql):
    [reads] = re.findall(r"^-- reads:(.*?)^-- returns:", sql, re.DOTALL | re.MULTILINE)
    without_columns = re.sub(r"\([^)]*\)", "", reads.replace("--", ""))
    return {name.strip() for name in without_columns.split(",")}


def tables_read_by(sql):
    tree = sqlglot.parse_one(sql, read="duckdb")
    steps = {step.alias for step in tree.find_all(exp.CTE)}
    return {table.name for table in tree.find_all(exp.Table)} - steps


def test_the_hash_of_a_value_is_of_the_sql_that_gave_it(healthy):
    for name, kpi in healthy.items():
        text = (SQL_ROOT / "kpi" / f"{name}.sql").read_bytes()
        assert kpi.definition_sha256 == hashlib.sha256(text).hexdigest()
