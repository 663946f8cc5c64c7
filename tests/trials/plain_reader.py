"""Read a tape and value it in plain Python, to hold the product against: csv, Decimal, no SQL.

It shares the names of the contract's columns with the product, and nothing else.
"""

import csv
import io
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext

from tests.warehouse.book_oracle import ZERO, Cash, Loan, book_on, stand_on

CASH = ("principal", "interest", "fees", "other", "to_tax")
PARTS = ("outstanding_balance", "writeoff_outstanding_balance")
PAR = tuple(f"PAR_{days}_balance_usd" for days in (7, 30, 60, 90))
COLUMNS = {  # what each column that counts must hold
    "loans": {
        "disburse_date": "day",
        "maturity_date": "day",
        "term": "whole",
        "disburse_principal": "number",
        "interest_rate": "number",
        "total_interest": "number",
        "total_fees": "number",
        "dpd": "whole",
        "outstanding_balance": "number",
        "currency": "USD",
    },
    "schedules": {"date_due": "day", "currency": "USD", **dict.fromkeys(CASH, "number")},
    "transactions": {"date_paid": "day", "currency": "USD", **dict.fromkeys(CASH, "number")},
    "loan_par_balances": {
        "reporting_date": "day",
        "dpd": "days",
        "is_writeoff": "flag",
        "loan_ccy": "USD",
        "xchg_rate_to_usd": "number",
        **dict.fromkeys((*PARTS, *PAR), "number"),
    },
}
KEYS = {table: "loan_id_raw" if table == "loan_par_balances" else "loan_id" for table in COLUMNS}
OTHERS = {"loans": ("customer_id", "loan_status"), "transactions": ("transaction_type",)}
_FORMS = {
    "number": re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,20})?([eE]-[0-9]{1,2})?"),
    "whole": re.compile(r"-?[0-9]{1,9}"),
    "flag": re.compile("true|false"),
    "USD": re.compile("USD"),
}
Cell = str | date | Decimal | None


class UnusableError(Exception):
    """By the rules this tape must not be published."""


@dataclass
class Row:
    loan: str
    cells: Mapping[str, Cell]
    fault: str | None


@dataclass(frozen=True)
class Figures:
    """What a tape says, as exact sums."""

    as_of: date
    values: Mapping[str, tuple[Decimal | int, Decimal | int | None]]


def read_plainly(files: Mapping[str, bytes], received: date, limit: Decimal) -> Figures:
    """Return the figures of a tape.

    Raises:
        UnusableError: It must be refused; the message says why.
    """
    with localcontext() as context:
        context.prec = 60
        tables = {table: _read(table, files) for table in COLUMNS}
        ledger = {("loans", "disburse_date"), ("transactions", "date_paid")}
        good = [row.cells[c] for t, c in ledger for row in tables[t] if not row.fault]
        _demand(bool(good), "no readable day")
        as_of = max(good)
        _demand(as_of <= received, "of the future")
        return _value(_Tape(_quarantined(tables, limit), as_of, received), as_of)


def _demand(holds: bool, why: str) -> None:
    if not holds:
        raise UnusableError(why)


def _read(table: str, files: Mapping[str, bytes]) -> list[Row]:
    _demand(table in files, f"no {table}")
    try:
        text = files[table].decode("utf-8-sig")
        _demand(text.endswith("\n") and "\0" not in text, f"{table} is cut or has a NUL")
        header, *lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    except (UnicodeDecodeError, csv.Error, ValueError) as error:
        raise UnusableError(f"{table}: {error}") from error
    wanted = (KEYS[table], *COLUMNS[table], *OTHERS.get(table, ()))
    _demand(all(header.count(c) == 1 for c in wanted), f"{table} lacks a column or has one twice")
    lines = [line for line in lines if line]
    _demand(bool(lines), f"{table} is empty")
    _demand(all(len(line) == len(header) for line in lines), f"{table} is ragged")
    return [_typed(table, dict(zip(header, line, strict=True))) for line in lines]


def _typed(table: str, line: Mapping[str, str]) -> Row:
    cells: dict[str, Cell] = {name: line[name] for name in OTHERS.get(table, ())}
    faults = ["id"] if len(line[KEYS[table]].encode()) > 128 else []
    if table == "loans":
        faults += ["customer"] if len(line["customer_id"].encode()) > 128 else []
        faults += ["total_other"] if _number(line.get("total_other") or "0") is None else []
    for name, kind in COLUMNS[table].items():
        cells[name] = _cell(line[name], kind)
        faults += [name] if cells[name] is None else []
    return Row(line[KEYS[table]], cells, faults[0] if faults else None)


def _cell(text: str, kind: str) -> Cell:
    if kind == "day":
        return _day(text)
    if kind == "number":
        return _number(text)
    if kind == "days":
        return text if _FORMS["whole"].fullmatch(text) and 0 <= int(text) <= 36_500 else None
    return text if _FORMS[kind].fullmatch(text) else None


