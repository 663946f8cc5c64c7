"""Read the tables of a tape into canonical ones: typed, one row a row, faults beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from settings.errors import DataRejectedError
from settings.model import Settings
from warehouse.csv_text import EmptyTableError, TableFile, explain_csv_error, view_table
from warehouse.engine import copy_to_parquet, literal, one_row, read_sql, view_parquet
from warehouse.kinds import FOUR_TABLES, SNAPSHOTS, TapeKind
from warehouse.masking import hmac_pads
from warehouse.tape import LOANS, PAR_BALANCES, TAPE_TABLES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class AsOfUnknownError(DataRejectedError):
    """No as-of date was declared and the tape has no readable date."""

    code = "AS_OF_UNKNOWN"


@dataclass(frozen=True)
class Dates:
    """The day the caller declared, if any, and the day the tape came, in the portfolio's zone."""

    declared: date | None
    received: date


@dataclass(frozen=True)
class CanonicalTape:
    """The canonical tables as Parquet, and the last day that the tape knows of itself.

    `last_date` is the last day of the ledger, or else the last reporting date up to the day the
    tape came; None when it has no date at all.
    """

    folder: Path
    rows: Mapping[str, int]
    last_date: date | None


def read_tape(
    db: DuckDBPyConnection,
    kind: TapeKind,
    files: Mapping[str, TableFile],
    folder: Path,
    settings: Settings,
    dates: Dates,
) -> CanonicalTape:
    """Read the tables into typed Parquet in `folder`; a bad row keeps its row_fault.

    Raises:
        DataRejectedError: A file is no table of the contract; its subclasses say how.
        AsOfUnknownError: Nothing tells which day the tape is of.
    """
    db.execute(read_sql("canonical", "macros"))
    parameters: dict[str, Any] = {
        "declared_date": dates.declared,
        "currency": settings.portfolio.currency,
        "customer_id_pattern": settings.quality.customer_id_pattern,
        **hmac_pads(settings.pii_key_bytes()),
    }
    if kind is FOUR_TABLES:
        return _read_ledger(db, files, folder, parameters)
    [file] = files.values()
    parameters["last_ledger_date"] = last = None
    if kind is SNAPSHOTS:
        labels = _labels(db, file)
        last = min(labels[-1], dates.received) if labels else None
        parameters["last_ledger_date"] = _last_day_told(labels, dates.declared or last)
    rows = {file.table.canonical: _copy_table(db, file, folder, parameters)}
    last = last or _last_reporting_date(db, folder / f"{file.table.canonical}.parquet", dates)
    if last is None and dates.declared is None:
        raise AsOfUnknownError(
            f"{file.table.file_name} has no readable reporting date",
            fix="declare the day it is of: --as-of 2025-12-31",
        )
    if kind is SNAPSHOTS:
        rows |= _write_loans(db, folder)
    return CanonicalTape(folder, rows, last)


def _read_ledger(
    db: DuckDBPyConnection,
    files: Mapping[str, TableFile],
    folder: Path,
    parameters: dict[str, Any],
) -> CanonicalTape:
    rows: dict[str, int] = {}
    *ledger, snapshots = TAPE_TABLES  # the snapshots last: their day depends on the ledger
    for table in ledger:
        rows[table.canonical] = _copy_table(db, files[table.source], folder, parameters)
    parameters["last_ledger_date"] = last_date = _last_ledger_date(db, folder)
    rows[snapshots.canonical] = _copy_table(db, files[snapshots.source], folder, parameters)
    return CanonicalTape(folder, rows, last_date)


def _copy_table(
    db: DuckDBPyConnection, file: TableFile, folder: Path, parameters: Mapping[str, Any]
) -> int:
    from duckdb import InvalidInputException

    table = file.table
    target = folder / f"{table.canonical}.parquet"
    try:
        view_table(db, file)
        rows = copy_to_parquet(db, read_sql("canonical", table.sql_name), target, parameters)
    except InvalidInputException as error:
        raise explain_csv_error(error, table) from None  # its text quotes the tape
    if rows == 0:
        raise EmptyTableError(
            f"{table.file_name} has no rows", fix="export it again: a tape has rows"
        )
    return rows


def _labels(db: DuckDBPyConnection, file: TableFile) -> list[date]:
    """Return the labels of a month-end book, read once more before it is, oldest first."""
    from duckdb import InvalidInputException

    try:
        view_table(db, file)
        rows = db.execute(
            "select distinct try_cast(reporting_date as date) as label from raw "
            "where is_day(reporting_date) and label is not null order by label"
        ).fetchall()
    except InvalidInputException as error:
        raise explain_csv_error(error, file.table) from None  # its text quotes the tape
    return [label for (label,) in rows]


def _last_day_told(labels: list[date], day: date | None) -> date | None:
    """Return the day that the last label is of: `day` in its partial month, else the label's own.

    No other label is cut, so that no balance of a later month is taken for one of an earlier day.
    """
    if day is None or not labels:
        return day
    last = labels[-1]
    is_month_end = (last + timedelta(days=1)).day == 1
    is_last_month = last.replace(day=1) <= day and all(label < day for label in labels[:-1])
    return day if is_month_end and is_last_month else last


def _last_reporting_date(db: DuckDBPyConnection, path: Path, dates: Dates) -> date | None:
    """Return the last reporting date that can be read, in whatever row: never its future."""
    rows = f"read_parquet({literal(str(path))})"
    (last,) = one_row(db, f"select max(reporting_date) from {rows}", {})
    return None if last is None else min(last, dates.received)


def _write_loans(db: DuckDBPyConnection, folder: Path) -> dict[str, int]:
    view_parquet(db, PAR_BALANCES.canonical, folder / f"{PAR_BALANCES.canonical}.parquet")
    sql = read_sql("canonical", "loan_of_snapshots")
    target = folder / f"{LOANS.canonical}.parquet"
    return {LOANS.canonical: copy_to_parquet(db, sql, target, {})}


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
