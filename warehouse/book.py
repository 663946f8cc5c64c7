"""Build the book: the history of every loan, and where each stands on one day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from settings.model import Settings
from warehouse.engine import copy_to_parquet, read_sql, view_parquet
from warehouse.kinds import FOUR_TABLES, TapeKind

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def book_parameters(settings: Settings, as_of: date) -> dict[str, Any]:
    """Return every date and number that book and KPI SQL may bind.

    `window_start`..`as_of` is the collection window, `month_start`..`month_end` the last
    completed month; default events count after `events_after` up to `events_until`; books a
    year old were disbursed before `books_before`. All days are whole and inclusive.
    """
    windows = settings.windows
    month_end = _last_completed_month_end(as_of)
    return {
        "as_of": as_of,
        "closed_below_ratio": settings.book.closed_below_ratio,
        "written_off_after_days": settings.book.written_off_after_days,
        "window_start": as_of - timedelta(days=windows.collection_days - 1),
        "month_start": month_end.replace(day=1),
        "month_end": month_end,
        "events_after": as_of - timedelta(days=windows.rdr_event_days),
        "events_until": as_of - timedelta(days=windows.rdr_workout_days),
        "rdr_min_events": windows.rdr_min_events,
        "books_before": _month_start(as_of, 1 - windows.books_months),
    }


def _last_completed_month_end(as_of: date) -> date:
    """Return the last month end on or before `as_of`."""
    is_month_end = (as_of + timedelta(days=1)).day == 1
    return as_of if is_month_end else as_of.replace(day=1) - timedelta(days=1)


def _month_start(day: date, months: int) -> date:
    """Return the first day of the month `months` after the month of `day`."""
    month = day.year * 12 + day.month - 1 + months
    return date(month // 12, month % 12 + 1, 1)


def build_book(
    db: DuckDBPyConnection,
    folder: Path,
    parameters: Mapping[str, Any],
    kind: TapeKind = FOUR_TABLES,
) -> dict[str, int]:
    """Write and offer the book of the run's tables, and its history where the tape tells it.

    Returns the rows of book and, if there is one, of book_history, by name.
    """
    tables = {"book_history": "book_history"} if kind.has_ledger else {}
    rows: dict[str, int] = {}
    for name, sql in {**tables, "book": kind.book_sql}.items():
        target = folder / f"{name}.parquet"
        rows[name] = copy_to_parquet(db, read_sql("book", sql), target, parameters)
        view_parquet(db, name, target)
    return rows
