"""Every check trips on its smallest bad tape and lets the sound tape next to it pass."""

import pytest

from tests.warehouse.quality.cases_of_amounts import BALANCES, LEDGER
from tests.warehouse.quality.cases_of_book import BEFORE, BOOK, LISTED, PREVIOUS, SAME
from tests.warehouse.quality.cases_of_kinds import KINDS
from tests.warehouse.quality.cases_of_rows import DAYS, MISSING, REPEATED
from tests.warehouse.quality.cases_of_terms import TERMS
from tests.warehouse.quality.tape_by_hand import (
    Case,
    disbursed,
    due,
    good,
    loan,
    paid,
    snapshot,
    tape,
)
from warehouse.engine import bound, read_sql, sql_names
from warehouse.quality import LEVELS

CHECKS = {name: level for level in LEVELS for name in sql_names(f"quality/{level}")}
CASES = [*MISSING, *REPEATED, *TERMS, *BALANCES, *LEDGER, *DAYS, *BOOK, *LISTED, *PREVIOUS, *KINDS]
COLUMNS = [
    ("source_file", "VARCHAR"),
    ("source_row", "BIGINT"),
    ("loan_id", "VARCHAR"),
    ("detail", "VARCHAR"),
]


def bad_rows(db, parameters, check):
    """Return the columns and the rows of a check."""
    sql = read_sql(f"quality/{CHECKS[check]}", check)
    result = db.execute(f"from ({sql}) order by all", bound(sql, parameters))
    return [(name, str(kind)) for name, kind, *_ in result.description], result.fetchall()


@pytest.mark.parametrize("case", CASES, ids=Case.title)
def test_a_check_returns_exactly_the_bad_rows(make_tape_db, case):
    db, parameters = make_tape_db(case)

    columns, rows = bad_rows(db, parameters, case.check)

    assert columns == COLUMNS
    assert rows == list(case.found)


@pytest.mark.parametrize("check", CHECKS)
def test_a_check_has_a_tape_that_trips_it_and_one_that_does_not(check):
    assert {bool(case.found) for case in CASES if case.check == check} == {True, False}


def test_a_sound_tape_passes_every_check(make_tape_db):
    told_again = {"previous_book": [SAME], "previous_loan": [["L1", "2025-01-01", "100.00"]]}
    db, parameters = make_tape_db(good("all", "sound", tape(), previous=told_again, bind=BEFORE))

    found = {check: bad_rows(db, parameters, check)[1] for check in CHECKS}

    assert {check: rows for check, rows in found.items() if rows} == {}


def test_no_detail_repeats_the_text_of_a_cell(make_tape_db):
    name = "Ana María"
    spoken = {"customer_id": name, "loan_status": name, "company": name, "product_type": name}
    rows = tape(
        loans=[loan(**spoken), loan(**spoken, disburse_principal="0"), loan("L2", term=name)],
        schedules=[due(), due("L2", principal=name), due("L3")],
        transactions=[disbursed(), paid(transaction_type=name), paid("L2", interest=name)],
        snapshots=[snapshot(balance="61.00"), snapshot("L2", is_writeoff=name)],
    )
    db, parameters = make_tape_db(good("all", "text everywhere", rows))

    found = {check: bad_rows(db, parameters, check)[1] for check in CHECKS}

    assert sum(map(bool, found.values())) > 9
    assert not any("Ana" in detail for rows in found.values() for *_, detail in rows)
