"""Bad input gets one line and changes nothing: the last good run stays served.

What must hold for each of them is asserted in `Desk.refuse`.
"""

import re

import pytest

from tests.warehouse.tape_runs import break_text, row_of, set_cell
from warehouse.tape import TAPE_TABLES

TABLES = [table.source for table in TAPE_TABLES]
SECRET = "S3CRET-CELL"  # noqa: S105 - a cell that nobody may quote


def edited(table, change):
    """Return a fault: one CSV rewritten as text."""
    return lambda folder: break_text(folder, table, change)


def replaced(table, old, new):
    return edited(table, lambda text: text.replace(old, new, 1))


def appended(table, line):
    return edited(table, lambda text: text + line + "\n")


def encoded(encoding):
    def change(folder):
        path = folder / "loans.csv"
        path.write_bytes(path.read_text(encoding="utf-8").encode(encoding))
        return folder

    return change


def line_of(text, loan_id):
    return next(line for line in text.splitlines() if line.startswith(loan_id))


NO_TABLE = {
    "a column is missing": (
        edited("loans", lambda text: without_column(text, "interest_rate")),
        "SCHEMA_MISSING",
        "loans.csv has no column interest_rate |",
    ),
    "a column has another name": (
        replaced("transactions", "date_paid", "date_payment"),
        "SCHEMA_MISSING",
        "transactions.csv has no column date_paid (did you mean date_payment?)",
    ),
    "a column is there in two spellings": (
        replaced("loans", ",company,", ",Days Past Due,"),
        "SCHEMA_DUPLICATE",
        "loans.csv has two columns for dpd: dpd and Days Past Due",
    ),
    "a column is there twice": (
        replaced("loans", ",company,", ",dpd,"),
        "SCHEMA_DUPLICATE",
        "loans.csv has column dpd twice",
    ),
    "no header": (
        edited("loans", lambda text: text[text.index("\n") + 1 :]),
        "SCHEMA_MISSING",
        "loans.csv has no column loan_id, customer_id, disburse_date,",
    ),
    "semicolons": (
        edited("schedules", lambda text: text.replace(",", ";")),
        "SCHEMA_MISSING",
        "schedules.csv is separated by semicolons",
    ),
    "no rows": (
        edited("schedules", lambda text: text[: text.index("\n") + 1]),
        "EMPTY_TABLE",
        "schedules.csv has no rows",
    ),
    "no bytes": (
        edited("schedules", lambda _text: ""),
        "NOT_A_LOAN_TAPE",
        "schedules.csv does not begin with the header of a table",
    ),
    "a login page": (
        edited("loans", lambda _text: f"<!DOCTYPE html>\n<html>{SECRET}</html>\n"),
        "NOT_A_LOAN_TAPE",
        "loans.csv does not begin with the header of a table",
    ),
    "a login page without a line end": (
        edited("loans", lambda _text: f"<html>{SECRET}</html>"),
        "NOT_A_LOAN_TAPE",
        "loans.csv does not begin with the header of a table",
    ),
    "an error message": (
        edited("loans", lambda _text: f'{{"error": "{SECRET}"}}\n'),
        "NOT_A_LOAN_TAPE",
        "loans.csv does not begin with the header of a table",
    ),
    "Latin-1": (encoded("latin-1"), "NOT_UTF8", "loans.csv is not UTF-8 at line 2"),
    "UTF-16": (encoded("utf-16"), "NOT_UTF8", "loans.csv is not UTF-8 at line 1"),
    "UTF-16, little end first": (
        encoded("utf-16-le"),
        "NOT_UTF8",
        "loans.csv is not UTF-8 at line 1",
    ),
    "UTF-16, big end first": (encoded("utf-16-be"), "NOT_UTF8", "loans.csv is not UTF-8 at line 1"),
    "cut within a row": (
        edited("transactions", lambda text: text[: text.index("KEEP-0050") + 20]),
        "CUT_FILE",
        "transactions.csv ends in the middle of line 89",
    ),
    "cut within the last cell": (
        edited("transactions", lambda text: text[:-2]),
        "CUT_FILE",
        "transactions.csv ends in the middle of line 212",
    ),
    "cut before the last line end": (
        edited("transactions", lambda text: text[:-1]),
        "CUT_FILE",
        "transactions.csv ends in the middle of line 212",
    ),
    "a short row": (
        edited("transactions", lambda text: text[: text.index("KEEP-0050") + 20] + "\n"),
        "TRUNCATED_OR_RAGGED",
        "transactions.csv breaks off or has the wrong number of cells at line 89",
    ),
    "a long row": (
        replaced("transactions", "PAYMENT", f"PAYMENT,{SECRET}"),
        "TRUNCATED_OR_RAGGED",
        "transactions.csv breaks off or has the wrong number of cells at line 4",
    ),
    "an unclosed quote": (
        replaced("loans", "factoring", f'"{SECRET}'),
        "TRUNCATED_OR_RAGGED",
        "loans.csv breaks off or has the wrong number of cells at line 2",
    ),
    "an old line end after the header": (
        replaced("loans", "\n", "\r"),
        "TRUNCATED_OR_RAGGED",
        "loans.csv has a header that breaks off at line 1",
    ),
    "old line ends throughout": (
        edited("loans", lambda text: text.replace("\n", "\r")),
        "TRUNCATED_OR_RAGGED",
        "loans.csv has a header that breaks off at line 1",
    ),
}


