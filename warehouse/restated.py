"""Hold a tape against the run before it: is the past still told as it was, and what did it move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from settings.kpis import load_catalogue
from settings.model import Settings
from warehouse.book import book_parameters
from warehouse.engine import bound, identifier, literal, one_row, read_sql
from warehouse.json_text import JsonObject
from warehouse.kinds import AGGREGATE, LOAN_LIST, SNAPSHOTS, TapeFacts, TapeKind
from warehouse.kpis import KpiValue, compute_kpis, prepare_kpis
from warehouse.quality import CheckResult
from warehouse.run_folder import SealedRun
from warehouse.sealed_kpis import read_kpis
from warehouse.verify import check_file

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

RESTATED_CHECKS = (
    "restated_past",
    "restated_payment",
    "restated_book",
    "restated_snapshot",
    "restated_facility",
)
_PREVIOUS = {
    "loan": "loan_id, disburse_date, disbursed_principal",
    "book": "loan_id, residual_principal, cash_paid, oldest_due_date, days_past_due, "
    "live_principal",
    "balance_snapshot": "loan_id, reporting_date, as_of_date, dpd, outstanding_principal, "
    "written_off_principal",
    "transaction": "loan_id, transaction_type, paid_date, principal, interest, fees, other, tax",
    "facility_position": "reporting_date, total_receivable, past_due_0, past_due_7, past_due_30, "
    "past_due_60, past_due_90, total_eligible, cash_available",
}
# The day that a tape of several days tells last up to $as_of: only the same one can be compared.
_LAST_TOLD = {
    SNAPSHOTS.name: "select max(reporting_date), arg_max(as_of_date, reporting_date) "
    "from {}balance_snapshot where as_of_date <= $as_of",
    AGGREGATE.name: "select max(reporting_date) from {}facility_position "
    "where reporting_date <= $as_of",
}


def view_previous(
    db: DuckDBPyConnection, compared: SealedRun | None, *, tells_facility: bool = False
) -> None:
    """Offer the compared run's loans and book as previous_<table>; no rows where it has none.

    Raises:
        HashMismatchError: A table of it is not what was sealed: it proves nothing about today's.
    """
    for table, columns in _PREVIOUS.items():
        name = f"{table}.parquet"
        source = f"{identifier(table)} where false"
        if compared is not None and name in compared.manifest.files:
            path = check_file(compared.folder, compared.manifest, name)
            source = f"read_parquet({literal(str(path))})"
        elif table == "facility_position" and not tells_facility:
            continue  # no kind of tape but one has it, and no check of another asks for it
        db.execute(f"create or replace view previous_{table} as select {columns} from {source}")
    db.execute(
        "create or replace view previous_payment as "
        "from previous_transaction where transaction_type = 'PAYMENT'"
    )


def view_book_then(db: DuckDBPyConnection, kind: TapeKind, parameters: Mapping[str, Any]) -> None:
    """Offer the book that today's tape gives for the compared run's day, as book_then.

    Of a ledger it is not made here: its own check looks at the history of each loan.
    """
    then = {**parameters, "as_of": parameters["previous_as_of"]}
    if _tells_then(db, kind, then, parameters["as_of"]):
        _make_book_then(db, kind, then)
    else:
        db.execute("create or replace table book_then as from book where false")


def _tells_then(
    db: DuckDBPyConnection, kind: TapeKind, then: Mapping[str, Any], as_of: date
) -> bool:
    """Return whether both tapes tell the book of the very same day."""
    if then["as_of"] is None or kind.has_ledger:
        return False
    if kind is LOAN_LIST:  # a list of loans as they stand tells its own day and no other
        return then["as_of"] == as_of
    last_told = _LAST_TOLD[kind.name]
    now, before = (last_told.format(which) for which in ("", "previous_"))
    return one_row(db, now, bound(now, then)) == one_row(db, before, bound(before, then))


def _make_book_then(db: DuckDBPyConnection, kind: TapeKind, parameters: Mapping[str, Any]) -> None:
    sql = read_sql("book", kind.book_sql)
    db.execute(f"create or replace table book_then as {sql}", bound(sql, parameters))


def restated_facts(
    db: DuckDBPyConnection,
    tape: TapeFacts,
    compared: SealedRun | None,
    checks: Sequence[CheckResult],
    settings: Settings,
) -> JsonObject | None:
    """Return how the compared run's KPIs would read by today's tape; None when nothing changed.

    Every KPI is worked out again for that run's day, except those of the tape as a whole.
    """
    changed = sum(check.bad_rows for check in checks if check.name in RESTATED_CHECKS)
    if compared is None or not changed:
        return None
    parameters = book_parameters(settings, compared.manifest.identity.as_of)
    if tape.kind.has_ledger:
        _make_book_then(db, tape.kind, parameters)
    return {
        "run": compared.name,
        "as_of": compared.manifest.identity.as_of.isoformat(),
        "changed": changed,
        "kpis": _effects(read_kpis(compared), _values_then(db, tape, parameters, settings)),
    }


def _values_then(
    db: DuckDBPyConnection, tape: TapeFacts, parameters: Mapping[str, Any], settings: Settings
) -> dict[str, KpiValue]:
    """Return today's KPIs of that day, in a schema whose book is the one of that day."""
    asked = [kpi for kpi in load_catalogue() if "quality_result" not in kpi.requires]
    db.execute("create schema if not exists then_day")
    db.execute("create or replace view then_day.book as from main.book_then")
    db.execute("set search_path = 'then_day,main'")
    try:
        prepare_kpis(db, settings.health)
        return {value.name: value for value in compute_kpis(db, asked, parameters, tape)}
    finally:
        db.execute("set search_path = 'main'")


def _effects(sealed: Sequence[KpiValue], then: Mapping[str, KpiValue]) -> list[JsonValue]:
    effects: list[JsonValue] = []
    for before in sealed:
        after = then.get(before.name)
        if after is None or (after.value, after.basis) == (before.value, before.basis):
            continue
        is_comparable = None not in (before.value, after.value) and after.basis == before.basis
        change = (after.value or 0) - (before.value or 0) if is_comparable else None
        effects.append(
            {
                "kpi": before.name,
                "before": _text(before.value),
                "after": _text(after.value),
                "change": _text(change),
            }
        )
    return effects


def _text(number: object) -> str | None:
    return None if number is None else f"{number:f}"
