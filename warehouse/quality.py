"""Run every quality check: a query that returns the bad rows; no row, no problem."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from settings.errors import DataRejectedError
from warehouse.engine import bound, copy_to_parquet, one_row, read_sql, sql_names
from warehouse.kinds import FOUR_TABLES, TapeKind
from warehouse.masking import mask_id
from warehouse.tape import TAPE_TABLES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Level = Literal["blocking", "quarantine", "warning"]
LEVELS: tuple[Level, ...] = ("blocking", "quarantine", "warning")
SAMPLE_ROWS = 20
_FILES = [table.contract_name for table in TAPE_TABLES]
_KEPT_ROWS = 1_000  # of each check in finding.parquet; its count is always whole


class QualityGateError(DataRejectedError):
    """Blocking checks found bad rows."""

    code = "QUALITY_GATE"


@dataclass(frozen=True)
class Finding:
    """One bad row, its loan masked."""

    source_file: str
    source_row: int | None
    loan: str | None
    detail: str


@dataclass(frozen=True)
class CheckResult:
    """What one check found: how many rows, and the first of them."""

    name: str
    level: Level
    bad_rows: int
    sample: tuple[Finding, ...]

    @property
    def is_passed(self) -> bool:
        """Whether no row was bad."""
        return self.bad_rows == 0


@dataclass(frozen=True)
class Reconciliation:
    """How many of Cascade's snapshot rows the ledger reproduces."""

    matched: int
    compared: int

    def line(self) -> str:
        """Return the sentence people read."""
        return f"reconciled: {self.matched:,} of {self.compared:,} snapshot rows"


def run_checks(
    db: DuckDBPyConnection,
    parameters: Mapping[str, Any],
    key: bytes,
    names: Mapping[Level, Sequence[str]] | None = None,
    file_names: Mapping[str, str] | None = None,
) -> tuple[CheckResult, ...]:
    """Run the checks of sql/quality over the views of the run; rows go to table `finding`.

    `names` are those to run, by level: all that can be asked of a ledger without it. `file_names`
    are what people call the files that SQL knows by their contract names.
    """
    db.execute(
        "create or replace table finding (check_name varchar, level varchar, source_file varchar, "
        "source_row bigint, loan_id varchar, detail varchar)"
    )
    chosen = names if names is not None else check_names(FOUR_TABLES, ())
    return tuple(_run_all(db, parameters, key, chosen, file_names or {}))


def check_names(kind: TapeKind, columns: Collection[str]) -> dict[Level, list[str]]:
    """Return the checks that can be asked of a tape of this kind with these columns, by level."""
    return {
        level: [n for n in sql_names(f"quality/{level}") if kind.has_check(n, columns)]
        for level in LEVELS
    }


def _run_all(
    db: DuckDBPyConnection,
    parameters: Mapping[str, Any],
    key: bytes,
    names: Mapping[Level, Sequence[str]],
    file_names: Mapping[str, str],
) -> Iterator[CheckResult]:
    for level in LEVELS:
        for name in names[level]:
            sql = read_sql(f"quality/{level}", name)
            db.execute(f"create or replace temp table bad_row as {sql}", bound(sql, parameters))
            (count,) = one_row(db, "select count(*) from bad_row", {})
            if count:
                db.execute(
                    "insert into finding select ?, ?, source_file, source_row, loan_id, detail "
                    f"from bad_row order by all limit {_KEPT_ROWS}",
                    [name, level],
                )
            yield CheckResult(name, level, count, _sample(db, key, file_names) if count else ())


def _sample(
    db: DuckDBPyConnection, key: bytes, file_names: Mapping[str, str]
) -> tuple[Finding, ...]:
    rows = db.execute(
        "select source_file, source_row, loan_id, detail from bad_row "
        f"order by all limit {SAMPLE_ROWS}"
    ).fetchall()
    return tuple(
        Finding(file_names.get(file, file), row, mask_id(key, loan), detail)
        for file, row, loan, detail in rows
    )


def write_quality(
    db: DuckDBPyConnection, checks: tuple[CheckResult, ...], folder: Path
) -> dict[str, int]:
    """Write quality_result.parquet (one row a check) and finding.parquet; return their rows."""
    db.execute(
        "create or replace table quality_result "
        "(check_name varchar, level varchar, bad_rows bigint, is_passed boolean)"
    )
    db.executemany(
        "insert into quality_result values (?, ?, ?, ?)",
        [[check.name, check.level, check.bad_rows, check.is_passed] for check in checks],
    )
    return {
        f"{name}.parquet": copy_to_parquet(db, f"from {name}", folder / f"{name}.parquet", {})
        for name in ("quality_result", "finding")
    }


def _order(file: str) -> int:
    return _FILES.index(file) if file in _FILES else 0


def refuse_bad_tape(checks: tuple[CheckResult, ...]) -> None:
    """Let a tape pass only when no blocking check found a row.

    Raises:
        QualityGateError: Naming the checks, and the first bad row.
    """
    failed = [check for check in checks if check.level == "blocking" and not check.is_passed]
    if not failed:
        return
    told = ", ".join(f"{check.name} ({check.bad_rows:,})" for check in failed)
    # the tables hang on loans.csv: what is wrong there makes the others look wrong
    first = min((check.sample[0] for check in failed), key=lambda bad: _order(bad.source_file))
    row = "" if first.source_row is None else f" row {first.source_row}"
    raise QualityGateError(
        f"blocking checks failed: {told}; the first is {first.source_file}{row}: {first.detail}",
        fix="see validation_report.json for the rows, correct them and export again",
        evidence={"checks": {check.name: check.bad_rows for check in failed}},
    )


def reconcile(
    db: DuckDBPyConnection, checks: tuple[CheckResult, ...], parameters: Mapping[str, Any]
) -> Reconciliation:
    """Count the snapshot rows up to the as-of day and those the ledger reproduces."""
    sql = "select count(*) from balance_snapshot where as_of_date <= $as_of"
    (compared,) = one_row(db, sql, parameters)
    bad = next(check.bad_rows for check in checks if check.name == "ledger_differs_from_snapshot")
    return Reconciliation(compared - bad, compared)


def completeness(db: DuckDBPyConnection, kind: TapeKind) -> Decimal | None:
    """Return the share of required cells that are there, 0..1, over the rows as read."""
    if kind.completeness_sql is None:
        return None
    (share,) = one_row(db, read_sql("gate", kind.completeness_sql), {})
    return share