def without_column(text, name):
    """Return the CSV without one column; no cell of the good tape holds a comma."""
    rows = [line.split(",") for line in text.splitlines()]
    place = rows[0].index(name)
    return "".join(",".join(row[:place] + row[place + 1 :]) + "\n" for row in rows)


@pytest.mark.parametrize(("fault", "code", "told"), NO_TABLE.values(), ids=NO_TABLE)
def test_a_file_that_is_no_table_is_refused(desk, tape, fault, code, told):
    assert told in desk.refuse(fault(tape), code=code, secrets=[SECRET])


@pytest.mark.parametrize("table", TABLES)
def test_a_table_that_is_not_there_is_named(desk, tape, table):
    (tape / f"{table}.csv").unlink()

    line = desk.refuse(tape, code="TABLE_MISSING")

    assert f"tape has no {table}.csv" in line
    assert "export all four tables: loans.csv, schedules.csv," in line


# KEEP-0000 is one of the 31 loans of 100 that are live: 3.23 % of the balance.
BAD_CELLS = {
    "no number": ("transactions", "principal", SECRET, "BAD_NUMBER"),
    "NaN": ("transactions", "principal", "NaN", "BAD_NUMBER"),
    "beyond a double": ("loans", "outstanding_balance", "1e309", "BAD_NUMBER"),
    "infinite": ("loans", "total_interest", "-inf", "BAD_NUMBER"),
    "a comma for thousands": ("schedules", "principal", "1,234.56", "BAD_NUMBER"),
    "a decimal comma": ("schedules", "interest", "12,5", "BAD_NUMBER"),
    "a currency sign": ("schedules", "interest", "$12.50", "BAD_NUMBER"),
    "an underscore": ("loans", "disburse_principal", "1_00", "BAD_NUMBER"),
    "hexadecimal": ("loans", "dpd", "0x1F", "BAD_NUMBER"),
    "spaces around": ("loans", "term", " 30 ", "BAD_NUMBER"),
    "part of a day": ("loans", "dpd", "1.5", "BAD_NUMBER"),
    "other digits": ("loans", "term", "３０", "BAD_NUMBER"),  # noqa: RUF001 - that is the fault
    "no such day": ("loans", "maturity_date", "2025-02-30", "BAD_DATE"),
    "day first": ("loans", "disburse_date", "01/09/2025", "BAD_DATE"),
    "a moment": ("transactions", "date_paid", "2025-09-01 10:00", "BAD_DATE"),
    "a word for a day": ("transactions", "date_paid", "epoch", "BAD_DATE"),
    "another century": ("schedules", "date_due", "1925-10-01", "BAD_DATE"),
    "no day": ("schedules", "date_due", "", "MISSING"),
    "no amount": ("loans", "disburse_principal", "", "MISSING"),
    "no flag": ("loan_par_balances", "is_writeoff", "maybe", "BAD_FLAG"),
    "another currency": ("loan_par_balances", "loan_ccy", "GTQ", "OTHER_CURRENCY"),
}


@pytest.mark.parametrize(("table", "column", "cell", "why"), BAD_CELLS.values(), ids=BAD_CELLS)
def test_a_bad_cell_is_named_when_too_much_of_the_book_hangs_on_it(
    desk, tape, table, column, cell, why
):
    row = row_of(tape, table, "KEEP-0000")
    set_cell(tape, table, row, column, cell)

    secrets = [cell] if len(cell) > 4 else []
    line = desk.refuse(tape, code="TOO_MANY_BAD_ROWS", secrets=secrets)

    assert f"the first is {table}.csv row {row}: {column}:{why}" in line
    assert re.search(r" 3\.\d\d% of the balance", line)


@pytest.mark.parametrize("cell", [SECRET, "NaN", "1e309"])
def test_a_bad_cell_takes_its_loan_out_when_little_hangs_on_it(desk, tape, cell):
    row = row_of(tape, "loans", "KEEP-0001")  # paid off: nothing of the balance
    set_cell(tape, "loans", row, "interest_rate", cell)

    outcome = desk.run(tape)

    found = outcome.sealed.manifest.quality["quarantine"]
    assert (found["loans"], found["bad_rows"], found["rows"]) == (1, 1, 5)  # 1 + 1 + 2 + 1
    assert found["reasons"] == {"LOAN_QUARANTINED": 4, "interest_rate:BAD_NUMBER": 1}
    assert desk.served() == outcome.sealed.name
    assert SECRET not in desk.told()


def test_orphans_are_taken_out_while_they_are_few(desk, tape):
    break_text(tape, "transactions", orphan(1))

    quality = desk.run(tape).sealed.manifest.quality

    assert quality["quarantine"]["reasons"] == {"ORPHAN": 1}
    assert quality["checks"]["orphan_row"] == 1


