"""The defects a synthetic tape can carry, each named after the check that must find it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from settings.errors import UsageError
from warehouse.engine import bound, read_sql

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Level = Literal["blocking", "quarantine", "warning"]
# Which loan can carry it: paid off; paid off before it met a month-end, so that a changed ledger
# contradicts no snapshot; or not late at some month-end.
Needs = Literal["paid", "never_seen", "punctual_snapshot"]


@dataclass(frozen=True)
class Fault:
    """One plantable defect: the check it must trip, and the table it goes into."""

    name: str
    level: Level
    table: str
    needs: Needs = "paid"
    adds_row: bool = False  # planted in a row of its own, after the row it copies
    found_by: str | None = None

    @property
    def check(self) -> str:
        """Name of the check that must find it."""
        return self.found_by or self.name


_PLANTABLE: tuple[Fault, ...] = (
    Fault("loan_id_null", "blocking", "loans", adds_row=True),
    Fault("loan_id_conflict", "blocking", "loans", adds_row=True),
    Fault("customer_null", "blocking", "loans"),
    Fault("unparseable_cell", "quarantine", "loans"),
    Fault("principal_not_positive", "blocking", "loans", "never_seen"),
    Fault("balance_out_of_range", "blocking", "loans"),
    Fault("maturity_not_after_disbursement", "blocking", "loans"),
    Fault("future_date", "blocking", "transactions", "never_seen"),
    Fault("snapshot_conflict", "blocking", "loan_par_balances", "punctual_snapshot", adds_row=True),
    Fault("orphan_row", "quarantine", "transactions", adds_row=True),
    Fault("par_not_nested", "blocking", "loan_par_balances", "punctual_snapshot"),
    Fault("written_off_with_live_balance", "blocking", "loan_par_balances", "punctual_snapshot"),
    Fault("over_180_not_written_off", "blocking", "loan_par_balances", "punctual_snapshot"),
    Fault("payment_before_disbursement", "blocking", "transactions", "never_seen"),
    Fault("overpaid_principal", "blocking", "transactions", "never_seen"),
    Fault("disbursement_differs_from_principal", "blocking", "transactions", "never_seen"),
    Fault("schedule_differs_from_principal", "blocking", "schedules", "never_seen"),
    Fault("unknown_transaction_type", "blocking", "transactions", adds_row=True),
    Fault("ledger_differs_from_snapshot", "blocking", "loan_par_balances", "punctual_snapshot"),
    Fault("customer_id_pattern", "warning", "loans"),
    Fault("float_noise", "warning", "transactions"),
    Fault("complete_with_balance", "warning", "loans"),
    Fault("complete_with_dpd", "warning", "loans"),
    Fault("default_without_dpd", "warning", "loans"),
    Fault("apr_out_of_range", "warning", "loans"),
    Fault("term_over_a_year", "warning", "loans"),
    Fault("interest_or_tax_negative", "warning", "transactions"),
    Fault("payment_not_positive", "warning", "transactions", adds_row=True),
    Fault("exact_duplicate_loan", "warning", "loans", adds_row=True, found_by="exact_duplicate"),
    Fault(
        "exact_duplicate_schedule",
        "warning",
        "schedules",
        adds_row=True,
        found_by="exact_duplicate",
    ),
    Fault(
        "exact_duplicate_snapshot",
        "warning",
        "loan_par_balances",
        "punctual_snapshot",
        adds_row=True,
        found_by="exact_duplicate",
    ),
)
_BY_NAME = {fault.name: fault for fault in _PLANTABLE}

FAULTS: Mapping[str, str] = MappingProxyType({fault.name: fault.check for fault in _PLANTABLE})
"""Every plantable fault and the check it must trip."""

PLANTED_ROWS = "select * exclude (planted, row_number) from planted order by row_number"
"""The rows of a file, in order, after `plant`."""


class UnknownFaultError(UsageError):
    """A fault was asked for that cannot be planted."""

    code = "UNKNOWN_FAULT"


class FaultNotPlantedError(UsageError):
    """No loan of the tape can carry a fault that was asked for."""

    code = "FAULT_NOT_PLANTED"


@dataclass(frozen=True)
class PlantedRow:
    """Where a fault is: a file, its data row counted from 1, and the loan_id in that row."""

    fault: str
    file: str
    row: int
    loan_id: str | None


def faults_named(names: Sequence[str]) -> tuple[Fault, ...]:
    """Return the faults of these names, each once, in the order of `FAULTS`.

    Raises:
        UnknownFaultError: A name is not in `FAULTS`.
    """
    unknown = sorted(set(names) - set(_BY_NAME))
    if unknown:
        raise UnknownFaultError(
            f"no fault is called {', '.join(unknown)}", fix="use names of " + ", ".join(FAULTS)
        )
    return tuple(fault for fault in _PLANTABLE if fault.name in names)


def define_faults(db: DuckDBPyConnection, faults: Sequence[Fault]) -> None:
    """Make the table `fault`, from which the table `victim` is drawn."""
    db.execute(
        "create temp table fault"
        " (number integer, fault varchar, table_name varchar, adds_row boolean, needs varchar)"
    )
    for number, fault in enumerate(faults):
        db.execute(
            "insert into fault values (?, ?, ?, ?, ?)",
            [number, fault.name, fault.table, fault.adds_row, fault.needs],
        )


def plant(
    db: DuckDBPyConnection, table: str, sql: str, parameters: Mapping[str, Any]
) -> list[tuple[str, int, str | None]]:
    """Make the table `planted`: the rows of `sql` with the faults of `table` in them.

    Returns:
        Fault, row number within `planted`, and loan_id of every row that carries one.
    """
    db.execute(
        "create or replace temp table base as select row_number() over () as base_row,"
        f" cast(columns(*) as varchar) from (\n{sql}\n)",
        bound(sql, parameters),
    )
    db.execute(f"create or replace temp table planted as {read_sql('synthetic', f'plant_{table}')}")
    return db.execute(
        "select planted, row_number, columns('^loan_id') from planted"
        " where planted is not null order by row_number"
    ).fetchall()


def render_answer_key(faults: Sequence[Fault], rows: Sequence[PlantedRow]) -> str:
    """Return the JSON that says, for each fault: its check, level, table, and where it is.

    Raises:
        FaultNotPlantedError: One is in no row.
    """
    found = {fault.name: [row for row in rows if row.fault == fault.name] for fault in faults}
    absent = [name for name, its_rows in found.items() if not its_rows]
    if absent:
        raise FaultNotPlantedError(
            f"no loan of this tape can carry {', '.join(absent)}",
            fix="ask for more loans or for fewer faults",
        )
    key = {
        fault.name: {
            "check": fault.check,
            "level": fault.level,
            "table": fault.table,
            "rows": [
                {"file": row.file, "row": row.row, "loan_id": row.loan_id}
                for row in found[fault.name]
            ],
        }
        for fault in faults
    }
    return json.dumps(key, indent=1) + "\n"
