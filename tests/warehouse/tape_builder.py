"""Write a small loan tape from a few readable lines, as the lender would export these loans."""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

from tests.warehouse.book_oracle import Cash, Loan, stand_on
from warehouse.tape import TAPE_TABLES

Money = Decimal | float | int | str
Movement = tuple[date | str, *tuple[Money, ...]]  # day, principal, interest, fees, other, tax
Row = dict[str, str]

HEADERS: Mapping[str, tuple[str, ...]] = {table.source: table.columns for table in TAPE_TABLES}
_NOTHING = {"add_balance": "0.0", "reduce_balance": "0.0", "currency": "USD"}


def day(text: date | str) -> date:
    """Return a day written 2025-12-26."""
    return text if isinstance(text, date) else date.fromisoformat(text)


def movement(written: Movement) -> Cash:
    """Return the cash of (day, principal, interest, fees, other, tax); what is left out is 0."""
    when, *parts = written
    return Cash(day(when), *(Decimal(str(part)) for part in parts))


@dataclass
class Tape:
    """The loans of one export; every other figure of the four tables follows from them."""

    loans: list[Loan] = field(default_factory=list)

    def loan(
        self,
        loan_id: str,
        *,
        disbursed: date | str,
        principal: Money,
        due: Iterable[Movement] | date | str,
        payments: Iterable[Movement] = (),
        customer: str = "CLI1",
    ) -> "Tape":
        """Add one loan; a single due date means that all of the principal is due then."""
        amount = Decimal(str(principal))
        instalments = [(due, amount)] if isinstance(due, date | str) else due
        added = Loan(
            loan_id=loan_id,
            customer_id=customer,
            disbursed=day(disbursed),
            principal=amount,
            due=tuple(sorted(map(movement, instalments))),
            payments=tuple(sorted(map(movement, payments))),
        )
        self.loans.append(added)
        return self

    @property
    def last_ledger_date(self) -> date:
        """The last day on which anything was lent or paid."""
        return max(on for loan in self.loans for on in loan.event_days())

    def tables(self) -> dict[str, list[Row]]:
        """Return the rows of the four tables, each cell as text."""
        return {
            "loans": [_loan_row(loan, self.last_ledger_date) for loan in self.loans],
            "schedules": [row for loan in self.loans for row in _schedule(loan)],
            "transactions": [row for loan in self.loans for row in _transactions(loan)],
            "loan_par_balances": list(self._snapshots()),
        }

    def write(self, folder: Path) -> Path:
        """Write the four CSVs into `folder` and return it."""
        return write_tables(self.tables(), folder)

    def _snapshots(self) -> Iterable[Row]:
        for label in month_ends(min(loan.disbursed for loan in self.loans), self.last_ledger_date):
            as_of = min(label, self.last_ledger_date)  # of a month that is not over yet
            for loan in self.loans:
                if loan.disbursed <= as_of and not stand_on(loan, as_of).is_closed:
                    yield _snapshot_row(loan, label, as_of)


def month_ends(first: date, last: date) -> list[date]:
    """Return the last day of every month from that of `first` to that of `last`."""
    starts = [first.replace(day=1)]
    while starts[-1] <= last:
        starts.append((starts[-1] + timedelta(days=31)).replace(day=1))
    return [start - timedelta(days=1) for _, start in pairwise(starts)]


def csv_text(table: str, rows: Iterable[Mapping[str, str]]) -> str:
    """Return one table as the CSV of an export."""
    text = io.StringIO()
    writer = csv.DictWriter(text, HEADERS[table], restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def write_tables(tables: Mapping[str, Iterable[Mapping[str, str]]], folder: Path) -> Path:
    """Write the tables as CSVs into `folder` and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for table, rows in tables.items():
        (folder / f"{table}.csv").write_text(csv_text(table, rows), encoding="utf-8")
    return folder


def _loan_row(loan: Loan, as_of: date) -> Row:
    stand = stand_on(loan, as_of)
    maturity = max(due.on for due in loan.due)
    status = "Complete" if stand.is_closed else "Default" if stand.days_past_due else "Current"
    return {
        "loan_id": loan.loan_id,
        "maturity_date": str(maturity),
        "customer_id": loan.customer_id,
        "disburse_date": str(loan.disbursed),
        "product_type": "factoring",
        "total_fees": str(sum(due.fees for due in loan.due)),
        "total_other": str(sum(due.other for due in loan.due)),
        "total_interest": str(sum(due.interest for due in loan.due)),
        "term": str((maturity - loan.disbursed).days),
        "frequency": "One-time" if len(loan.due) == 1 else "Monthly",
        "interest_rate": "0.6",
        "disburse_principal": str(loan.principal),
        "outstanding_balance": "0.0" if stand.is_closed else str(stand.residual),
        "currency": "USD",
        "dpd": str(stand.days_past_due),
        "loan_status": status,
        "company": "ABF",
        "location_state_province": "Cuscatlán",
    }


def _cash_row(loan: Loan, date_column: str, cash: Cash) -> Row:
    return _NOTHING | {
        "loan_id": loan.loan_id,
        date_column: str(cash.on),
        "principal": str(cash.principal),
        "interest": str(cash.interest),
        "other": str(cash.other),
        "fees": str(cash.fees),
        "to_tax": str(cash.tax),
    }


def _schedule(loan: Loan) -> Iterable[Row]:
    return (_cash_row(loan, "date_due", due) for due in loan.due)


def _transactions(loan: Loan) -> Iterable[Row]:
    lent = Cash(loan.disbursed, loan.principal)
    yield {"transaction_type": "DISBURSEMENT", **_cash_row(loan, "date_paid", lent)}
    for paid in loan.payments:
        yield {"transaction_type": "PAYMENT", **_cash_row(loan, "date_paid", paid)}


def _snapshot_row(loan: Loan, label: date, as_of: date) -> Row:
    stand = stand_on(loan, as_of)
    live, written_off = str(stand.live), str(stand.written_off)
    par = {
        f"PAR_{days}_balance_usd": live if stand.days_past_due >= days else "0.0"
        for days in (7, 30, 60, 90)
    }
    return par | {
        "loan_id_raw": loan.loan_id,
        "reporting_date": str(label),
        "dpd": str(stand.days_past_due),
        "is_writeoff": "true" if stand.is_written_off else "false",
        "loan_ccy": "USD",
        "outstanding_balance": live,
        "writeoff_outstanding_balance": written_off,
        "xchg_rate_to_usd": "1",
        "outstanding_balance_usd": live,
        "writeoff_outstanding_balance_usd": written_off,
    }