def test_too_many_orphans_refuse_the_tape(desk, tape):
    break_text(tape, "transactions", orphan(7))  # 7 of 651 rows

    line = desk.refuse(tape, code="TOO_MANY_BAD_ROWS")

    assert "7 rows cannot be used" in line
    assert "1.08% of the rows" in line
    assert "the first is transactions.csv row 212: ORPHAN" in line  # after 121 + 90 good ones


def test_a_live_loan_that_loans_csv_lost_counts_with_its_balance(desk, tape):
    loans = tape / "loans.csv"
    kept = [line for line in loans.read_text().splitlines() if "KEEP-0000" not in line]
    loans.write_text("\n".join(kept) + "\n")

    line = desk.refuse(tape, code="TOO_MANY_BAD_ROWS")

    assert re.search(r" 3\.\d\d% of the balance", line)


def orphan(how_many):
    def change(text):
        payment = line_of(text, "KEEP-0001,PAYMENT")
        return text + "".join(
            payment.replace("KEEP-0001", f"KEEP-9{number}") + "\n" for number in range(how_many)
        )

    return change


BLOCKED = {
    "a negative principal": (
        lambda folder: set_cell(folder, "loans", 2, "disburse_principal", "-100.0"),
        "principal_not_positive (1)",
        "the first is loans.csv row 2: ",
    ),
    "a loan twice, told differently": (
        edited(
            "loans", lambda text: text + line_of(text, "KEEP-0003").replace("0.6", "0.7") + "\n"
        ),
        "loan_id_conflict (2)",
        "the first is loans.csv row 4: 2 different rows have this loan_id",
    ),
    "a schedule twice, told differently": (
        edited(
            "schedules", lambda text: text + line_of(text, "KEEP-0003").replace(",5,", ",6,") + "\n"
        ),
        "schedule_conflict (2)",
        "the first is loans.csv row 4: principal 100.00, scheduled 200.00",
    ),
    "no customer": (
        lambda folder: set_cell(folder, "loans", 7, "customer_id", ""),
        "customer_null (1)",
        "the first is loans.csv row 7: customer_id is empty",
    ),
    "no loan": (
        appended("loans", "," * 27),
        "loan_id_null (1)",
        "the first is loans.csv row 122: loan_id is empty",
    ),
    "an unknown kind of transaction": (
        replaced("transactions", "PAYMENT", SECRET),
        "unknown_transaction_type (1)",
        "transactions.csv row 3: neither DISBURSEMENT nor PAYMENT",
    ),
    "a payment of next month": (
        lambda folder: set_cell(folder, "transactions", 3, "date_paid", "2026-01-15"),
        "future_date (1)",
        "transactions.csv row 3: paid 2026-01-15, received 2025-12-28",
    ),
    "a snapshot that the ledger does not give": (
        lambda folder: set_cell(folder, "loan_par_balances", 1, "outstanding_balance", "99.99"),
        "ledger_differs_from_snapshot (1)",
        "loan_par_balances.csv row 1: 2025-09-30: live 100.00/99.99",
    ),
}


@pytest.mark.parametrize(("fault", "check", "told"), BLOCKED.values(), ids=BLOCKED)
def test_a_tape_that_contradicts_itself_is_refused(desk, tape, fault, check, told):
    line = desk.refuse(fault(tape), code="QUALITY_GATE", secrets=[SECRET])

    assert check in line
    assert told in line
    report = desk.report()
    assert report["status"] == "rejected"
    name = check.split()[0]
    [found] = [found for found in report["checks"] if found["name"] == name]
    assert (found["is_passed"], found["level"]) == (False, "blocking")
    assert found["sample"]


def test_an_exact_duplicate_is_dropped_and_counted(desk, tape):
    for table in ("loans", "schedules", "loan_par_balances"):
        break_text(tape, table, lambda text: text + line_of(text, "KEEP-0003") + "\n")

    outcome = desk.run(tape)

    counts = {"loans.csv": 1, "schedules.csv": 1, "loan_par_balances.csv": 1}
    assert outcome.sealed.manifest.quality["duplicates_dropped"] == counts
    assert outcome.sealed.manifest.files["loan.parquet"].rows == 121


def test_a_payment_that_is_there_twice_counts_twice(desk, tape):
    break_text(tape, "transactions", lambda text: text + line_of(text, "KEEP-0001,P") + "\n")

    assert "overpaid_principal (1)" in desk.refuse(tape, code="QUALITY_GATE")


def test_a_finding_names_the_row_of_the_file_also_after_rows_were_dropped(desk, tape):
    first = (tape / "loans.csv").read_text(encoding="utf-8").splitlines()[1]
    break_text(tape, "loans", lambda text: text.replace(first, f"{first}\n{first}"))
    set_cell(tape, "loans", 9, "maturity_date", "2025-01-01")

    line = desk.refuse(tape, code="QUALITY_GATE")

    assert "the first is loans.csv row 9: disbursed 2025-09-08, matures 2025-01-01" in line
