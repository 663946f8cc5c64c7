"""Work out the KPIs of past days from the sealed tape of the served run, by the SQL of every run.

The history of each loan is sealed with the run, so the book of any day up to the run's own is one
query away; each KPI's SQL is asked of that day and sees nothing that is dated later.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from settings.errors import UsageError
from settings.model import Settings
from warehouse.engine import SQL_ROOT, one_row
from warehouse.identity import sql_sha256
from warehouse.kinds import TapeFacts
from warehouse.kpi_history import KpiHistory
from warehouse.layout import Layout
from warehouse.lock import hold_lock
from warehouse.past_days import past_days
from warehouse.rebuild import open_run, run_settings
from warehouse.reproduce import OtherVersionError
from warehouse.run_folder import SealedRun
from warehouse.verify import check_folder

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Every = Literal["month", "week", "day"]
Told = Callable[[int, int], None]  # how many days are done, of how many

_SUNDAY = 6


class NoLedgerError(UsageError):
    """The served tape does not tell the past."""

    code = "NO_LEDGER"


class NoPastDaysError(UsageError):
    """No day of the kind that was asked for lies in the range."""

    code = "NO_PAST_DAYS"


@dataclass(frozen=True)
class PastDays:
    """Which days are asked for; from the first loan on, and up to the run's day, without a bound.

    A month stands for its last day, a week for its Sunday.
    """

    first: date | None = None
    last: date | None = None
    every: Every = "month"

    def between(self, begin: date, end: date) -> list[date]:
        """Return the days asked for that lie between `begin` and `end`, both included."""
        first, last = max(self.first or begin, begin), min(self.last or end, end)
        days = (first + timedelta(n) for n in range((last - first).days + 1))
        return [day for day in days if _ends(self.every, day)]


@dataclass(frozen=True)
class Backfilled:
    """The past days of a run that are known now; `new` were not known before."""

    run: SealedRun
    days: tuple[date, ...]
    new: tuple[date, ...]


def backfill(
    layout: Layout, run: SealedRun, settings: Settings, asked: PastDays, now: datetime, told: Told
) -> Backfilled:
    """Work out every KPI of the days asked for, except those of days that are known already.

    Each day is kept as soon as it is known: a backfill that was stopped goes on where it was.

    Raises:
        NoLedgerError: The run is not of the four tables.
        OtherVersionError: It was sealed by other SQL than this Tapewatch has.
        NoPastDaysError: There is no such day.
        LockHeldError: Another backfill of this book is at work.
        HashMismatchError: The run is not what was sealed.
        StorageError: The disk refused, or the engine could not read the run.
    """
    _refuse_unfit(run)
    then, history = run_settings(run, settings), KpiHistory.of(layout, run)
    spill = layout.history / "spill"
    with hold_lock(layout.history / "lock", "backfill", now):
        shutil.rmtree(spill, ignore_errors=True)  # of one that was killed
        check_folder(run.folder)
        with open_run(run, then, spill) as (db, _):
            days = _days(db, run, asked)
            missing = [day for day in days if history.read(day) is None]
            for done, (day, values) in enumerate(past_days(db, then, missing), start=1):
                history.write(day, values)
                told(done, len(missing))
        shutil.rmtree(spill, ignore_errors=True)
    return Backfilled(run, tuple(days), tuple(missing))


def _refuse_unfit(run: SealedRun) -> None:
    kind = TapeFacts.from_json(run.manifest.ingestion).kind
    if not kind.has_ledger:
        raise NoLedgerError(
            f"run {run.name} is of {kind.title}, which does not tell every payment of the past",
            fix="publish Cascade's four tables first, or name another --portfolio",
        )
    if run.manifest.identity.sql_sha256 != sql_sha256(SQL_ROOT):
        raise OtherVersionError(
            f"run {run.name} was sealed by other SQL than this Tapewatch has",
            fix="run its tape again with `tapewatch run`, then backfill from that run",
        )


def _days(db: DuckDBPyConnection, run: SealedRun, asked: PastDays) -> list[date]:
    end = run.manifest.identity.as_of
    sql = "select coalesce(min(disburse_date), $as_of) from loan"
    (begin,) = one_row(db, sql, {"as_of": end})
    days = asked.between(begin, end)
    if not days:
        raise NoPastDaysError(
            f"no {asked.every} ends between {asked.first or begin} and {asked.last or end} while "
            f"run {run.name} tells the book, from {begin} to {end}",
            fix="widen the range, or ask for --every day",
        )
    return days


def _ends(every: Every, day: date) -> bool:
    match every:
        case "month":
            return (day + timedelta(days=1)).day == 1
        case "week":
            return day.weekday() == _SUNDAY
        case "day":
            return True
