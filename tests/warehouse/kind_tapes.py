"""Write small tapes of the kinds that have one table, and look at the runs they give."""

import csv
from pathlib import Path

from tests.warehouse.tape_runs import Desk
from warehouse.job import RunOutcome
from warehouse.kpis import KpiValue
from warehouse.rebuild import rebuild
from warehouse.sealed_kpis import read_kpis
from warehouse.verify import verify_folder

LOAN_HEADER = (
    "loan_id,client_id,outstanding_balance,days_past_due,"
    "original_balance,disbursement_date,maturity_date"
)
DAILY_HEADER = (
    "measurement_date,total_receivable_usd,total_eligible_usd,discounted_balance_usd,"
    "cash_available_usd,dpd_0_7_usd,dpd_7_30_usd,dpd_30_60_usd,dpd_60_90_usd,dpd_90_plus_usd"
)


def write_csv(path: Path, header: str, *rows: object) -> Path:
    """Write one table, each row a tuple of cells or a line as it is; return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(header.split(","))
        out.writerows(row.split(",") if isinstance(row, str) else row for row in rows)
    return path


def loan_tape(folder: Path, *loans: tuple) -> Path:
    """Write loan_tape.csv of (loan_id, balance, days past due[, principal[, disbursed]])."""
    return write_csv(folder / "loan_tape.csv", LOAN_HEADER, *(_loan(*loan) for loan in loans))


def _loan(loan_id, balance, dpd, principal=None, disbursed="2025-01-02"):
    return loan_id, f"CLI-{loan_id}", balance, dpd, principal or balance, disbursed, "2026-06-30"


def kpis_of(outcome: RunOutcome) -> dict[str, KpiValue]:
    """Return the KPIs of a run by name."""
    return {kpi.name: kpi for kpi in read_kpis(outcome.sealed)}


def assert_sound(desk: Desk, outcome: RunOutcome) -> None:
    """Check that a run is what was sealed, and comes out the same again without its tape."""
    rebuilt = rebuild(outcome.sealed, desk.settings, desk.root / "spill")
    assert verify_folder(outcome.sealed.folder) == []
    assert (rebuilt.is_same_sql, rebuilt.differing) == (True, ())
