"""Offer a hand-written tape to SQL as a run would: typed, without what the gate takes out."""

from datetime import date
from decimal import Decimal

import duckdb
import pytest

from warehouse.engine import bound, read_sql
from warehouse.masking import hmac_pads
from warehouse.tape import TAPE_TABLES

PARAMETERS = {
    "as_of": date(2025, 1, 31),
    "received_date": date(2025, 2, 1),
    "previous_as_of": None,
    "last_date": date(2025, 1, 31),
    "apr_max": Decimal(2),
    "term_max_days": 365,
    "quiet_ledger_days": 4,
    "written_off_after_days": 180,
    "closed_below_ratio": Decimal("0.01"),
    "currency": "USD",
    "customer_id_pattern": "^CLI[0-9]+$",
    **hmac_pads(b"the key of a test"),
}
PREVIOUS = {
    "previous_loan": "loan_id varchar, disburse_date date, disbursed_principal decimal(18, 2)",
    "previous_book": "loan_id varchar, residual_principal decimal(18, 2), "
    "cash_paid decimal(18, 2), oldest_due_date date, days_past_due integer default 0, "
    "live_principal decimal(18, 2) default 0",
    "book_then": "loan_key ubigint, loan_id varchar, residual_principal decimal(18, 2), "
    "days_past_due integer, live_principal decimal(18, 2)",
    "facility_position": "reporting_date date, total_receivable decimal(18, 2), "
    "past_due_0 decimal(18, 2), past_due_7 decimal(18, 2), past_due_30 decimal(18, 2), "
    "past_due_60 decimal(18, 2), past_due_90 decimal(18, 2), has_past_due_120 boolean, "
    "total_eligible decimal(18, 2), cash_available decimal(18, 2), row_fault varchar, "
    "source_row bigint",
    "previous_facility_position": "reporting_date date, total_receivable decimal(18, 2), "
    "past_due_0 decimal(18, 2), past_due_7 decimal(18, 2), past_due_30 decimal(18, 2), "
    "past_due_60 decimal(18, 2), past_due_90 decimal(18, 2), total_eligible decimal(18, 2), "
    "cash_available decimal(18, 2)",
    "previous_payment": "loan_id varchar, paid_date date, principal decimal(18, 2), "
    "interest decimal(18, 2), fees decimal(18, 2), other decimal(18, 2), tax decimal(18, 2)",
    "previous_balance_snapshot": "loan_id varchar, reporting_date date, as_of_date date, "
    "dpd integer, outstanding_principal decimal(18, 2), written_off_principal decimal(18, 2)",
}
LAST_DAY = "select greatest(max(disburse_date), (select max(paid_date) from tape_transaction))"


@pytest.fixture
def make_tape_db():
    """Return a function: a case in, a DuckDB with all that a check reads out."""
    with duckdb.connect(config={"threads": 1}) as db:

        def make(case):
            parameters = PARAMETERS | case.bind
            db.execute(case.setup)
            db.execute(read_sql("canonical", "macros"))
            _read(db, case.tape, parameters)
            _take_out(db)
            for name, columns in PREVIOUS.items():
                db.execute(f"create table {name} ({columns})")
                _insert(db, name, case.previous.get(name, ()))
            for name in ("book_history", "book"):
                sql = read_sql("book", name)
                db.execute(f"create table {name} as {sql}", bound(sql, parameters))
            return db, parameters

        yield make


def _read(db, rows, parameters):
    for table in TAPE_TABLES:
        cells = ", ".join(f'"{column}" varchar' for column in table.columns)
        db.execute(f"create or replace table raw ({cells})")
        _insert(db, "raw", [[row.get(c) for c in table.columns] for row in rows[table.source]])
        if table.canonical == "balance_snapshot":
            (last,) = db.execute(f"{LAST_DAY} from tape_loan").fetchone()
            parameters = parameters | {"last_ledger_date": last}
        sql = read_sql("canonical", table.canonical)
        numbered = f"select *, row_number() over () as source_row from ({sql})"  # noqa: S608 - ours
        db.execute(f"create table tape_{table.canonical} as {numbered}", bound(sql, parameters))


def _insert(db, table, rows):
    for row in rows:
        if isinstance(row, dict):
            names = ", ".join(f'"{name}"' for name in row)
            marks = ", ".join("?" * len(row))
            db.execute(f"insert into {table} ({names}) values ({marks})", list(row.values()))  # noqa: S608 - ours
            continue
        named = db.execute(f"describe {table}").fetchall()
        columns = ", ".join(f'"{name}"' for name, *_ in named[: len(row)])
        marks = ", ".join("?" * len(row))
        db.execute(f"insert into {table} ({columns}) values ({marks})", list(row))  # noqa: S608 - ours


def _take_out(db):
    for name in ("quarantined_loan", "repeated_key", "duplicate_row"):
        db.execute(f"create table {name} as {read_sql('gate', name)}")
    for table in TAPE_TABLES:
        db.execute(
            f'create table "{table.canonical}" as from tape_{table.canonical} '
            "anti join quarantined_loan using (loan_key) "
            "anti join (from duplicate_row where source_file = ?) using (source_row)",
            [table.file_name],
        )
    views = {"payment": "canonical", "disbursement": "canonical", "instalment": "book"}
    for name, folder in views.items():
        db.execute(f"create view {name} as {read_sql(folder, name)}")