def _day(text: str) -> date | None:
    if not re.fullmatch("20[0-9]{2}-[0-9]{2}-[0-9]{2}", text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _number(text: str) -> Decimal | None:
    if not _FORMS["number"].fullmatch(text):
        return None
    return Decimal(text).quantize(Decimal("0.01"), ROUND_HALF_UP)


def _quarantined(tables: Mapping[str, list[Row]], limit: Decimal) -> dict[str, list[Row]]:
    known = {row.loan for row in tables["loans"]}
    every = [row for rows in tables.values() for row in rows]
    _demand(all(row.loan for row in every), "a row without a loan")
    bad = {row.loan for row in every if row.fault or row.loan not in known}
    rows = sum(row.loan in bad for row in every)
    _demand(rows <= limit * len(every), "too many rows")
    last = max((_of(r, "reporting_date") or date.min) for r in tables["loan_par_balances"])
    owed = {
        "known": [(row.loan in bad, _owed(row)) for row in tables["loans"]],
        "orphan": [
            (True, _of(row, "outstanding_balance") or ZERO)
            for row in tables["loan_par_balances"]
            if row.loan not in known and _of(row, "reporting_date") == last
        ],
    }
    balances = [*owed["known"], *owed["orphan"]]
    taken = sum((balance for is_bad, balance in balances if is_bad), ZERO)
    whole = sum((balance for _, balance in balances), ZERO)
    _demand(taken <= limit * whole or whole == 0, "too much balance")
    return {t: [row for row in rows if row.loan not in bad] for t, rows in tables.items()}


def _of(row: Row, name: str):  # a cell of the type that its column has
    return row.cells[name]


def _owed(row: Row) -> Decimal:
    reported, lent = _of(row, "outstanding_balance"), _of(row, "disburse_principal")
    return lent or ZERO if reported is None else reported


@dataclass
class _Tape:
    """The rows that may be used, held against the rules that block a tape."""

    tables: Mapping[str, list[Row]]
    as_of: date
    received: date
    loans: dict[str, Loan] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for table in ("loans", "schedules", "loan_par_balances"):
            self.tables[table][:] = _once(table, self.tables[table])
        due = self._cash("schedules", "date_due", lambda row: True)
        paid = self._cash("transactions", "date_paid", lambda row: _type(row) == "PAYMENT")
        lent = self._cash("transactions", "date_paid", lambda row: _type(row) == "DISBURSEMENT")
        for row in self.tables["loans"]:
            loan = Loan(
                row.loan,
                _of(row, "customer_id"),
                _of(row, "disburse_date"),
                _of(row, "disburse_principal"),
                tuple(sorted(due[row.loan])),
                tuple(sorted(paid[row.loan])),
            )
            self.loans[row.loan] = loan
            _check_loan(loan, row, lent[row.loan])
        types = {_type(row) for row in self.tables["transactions"]}
        _demand(types <= {"PAYMENT", "DISBURSEMENT"}, "an unknown type")
        for row in self.tables["loan_par_balances"]:
            self._check_snapshot(row)

    def _cash(self, table: str, day: str, is_wanted) -> dict[str, list[Cash]]:
        found = defaultdict(list)
        for row in filter(is_wanted, self.tables[table]):
            amounts = (_of(row, name) for name in CASH)
            found[row.loan].append(Cash(_of(row, day), *amounts))
        return found

    def _check_snapshot(self, row: Row) -> None:
        live, written_off = (_of(row, part) for part in PARTS)
        label, loan, dpd = _of(row, "reporting_date"), self.loans[row.loan], int(_of(row, "dpd"))
        is_off, par = _of(row, "is_writeoff") == "true", [_of(row, name) for name in PAR]
        _demand(par == sorted(par, reverse=True), "PAR is not nested")
        _demand(is_off if dpd > 180 else True, "over 180 and live")
        _demand(live == 0 if is_off else True, "written off and live")
        _demand(min(live, written_off) >= 0, "negative balance")
        _demand(live + written_off <= loan.principal, "more than was lent")
        day = min(label, self.as_of)
        _demand(loan.disbursed <= day, "reported before it was lent")
        stand = stand_on(loan, day)
        told = (stand.live, stand.written_off, stand.days_past_due, stand.is_written_off)
        _demand(told == (live, written_off, dpd, is_off), "the ledger says otherwise")


def _type(row: Row) -> Cell:
    return _of(row, "transaction_type")


def _once(table: str, rows: Iterable[Row]) -> list[Row]:
    key = {"schedules": "date_due", "loan_par_balances": "reporting_date"}.get(table)
    kept: dict[tuple[str, Cell], Row] = {}
    for row in rows:
        first = kept.setdefault((row.loan, key and row.cells[key]), row)
        _demand(first.cells == row.cells, f"two different rows of one key in {table}")
    return list(kept.values())


def _check_loan(loan: Loan, row: Row, lent: list[Cash]) -> None:
    _demand(loan.principal > 0, "no principal")
    _demand(0 <= _of(row, "outstanding_balance") <= loan.principal, "balance out of range")
    _demand(bool(loan.customer_id), "no customer")
    _demand(_of(row, "maturity_date") > loan.disbursed, "matures before it is lent")
    _demand(sum(due.principal for due in loan.due) == loan.principal, "other schedule")
    _demand(sum(cash.principal for cash in lent) == loan.principal, "other disbursement")
    _demand(all(paid.on >= loan.disbursed for paid in loan.payments), "paid before it was lent")
    _demand(sum(paid.principal for paid in loan.payments) <= loan.principal, "overpaid")


def _value(tape: _Tape, as_of: date) -> Figures:
    loans = list(tape.loans.values())
    _demand(bool(loans), "no loan is left")
    book = book_on(loans, as_of)
    live = sum((stand.live for stand in book.values()), ZERO)
    window = [as_of - timedelta(days=n) for n in range(30)]
    cash = [paid.total for loan in loans for paid in loan.payments if window[-1] <= paid.on]
    days = [stand.live for day in window for stand in book_on(loans, day).values()]
    values = {
        "outstanding": (live, None),
        "written_off": (sum((s.written_off for s in book.values()), ZERO), None),
        "active_loans": (sum(s.live > 0 for s in book.values()), None),
        "collection_rate": (sum(cash, ZERO), sum(days, ZERO)),
    }
    for least in (30, 90):
        late = (s.live for s in book.values() if s.days_past_due >= least)
        values[f"par_{least}"] = (sum(late, ZERO), live)
    return Figures(as_of, values)
