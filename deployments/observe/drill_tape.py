"""The tape of a drill: the synthetic one moved to these days, and four borrowers who do not pay.

They were due ninety days before the day of the spike: on the day before they are 89 days late, and
with that day PAR 90 rises from about 1.4 % to about 6.2 %.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path

from warehouse.synthetic import SYNTHETIC_AS_OF, write_tape

_LOANS = 17_688
_BORROWERS = 4
_PRINCIPAL = "19000.0"
_LENT_DAYS, _DUE_DAYS = 140, 90  # before the day of the spike
_DATES: Mapping[str, tuple[str, ...]] = {
    "loans.csv": ("maturity_date", "disburse_date"),
    "schedules.csv": ("date_due",),
    "transactions.csv": ("date_paid",),
    "loan_par_balances.csv": ("reporting_date", "dpd_date"),
}
_ROWS: Mapping[str, Mapping[str, str]] = {
    "loans.csv": {
        "product_type": "factoring", "total_fees": "0.0", "total_other": "0.0",
        "total_interest": "0.0", "term": str(_LENT_DAYS - _DUE_DAYS), "frequency": "One-time",
        "interest_rate": "0.5", "disburse_principal": _PRINCIPAL, "currency": "USD",
        "outstanding_balance": _PRINCIPAL, "dpd": str(_DUE_DAYS), "ratio_paid": "0.0",
        "loan_status": "Default", "amount_buckets": "10K-50K", "company": "SOL",
        "loan_counts": "1", "term_buckets": "46-60 Days",
        "location_state_province": "San Salvador",
    },
    "schedules.csv": {"principal": _PRINCIPAL, "currency": "USD"},
    "transactions.csv": {
        "transaction_type": "DISBURSEMENT", "principal": _PRINCIPAL, "currency": "USD",
    },
    "loan_par_balances.csv": {
        "is_writeoff": "false", "loan_ccy": "USD", "outstanding_balance": _PRINCIPAL,
        "writeoff_outstanding_balance": "0.0", "xchg_rate_to_usd": "1",
        "outstanding_balance_usd": _PRINCIPAL, "writeoff_outstanding_balance_usd": "0.0",
    },
}  # fmt: skip
_ZERO = ("interest", "other", "fees", "to_tax", "add_balance", "reduce_balance")


def write_drill_tape(folder: Path, last_day: date, spike: date | None = None) -> Path:
    """Write the four tables up to `last_day` into the new `folder`.

    Args:
        folder: It is made.
        last_day: The last day of the ledger.
        spike: When the four borrowers reach ninety days; the last day without it.

    Raises:
        StorageError: The disk refused.
    """
    made = write_tape(folder.with_name(f"{folder.name}-synthetic"), _LOANS).folder
    folder.mkdir()
    for name in _DATES:
        with (made / name).open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            columns = list(rows.fieldnames or ())
            with (folder / name).open("w", newline="", encoding="utf-8") as out:
                table = csv.DictWriter(out, columns, restval="", lineterminator="\n")
                table.writeheader()
                table.writerows(_moved(rows, name, last_day))
                table.writerows(_troubled(name, last_day, spike or last_day))
    return folder


def _moved(rows: csv.DictReader[str], name: str, last_day: date) -> Iterator[dict[str, str]]:
    shift = last_day - SYNTHETIC_AS_OF
    for row in rows:
        for column in _DATES[name]:
            if row[column]:
                moved = date.fromisoformat(row[column]) + shift
                # a month end that labels a month in progress would lie in the future here
                if column == "reporting_date":
                    moved = min(moved, last_day)
                row[column] = moved.isoformat()
        yield row


def _troubled(name: str, last_day: date, spike: date) -> Iterator[dict[str, str]]:
    lent = spike - timedelta(days=_LENT_DAYS)
    due = spike - timedelta(days=_DUE_DAYS)
    tables: dict[str, list[dict[str, str]]] = {
        "loans.csv": [{"disburse_date": lent.isoformat(), "maturity_date": due.isoformat()}],
        "schedules.csv": [{"date_due": due.isoformat()}],
        "transactions.csv": [{"date_paid": lent.isoformat()}],
        "loan_par_balances.csv": [_snapshot(day, due) for day in _month_ends(lent, last_day)],
    }
    for number in range(1, _BORROWERS + 1):
        loan_id = f"SYN-DRILL-{number}"
        named = {"loan_id_raw" if name == "loan_par_balances.csv" else "loan_id": loan_id}
        if name == "loans.csv":
            named["customer_id"] = f"CLI9{number:03d}"
        zeros = dict.fromkeys(_ZERO, "0.0") if name in ("schedules.csv", "transactions.csv") else {}
        for dated in tables[name]:
            yield {**zeros, **_ROWS[name], **dated, **named}


def _month_ends(lent: date, last_day: date) -> list[date]:
    """Return the days on which the moved tape has its month-end book."""
    shift = last_day - SYNTHETIC_AS_OF
    days: list[date] = []
    day = lent
    while day < last_day:
        if ((day - shift) + timedelta(days=1)).day == 1:
            days.append(day)
        day += timedelta(days=1)
    return [*days, last_day]


def _snapshot(day: date, due: date) -> dict[str, str]:
    dpd = max(0, (day - due).days)
    par = {f"PAR_{x}_balance_usd": _PRINCIPAL if dpd >= x else "0.0" for x in (7, 30, 60, 90)}
    late = {"dpd_date": due.isoformat()} if dpd else {}
    return {"reporting_date": day.isoformat(), "dpd": str(dpd), **par, **late}


def cut_tape(tape: Path, folder: Path, day: date) -> Path:
    """Write what the export of an earlier day held, and no later event, into the new `folder`.

    Raises:
        OSError: The disk refused.
    """
    folder.mkdir()
    lent: set[str] = set()
    for name in _DATES:  # the loans first
        with (
            (tape / name).open(newline="", encoding="utf-8") as file,
            (folder / name).open("w", newline="", encoding="utf-8") as out,
        ):
            rows = csv.DictReader(file)
            table = csv.DictWriter(out, list(rows.fieldnames or ()), lineterminator="\n")
            table.writeheader()
            for row in rows:
                if _is_known(row, name, day.isoformat(), lent):
                    table.writerow(row)
    return folder


def _is_known(row: Mapping[str, str], name: str, day: str, lent: set[str]) -> bool:
    """Whether the export of that day had the row; a loan that it had is added to `lent`."""
    if name == "schedules.csv":
        return row["loan_id"] in lent
    dated = {"loans.csv": "disburse_date", "transactions.csv": "date_paid"}
    is_known = row[dated.get(name, "reporting_date")] <= day
    if name == "loans.csv" and is_known:
        lent.add(row["loan_id"])
    return is_known
