"""What stored tapes of the same book tell of a tape that has no past of its own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warehouse.engine import bound, copy_to_parquet, literal, read_sql, view_parquet
from warehouse.identity import RunIdentity
from warehouse.kinds import TapeFacts
from warehouse.layout import Layout
from warehouse.run_folder import SealedRun, list_runs

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SHORTEST_DAYS = 7  # single days are noise
HISTORY_TABLES = ("earlier_book", "earlier_total", "default_event")
_COLUMNS = "loan_id, residual_principal, live_principal, days_past_due"


def stored_runs(layout: Layout, identity: RunIdentity, tape: TapeFacts) -> list[SealedRun]:
    """Return the earlier runs of the same book and kind of tape, the last one of each day."""
    by_day: dict[date, SealedRun] = {}
    for run in list_runs(layout):
        is_same = run.manifest.identity.book == identity.book
        kind = TapeFacts.from_json(run.manifest.ingestion).kind
        if is_same and kind is tape.kind and run.manifest.identity.as_of < identity.as_of:
            by_day[run.manifest.identity.as_of] = run
    return list(by_day.values())


def write_history(
    db: DuckDBPyConnection,
    runs: list[SealedRun],
    folder: Path,
    parameters: Mapping[str, Any],
    window_days: int,
) -> dict[str, int]:
    """Write what earlier runs tell into the run, so that it can be rebuilt without them.

    `book` must be offered; returns the rows by table name.
    """
    as_of: date = parameters["as_of"]
    days = {run.manifest.identity.as_of: run for run in runs}
    stored = [
        f"select date '{day}' as as_of_date, {_COLUMNS} "
        f"from read_parquet({literal(str(run.folder / 'book.parquet'))}) as earlier "
        "where hash(loan_id) not in (select loan_key from quarantined_loan)"  # nor paid, nor lost
        for day, run in days.items()
    ]
    stored.append(f"select date '{as_of}' as as_of_date, {_COLUMNS} from book")
    db.execute(f"create or replace view stored_position as {' union all '.join(stored)}")
    bind = {**parameters, "opening_date": _opening(as_of, list(days), window_days)}
    rows: dict[str, int] = {}
    for name in HISTORY_TABLES:
        target = folder / f"{name}.parquet"
        sql = read_sql("history", name)
        rows[name] = copy_to_parquet(db, sql, target, bound(sql, bind))
        view_parquet(db, name, target)
    return rows


def _opening(as_of: date, days: list[date], window_days: int) -> date | None:
    """Return the stored day nearest to the begin of the window, None without one."""
    begin = as_of - timedelta(days=window_days)
    latest = as_of - timedelta(days=_SHORTEST_DAYS)
    near = [day for day in days if begin - timedelta(days=window_days) <= day <= latest]
    return min(near, key=lambda day: (abs((day - begin).days), -day.toordinal()), default=None)
