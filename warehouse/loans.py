"""Tell which loans make a KPI: one SQL file a KPI, whose rows add up to what the KPI says."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from settings.errors import DataRejectedError
from settings.model import Settings
from warehouse.engine import bound, one_row, read_sql, sql_names
from warehouse.kpis import KpiValue
from warehouse.masking import mask_id
from warehouse.rebuild import open_run, run_settings
from warehouse.run_folder import SealedRun

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class LoansDifferError(DataRejectedError):
    """The loans behind a KPI do not add up to it."""

    code = "LOANS_DIFFER"


@dataclass(frozen=True)
class LoanShare:
    """What one loan adds to a KPI; the loan and its client are masked."""

    loan: str | None
    customer: str | None
    source_row: int
    days_past_due: int | None
    live_principal: Decimal | None
    numerator: Decimal
    denominator: Decimal | None


@dataclass(frozen=True)
class LoansBehind:
    """The loans behind a KPI: how many have a part in its numerator, its sums, and the largest."""

    loans: int
    numerator: Decimal
    denominator: Decimal | None
    largest: tuple[LoanShare, ...]


def has_loans(kpi: str) -> bool:
    """Return whether a KPI is made of loans, so that `loans_behind` can tell them."""
    return kpi in sql_names("loans")


def loans_behind(
    run: SealedRun, kpi: KpiValue, settings: Settings, spill: Path, limit: int
) -> LoansBehind:
    """Return the loans behind a KPI of a run, the `limit` largest contributions by name.

    Raises:
        LoansDifferError: They do not add up to the KPI's numerator and denominator.
        RunSettingsError: The run was sealed under settings that are no longer known.
        StorageError: The engine could not read the run, or it did not fit.
    """
    with open_run(run, run_settings(run, settings), spill) as (db, parameters):
        sql = read_sql("loans", kpi.name)
        db.execute(f"create temp table loan_share as {sql}", bound(sql, parameters))
        loans, numerator, denominator = one_row(
            db,
            "select count(*) filter (where numerator <> 0), coalesce(sum(numerator), 0), "
            "sum(denominator) from loan_share",
            {},
        )
        largest = tuple(_share(settings, row) for row in _largest(db, limit))
    if not (_is_equal(kpi.numerator, numerator) and _is_equal(kpi.denominator, denominator)):
        raise LoansDifferError(
            f"the loans behind {kpi.name} add up to {_sums(numerator, denominator)}, "
            f"run {run.name} says {_sums(kpi.numerator, kpi.denominator)}",
            fix=f"run `tapewatch verify {run.name}`: it tells whether the run or the SQL changed",
        )
    return LoansBehind(loans, Decimal(numerator), denominator, largest)


def _largest(db: DuckDBPyConnection, limit: int) -> list[tuple[Any, ...]]:
    return db.execute(
        "select loan.loan_id, loan.customer_id, loan.source_row, book.days_past_due, "
        "book.live_principal, loan_share.numerator, loan_share.denominator "
        "from loan_share inner join loan using (loan_key) left join book using (loan_key) "
        "where loan_share.numerator <> 0 "
        "order by abs(loan_share.numerator) desc, loan.loan_id limit ?",
        [limit],
    ).fetchall()


def _share(settings: Settings, row: tuple[Any, ...]) -> LoanShare:
    loan_id, customer_id, source_row, days_past_due, live, numerator, denominator = row
    return LoanShare(
        loan=mask_id(settings.pii_key_bytes(), loan_id),
        customer=customer_id,  # keyed when the tape was read
        source_row=source_row,
        days_past_due=days_past_due,
        live_principal=live,
        numerator=Decimal(numerator),
        denominator=None if denominator is None else Decimal(denominator),
    )


def _is_equal(said: Decimal | None, summed: Decimal | int | None) -> bool:
    return (said or 0) == (summed or 0)


def _sums(numerator: Decimal | None, denominator: Decimal | None) -> str:
    told = f"{numerator or 0:,.2f}"
    return told if denominator is None else f"{told} / {denominator:,.2f}"
