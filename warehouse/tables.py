"""Offer the tables of a run to SQL: as the tape gave them, and as the book may use them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from warehouse.engine import bound, identifier, literal, read_sql, view_parquet
from warehouse.tape import FACILITY, TAPE_TABLES, TapeTable

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# Written by the book and the gate; those that a kind of tape does not have are not there.
_MADE = ("book_history", "book", "earlier_book", "earlier_total", "default_event", "quality_result")
# What the SQL of an empty table binds; no row ever meets them.
_NOTHING: Mapping[str, None] = dict.fromkeys(
    (
        "currency",
        "customer_id_pattern",
        "hmac_inner",
        "hmac_outer",
        "last_ledger_date",
        "declared_date",
    )
)


def view_tape_tables(db: DuckDBPyConnection, folder: Path) -> None:
    """Offer every row that was read as tape_<table>, with row_fault and source_row."""
    for table in TAPE_TABLES:
        _view(db, f"tape_{table.canonical}", folder, table)


def view_run_tables(db: DuckDBPyConnection, folder: Path) -> None:
    """Offer every table of a run folder under its name, and payment, disbursement, instalment.

    A table of Cascade's export that the tape does not have is empty: no KPI that needs it is
    asked of such a tape.
    """
    for table in TAPE_TABLES:
        _view(db, table.canonical, folder, table)
    if (folder / f"{FACILITY.canonical}.parquet").is_file():
        _view(db, FACILITY.canonical, folder, FACILITY)
    for name in ("payment", "disbursement"):
        db.execute(f"create or replace view {name} as {read_sql('canonical', name)}")
    db.execute(f"create or replace view instalment as {read_sql('book', 'instalment')}")
    for name in _MADE:
        path = folder / f"{name}.parquet"
        if path.is_file():
            view_parquet(db, name, path)


def _view(db: DuckDBPyConnection, name: str, folder: Path, table: TapeTable) -> None:
    """Offer a table with source_row: the file's own where rows were taken out, else the count."""
    path = folder / f"{table.canonical}.parquet"
    if not path.is_file():
        _offer_empty(db, name, table)
        return
    rows = f"read_parquet({literal(str(path))})"
    columns = [column for column, *_ in db.execute(f"describe from {rows}").fetchall()]
    counted = "cast(file_row_number + 1 as bigint) as source_row"
    chosen = "*" if "source_row" in columns else f"*, {counted}"
    db.execute(f"create or replace view {identifier(name)} as select {chosen} from {rows}")


def _offer_empty(db: DuckDBPyConnection, name: str, table: TapeTable) -> None:
    """Offer the table as its SQL makes it of no row: every check can name its columns."""
    columns = ", ".join(f"cast(null as varchar) as {identifier(c)}" for c in table.columns)
    db.execute(read_sql("canonical", "macros"))
    db.execute(f"create or replace temp view raw as select {columns} where false")
    sql = read_sql("canonical", table.sql_name)
    rows = f"select *, cast(null as bigint) as source_row from ({sql})"
    db.execute(f"create or replace table {identifier(name)} as {rows}", bound(sql, _NOTHING))
