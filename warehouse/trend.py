"""The course of each KPI: what sealed runs said day by day, and before them what was backfilled."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from settings.thresholds import Status
from warehouse.kpi_history import KpiHistory
from warehouse.kpis import KpiValue
from warehouse.layout import Layout
from warehouse.output import read_kpis
from warehouse.run_folder import SealedRun, list_runs

Source = Literal["run", "backfill"]
_Days = Mapping[date, tuple[Source, Mapping[str, KpiValue]]]


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
    layout: Layout, book: tuple[str, str], kpis: Collection[str], until: date
) -> dict[str, tuple[Point, ...]]:
    """Return the points of each KPI up to a day, oldest first, one a day; none where none are.

    A day is told by the run that superseded the others of it, else by the history in force. A
    series has one basis, that of the newest run: points of another are left out.

    Raises:
        StorageError: The history cannot be read.
    """
    runs = [run for run in list_runs(layout) if _is_of(run, book, until)]
    history = history_in_force(layout, runs)
    past = {} if history is None else _past(history, until)
    days: _Days = past | {run.manifest.identity.as_of: _told(run) for run in runs}
    return {kpi: _series(kpi, days) for kpi in kpis}


def history_in_force(layout: Layout, runs: Sequence[SealedRun]) -> KpiHistory | None:
    """Return the newest history that the newest of `runs` agrees with; they are oldest first.

    Out of force is one of other SQL or other settings, one of a run that was superseded, and one
    whose run is older than a run that found its past restated.
    """
    superseded: set[str] = set()
    for run in reversed(runs):
        history = KpiHistory.of(layout, run)
        is_same = (
            _definition(run) == _definition(runs[-1]) and run.manifest.run_id not in superseded
        )
        if is_same and history.days():
            return history
        if run.manifest.quality.get("restated") is not None:
            return None
        superseded.update(run.manifest.supersedes)
    return None


def _is_of(run: SealedRun, book: tuple[str, str], until: date) -> bool:
    identity = run.manifest.identity
    return identity.book == book and identity.as_of <= until


def _definition(run: SealedRun) -> tuple[object, ...]:
    identity = run.manifest.identity
    return identity.sql_sha256, identity.contract_version, identity.settings


def _past(history: KpiHistory, until: date) -> dict[date, tuple[Source, Mapping[str, KpiValue]]]:
    read = {day: history.read(day) for day in history.days() if day <= until}
    return {day: ("backfill", _by_name(values)) for day, values in read.items() if values}


def _told(run: SealedRun) -> tuple[Source, Mapping[str, KpiValue]]:
    return "run", _by_name(read_kpis(run))


def _by_name(values: tuple[KpiValue, ...]) -> dict[str, KpiValue]:
    return {value.name: value for value in values}


def _series(kpi: str, days: _Days) -> tuple[Point, ...]:
    points = [
        _point(source, values[kpi]) for _, (source, values) in sorted(days.items()) if kpi in values
    ]
    sealed = [point for point in points if point.source == "run"]
    if not points:
        return ()
    basis = (sealed or points)[-1].basis
    return tuple(point for point in points if point.basis == basis)


def _point(source: Source, value: KpiValue) -> Point:
    return Point(value.as_of, value.value, value.status, value.basis, source, value.reason)
