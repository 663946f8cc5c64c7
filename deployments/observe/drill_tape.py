"""The tape of a drill: the synthetic one moved to these days, and four borrowers who do not pay.

They were due ninety days before the last day: on the day before they are 89 days late, and with
the last day PAR 90 rises from about 1.4 % to about 6.2 %.
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
_LENT_DAYS, _DUE_DAYS = 140, 90  # before the last day
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


def write_drill_tape(folder: Path, last_day: date) -> Path:
    """Write the four tables, with `last_day` as the last of them, into the new `folder`.

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
                table.writerows(_troubled(name, last_day))
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


def _troubled(name: str, last_day: date) -> Iterator[dict[str, str]]:
    lent = last_day - timedelta(days=_LENT_DAYS)
    due = last_day - timedelta(days=_DUE_DAYS)
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
