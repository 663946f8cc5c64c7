"""The course of each KPI: what sealed runs said day by day, and before them what was backfilled."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import tee
from typing import Literal

from settings.thresholds import Status
from warehouse.kpi_history import KpiHistory
from warehouse.kpis import KpiValue
from warehouse.layout import Layout
from warehouse.output import read_kpis
from warehouse.run_folder import SealedRun, runs_back

Source = Literal["run", "backfill"]
_Told = tuple[Source, Mapping[str, KpiValue]]


@dataclass(frozen=True)
class Point:
    """One KPI on one day; `value` is None exactly when `reason` says why it is unknown."""

    as_of: date
    value: Decimal | None
    status: Status
    basis: str
    source: Source
    reason: str | None = None


def read_trend(
    layout: Layout,
    book: tuple[str, str],
    kpis: Collection[str],
    until: date,
    days: int | None = None,
) -> dict[str, tuple[Point, ...]]:
    """Return the points of each KPI up to a day, oldest first, one a day; none where none are.

    A day is told by the run that superseded the others of it, else by the history in force. A
    series has one basis, that of the newest run: points of another are left out. Only the newest
    `days` days of the book are read, all without it.

    Raises:
        StorageError: The history cannot be read.
    """
    runs, runs_again = tee(runs_back(layout, book, until))
    history = history_in_force(layout, runs)
    past = set[date]() if history is None else {day for day in history.days() if day <= until}
    found: dict[date, SealedRun] = {}
    for run in runs_again:
        as_of = run.manifest.identity.as_of
        found.setdefault(as_of, run)  # the first of a day is the one that superseded the others
        if days is not None and sum(day >= as_of for day in past | found.keys()) >= days:
            break
    newest = sorted(past | found.keys())[-(days or 0) :]
    told = [_told(found[day]) if day in found else _past(history, day) for day in newest]
    return {
        kpi: _series([_point(source, v[kpi]) for source, v in told if kpi in v]) for kpi in kpis
    }


def history_in_force(layout: Layout, runs: Iterable[SealedRun]) -> KpiHistory | None:
    """Return the newest history that the first of `runs` agrees with; they are newest first.

    Out of force is one of other SQL or other settings, one of a run that was superseded, and one
    whose run is older than a run that found its past restated.
    """
    oldest = min(KpiHistory.runs(layout), default=None)
    superseded: set[str] = set()
    newest: SealedRun | None = None
    for run in runs:
        if oldest is None or run.name[:10] < oldest[:10]:  # the day
            break
        newest = newest or run
        history = KpiHistory.of(layout, run)
        is_same = _definition(run) == _definition(newest)
        if is_same and run.manifest.run_id not in superseded and history.days():
            return history
        if run.manifest.quality.get("restated") is not None:
            break
        superseded.update(run.manifest.supersedes)
    return None


def _definition(run: SealedRun) -> tuple[object, ...]:
    identity = run.manifest.identity
    return identity.sql_sha256, identity.contract_version, identity.settings


def _past(history: KpiHistory | None, day: date) -> _Told:
    values = None if history is None else history.read(day)
    return "backfill", _by_name(values or ())


def _told(run: SealedRun) -> _Told:
    return "run", _by_name(read_kpis(run))


def _by_name(values: tuple[KpiValue, ...]) -> dict[str, KpiValue]:
    return {value.name: value for value in values}


def _series(points: list[Point]) -> tuple[Point, ...]:
    if not points:
        return ()
    sealed = [point for point in points if point.source == "run"]
    basis = (sealed or points)[-1].basis
    return tuple(point for point in points if point.basis == basis)


def _point(source: Source, value: KpiValue) -> Point:
    return Point(value.as_of, value.value, value.status, value.basis, source, value.reason)
