"""The course of each KPI: what sealed runs said day by day, and before them what was backfilled."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import chain, tee
from typing import Literal

from settings.thresholds import Status
from warehouse.kpi_history import KpiHistory
from warehouse.kpis import KpiValue
from warehouse.layout import Layout
from warehouse.run_folder import SealedRun, runs_ahead, runs_back
from warehouse.sealed_kpis import read_kpis

Source = Literal["run", "backfill"]
_Told = tuple[tuple[Source, str], Mapping[str, KpiValue]]

_DAY = len("2025-12-26")  # that a run's name begins with


@dataclass(frozen=True)
class Point:
    """One KPI on one day; `value` is None exactly when `reason` says why it is unknown.

    `run` names the run that says so, or from whose tape it was worked out.
    """

    as_of: date
    value: Decimal | None
    status: Status
    basis: str
    source: Source
    run: str
    reason: str | None = None


def read_trend(
    layout: Layout, run: SealedRun, kpis: Collection[str], days: int | None = None
) -> dict[str, tuple[Point, ...]]:
    """Return the points of each KPI that lead to a run, oldest first, one a day, its own the last.

    An earlier day is told by the run that superseded the others of it, else by the history in
    force. A series has one basis, that of its newest run: points of another are left out. Only the
    newest `days` days are read, all without it.

    Raises:
        StorageError: The history cannot be read.
    """
    identity = run.manifest.identity
    layout = layout.of_book(identity.book)
    earlier, again = tee(runs_back(layout, identity.book, identity.as_of - timedelta(days=1)))
    history = history_in_force(layout, chain([run], earlier))
    past = set[date]() if history is None else {d for d in history.days() if d < identity.as_of}
    found = {identity.as_of: run}
    for other in again:
        as_of = other.manifest.identity.as_of
        found.setdefault(as_of, other)  # the first of a day is the one that superseded the others
        if days is not None and sum(day >= as_of for day in past | found.keys()) >= days:
            break
    newest = sorted(past | found.keys())[-(days or 0) :]
    told = [_told(found[day]) if day in found else _past(history, day) for day in newest]
    return {kpi: _series([_point(one, v[kpi]) for one, v in told if kpi in v]) for kpi in kpis}


def history_in_force(layout: Layout, runs: Iterable[SealedRun]) -> KpiHistory | None:
    """Return the one history that the first of `runs` agrees with: of its run or the nearest to it.

    `runs` are that run and those before it, newest first; they go before later ones. Out of force
    is a history of other SQL or other settings, one of a run that was superseded, and one on the
    other side of a run that found its past restated.
    """
    names = KpiHistory.runs(layout)
    told = iter(runs)
    run = next(told, None) if names else None
    if run is None:
        return None
    return _history_before(layout, run, told, min(names)) or _history_after(layout, run, max(names))


def _history_before(
    layout: Layout, run: SealedRun, earlier: Iterable[SealedRun], oldest: str
) -> KpiHistory | None:
    superseded: set[str] = set()
    for one in chain([run], earlier):
        if one.name[:_DAY] < oldest[:_DAY]:
            break
        history = KpiHistory.of(layout, one)
        is_same = _definition(one) == _definition(run)
        if is_same and one.manifest.run_id not in superseded and history.days():
            return history
        if _is_restated(one):
            break
        superseded.update(one.manifest.supersedes)
    return None


def _history_after(layout: Layout, run: SealedRun, newest: str) -> KpiHistory | None:
    identity = run.manifest.identity
    for one in runs_ahead(layout, identity.book, identity.as_of):
        if one.name[:_DAY] > newest[:_DAY] or _is_restated(one):
            break
        history = KpiHistory.of(layout, one)
        if _definition(one) == _definition(run) and history.days():
            return history
    return None


def _is_restated(run: SealedRun) -> bool:
    return run.manifest.quality.get("restated") is not None


def _definition(run: SealedRun) -> tuple[object, ...]:
    identity = run.manifest.identity
    return identity.sql_sha256, identity.contract_version, identity.settings


def _past(history: KpiHistory | None, day: date) -> _Told:
    values = None if history is None else history.read(day)
    return ("backfill", "" if history is None else history.folder.name), _by_name(values or ())


def _told(run: SealedRun) -> _Told:
    return ("run", run.name), _by_name(read_kpis(run))


def _by_name(values: tuple[KpiValue, ...]) -> dict[str, KpiValue]:
    return {value.name: value for value in values}


def _series(points: list[Point]) -> tuple[Point, ...]:
    if not points:
        return ()
    sealed = [point for point in points if point.source == "run"]
    basis = (sealed or points)[-1].basis
    return tuple(point for point in points if point.basis == basis)


def _point(said_by: tuple[Source, str], value: KpiValue) -> Point:
    return Point(value.as_of, value.value, value.status, value.basis, *said_by, value.reason)
