"""Offer the tables of a run to SQL: as the tape gave them, and as the book may use them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from warehouse.engine import literal, read_sql
from warehouse.tape import TAPE_TABLES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def view_tape_tables(db: DuckDBPyConnection, folder: Path) -> None:
    """Offer every row that was read as tape_<table>, with row_fault and source_row."""
    for table in TAPE_TABLES:
        _view(db, f"tape_{table.canonical}", folder / f"{table.canonical}.parquet")


def view_run_tables(db: DuckDBPyConnection, folder: Path) -> None:
    """Offer loan, schedule, transaction, payment, disbursement, balance_snapshot and instalment."""
    for table in TAPE_TABLES:
        _view(db, table.canonical, folder / f"{table.canonical}.parquet")
    for name in ("payment", "disbursement"):
        db.execute(f"create or replace view {name} as {read_sql('canonical', name)}")
    db.execute(f"create or replace view instalment as {read_sql('book', 'instalment')}")


def _view(db: DuckDBPyConnection, name: str, path: Path) -> None:
    """Offer a table with source_row: the file's own where rows were taken out, else the count."""
    rows = f"read_parquet({literal(str(path))})"
    columns = [column for column, *_ in db.execute(f"describe from {rows}").fetchall()]
    counted = "cast(file_row_number + 1 as bigint) as source_row"
    chosen = "*" if "source_row" in columns else f"*, {counted}"
    db.execute(f'create or replace view "{name}" as select {chosen} from {rows}')
