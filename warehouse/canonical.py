"""Read the four CSVs of a tape into the canonical tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from settings.errors import DataRejectedError
from settings.model import Settings
from warehouse.csv_text import EmptyTableError, explain_csv_error, read_header, view_csv
from warehouse.engine import copy_to_parquet, one_row, read_sql
from warehouse.masking import hmac_pads
from warehouse.tape import TAPE_TABLES, TapeTable

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class AsOfUnknownError(DataRejectedError):
    """No as-of date was declared and the ledger has no readable date."""

    code = "AS_OF_UNKNOWN"


@dataclass(frozen=True)
class CanonicalTape:
    """The four tables as Parquet, one row a CSV row, and the last day their ledger knows."""

    folder: Path
    rows: Mapping[str, int]
    last_ledger_date: date


def read_tape(
    db: DuckDBPyConnection, files: Mapping[str, Path], folder: Path, settings: Settings
) -> CanonicalTape:
    """Read the four CSVs into typed Parquet tables in `folder`; a bad row keeps its row_fault.

    Raises:
        DataRejectedError: A file is no table of the contract; its subclasses say how.
        AsOfUnknownError: The ledger has no readable date.
    """
    headers = {t.source: read_header(files[t.source], t) for t in TAPE_TABLES}  # all before any
    db.execute(read_sql("canonical", "macros"))
    parameters: dict[str, Any] = {
        "currency": settings.portfolio.currency,
        "customer_id_pattern": settings.quality.customer_id_pattern,
        **hmac_pads(settings.pii_key_bytes()),
    }
    rows: dict[str, int] = {}
    *ledger, snapshots = TAPE_TABLES  # the snapshots last: their day depends on the ledger
    for table in ledger:
        view_csv(db, files[table.source], table, headers[table.source])
        rows[table.canonical] = _copy_table(db, table, folder, parameters)
    parameters["last_ledger_date"] = last_ledger_date = _last_ledger_date(db, folder)
    view_csv(db, files[snapshots.source], snapshots, headers[snapshots.source])
    rows[snapshots.canonical] = _copy_table(db, snapshots, folder, parameters)
    return CanonicalTape(folder, rows, last_ledger_date)


def _copy_table(
    db: DuckDBPyConnection, table: TapeTable, folder: Path, parameters: Mapping[str, Any]
) -> int:
    from duckdb import InvalidInputException

    target = folder / f"{table.canonical}.parquet"
    try:
        rows = copy_to_parquet(db, read_sql("canonical", table.canonical), target, parameters)
    except InvalidInputException as error:
        raise explain_csv_error(error, table) from None  # its text quotes the tape
    if rows == 0:
        raise EmptyTableError(
            f"{table.file_name} has no rows", fix="export it again: a tape has all four tables"
        )
    return rows


def _last_ledger_date(db: DuckDBPyConnection, folder: Path) -> date:
    loan, transaction = folder / "loan.parquet", folder / "transaction.parquet"
    (last,) = one_row(
        db,
        f"""
        select greatest(
            (select max(disburse_date) from read_parquet('{loan}') where row_fault is null),
            (select max(paid_date) from read_parquet('{transaction}') where row_fault is null)
        )
        """,
        {},
    )
    if last is None:
        raise AsOfUnknownError(
            "no row of loans.csv or transactions.csv has a readable date",
            fix="check the date columns: dates are written 2025-12-31",
        )
    return last
