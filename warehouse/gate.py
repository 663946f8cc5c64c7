"""Quarantine and duplicates: which rows of the tape the book may use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import JsonValue

from settings.errors import DataRejectedError
from settings.figures import QualitySettings
from warehouse.engine import copy_to_parquet, one_row, read_sql
from warehouse.json_text import JsonObject
from warehouse.tables import view_run_tables, view_tape_tables
from warehouse.tape import FACILITY, TAPE_TABLES, TapeTable

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
_SAMPLE_ROWS = 20
_LOCALE_SHARE = 0.2  # of a table's rows, all failing in one column


class TooManyBadRowsError(DataRejectedError):
    """More of the tape is unusable than the settings allow."""

    code = "TOO_MANY_BAD_ROWS"


class LocaleChangedError(TooManyBadRowsError):
    """One column is unreadable as a whole: its numbers or dates are written in another way."""

    code = "LOCALE_CHANGED"


@dataclass(frozen=True)
class Quarantine:
    """What was taken out: rows by reason, loans, and their share of the tape."""

    loans: int
    bad_rows: int
    rows: int
    row_ratio: Decimal
    balance_ratio: Decimal
    reasons: Mapping[str, int]
    duplicates: Mapping[str, int]

    @property
    def is_empty(self) -> bool:
        """Whether every row as read goes into the book."""
        return self.loans == 0 and not self.duplicates

    def facts(self) -> JsonObject:
        """Return this as the manifest and the validation report tell it."""
        return {
            "loans": self.loans,
            "bad_rows": self.bad_rows,
            "rows": self.rows,
            "row_ratio": str(self.row_ratio),
            "balance_ratio": str(self.balance_ratio),
            "reasons": dict(self.reasons),
        }


NO_QUARANTINE = Quarantine(0, 0, 0, Decimal(0), Decimal(0), {}, {})


def sort_out(
    db: DuckDBPyConnection,
    tape: Path,
    run: Path,
    settings: QualitySettings,
    file_names: Mapping[str, str] | None = None,
) -> Quarantine:
    """Write the usable tables, and quarantine.parquet when rows were taken, into `run`.

    Leaves the views of both: tape_<table> as read, <table> as the book may use it. `file_names`
    are what people call the files that SQL knows by their contract names.

    Raises:
        TooManyBadRowsError: Beyond the allowed share of rows or of balance.
    """
    if not (tape / "loan.parquet").is_file():  # no loans, so no rows of a loan to set apart
        _link_tables(db, tape, run)
        return NO_QUARANTINE
    view_tape_tables(db, tape)
    for name in ("quarantined_loan", "repeated_key", "duplicate_row"):
        db.execute(f"create or replace table {name} as {read_sql('gate', name)}")
    found = _measure(db)
    if found.loans:
        _refuse_too_many(db, found, settings, file_names or {})
        copy_to_parquet(
            db,
            "select source_file, source_row, reason from quarantine",
            run / "quarantine.parquet",
            {},
        )
    for table in TAPE_TABLES:
        source, target = (folder / f"{table.canonical}.parquet" for folder in (tape, run))
        target.unlink(missing_ok=True)  # of an earlier try
        if not source.is_file():
            continue  # a table that this kind of tape does not have
        if found.is_empty:
            target.hardlink_to(source)
        else:  # with source_row, so that a loan can be found in the file as it came
            copy_to_parquet(db, _kept_rows(table), target, {})
    view_run_tables(db, run)
    return found


def _link_tables(db: DuckDBPyConnection, tape: Path, run: Path) -> None:
    target = run / f"{FACILITY.canonical}.parquet"
    target.unlink(missing_ok=True)  # of an earlier try
    target.hardlink_to(tape / target.name)
    view_run_tables(db, run)


def _kept_rows(table: TapeTable) -> str:
    return f"""
        select *
        from tape_{table.canonical}
        anti join quarantined_loan using (loan_key)
        anti join (select source_row from duplicate_row where source_file = '{table.contract_name}')
            using (source_row)
    """


def quarantined_sample(db: DuckDBPyConnection, file_names: Mapping[str, str]) -> list[JsonValue]:
    """Return the first rows that the quarantine took for a reason of their own, no cell of them."""
    rows = db.execute(
        "select source_file, source_row, reason from quarantine "
        f"where reason <> 'LOAN_QUARANTINED' order by all limit {_SAMPLE_ROWS}"
    ).fetchall()
    return [
        {"source_file": file_names.get(file, file), "source_row": row, "reason": why}
        for file, row, why in rows
    ]


def _measure(db: DuckDBPyConnection) -> Quarantine:
    duplicates = db.execute("select source_file, count(*) from duplicate_row group by 1").fetchall()
    (loans,) = one_row(db, "select count(*) from quarantined_loan", {})
    if not loans:
        return replace(NO_QUARANTINE, duplicates=dict(duplicates))
    db.execute(f"create or replace table quarantine as {read_sql('gate', 'quarantine')}")
    reasons = db.execute("select reason, count(*) from quarantine group by 1 order by 1").fetchall()
    facts = one_row(db, read_sql("gate", "quarantine_share"), {})
    bad_rows, rows, row_ratio, balance_ratio = facts
    return Quarantine(
        loans, bad_rows, rows, row_ratio, balance_ratio, dict(reasons), dict(duplicates)
    )


def _refuse_too_many(
    db: DuckDBPyConnection,
    found: Quarantine,
    settings: QualitySettings,
    file_names: Mapping[str, str],
) -> None:
    if (
        found.row_ratio <= settings.max_rejected_row_ratio
        and found.balance_ratio <= settings.max_rejected_balance_ratio
    ):
        return
    source_file, source_row, reason = one_row(
        db,
        "select source_file, source_row, reason from quarantine "
        "where reason <> 'LOAN_QUARANTINED' order by all limit 1",
        {},
    )
    source_file = file_names.get(source_file, source_file)
    _refuse_other_locale(db, found, file_names)
    raise TooManyBadRowsError(
        f"{found.bad_rows:,} rows cannot be used, with their loans {found.row_ratio:.2%} of the "
        f"rows and {found.balance_ratio:.2%} of the balance; "
        f"the first is {source_file} row {source_row}: {reason}",
        fix="correct the rows named in validation_report.json and export again, "
        "or raise quality.max_rejected_row_ratio or quality.max_rejected_balance_ratio",
        evidence={"reasons": dict(found.reasons)},
    )


def _refuse_other_locale(
    db: DuckDBPyConnection, found: Quarantine, file_names: Mapping[str, str]
) -> None:
    worst = db.execute(
        "select source_file, reason, count(*) as bad_rows from quarantine "
        "where reason like '%:BAD_NUMBER' or reason like '%:BAD_DATE' "
        "group by all order by bad_rows desc, source_file, reason limit 1"
    ).fetchone()
    if worst is None:
        return
    source_file, reason, bad_rows = worst
    table = next(t for t in TAPE_TABLES if t.contract_name == source_file)
    (rows,) = one_row(db, f"select count(*) from tape_{table.canonical}", {})
    if bad_rows <= _LOCALE_SHARE * rows:
        return
    column, what = reason.split(":")
    written = "1234.56" if what == "BAD_NUMBER" else "2025-12-31"
    raise LocaleChangedError(
        f"{bad_rows:,} of {rows:,} rows of {file_names.get(source_file, source_file)} "
        f"cannot be read in column {column}",
        fix=f"write {column} as {written}: no decimal comma, no thousands mark, no currency sign, "
        "no day first",
        evidence={"reasons": dict(found.reasons)},
    )
