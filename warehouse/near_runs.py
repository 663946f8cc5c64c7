"""Find what today's run is compared with: yesterday, a week ago and a month ago.

That is a sealed run. Where none is near, a week and a month ago are told by the history in force.
"""

from calendar import monthrange
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import chain
from pathlib import Path

from settings.errors import TapewatchError
from warehouse.identity import RunIdentity
from warehouse.kpi_history import KpiHistory
from warehouse.kpis import KpiValue
from warehouse.layout import Layout
from warehouse.manifest import load_manifest
from warehouse.run_folder import SealedRun, runs_back, standing_folders
from warehouse.sealed_kpis import read_kpis
from warehouse.trend import history_in_force

DAYS_OFF = 3  # a weekend: an older run than that is not the one of the day
_DATE_LENGTH = len("2025-12-26")
_WORKED_OUT = ("week", "month")  # yesterday is the run before: what moved since is told from it


@dataclass(frozen=True)
class PastDay:
    """The KPIs of a day that no run told, by name, and from which run's tape they are."""

    run: str
    values: Mapping[str, KpiValue]


def month_before(day: date) -> date:
    """Return the same day of the month before, its last one where there is none."""
    last = day.replace(day=1) - timedelta(days=1)
    return last.replace(day=min(day.day, monthrange(last.year, last.month)[1]))


def near_runs(
    layout: Layout, identity: RunIdentity, before: SealedRun | None
) -> Mapping[str, SealedRun | None]:
    """Return the runs of the same book by "day", "week" and "month" before.

    Each is the newest of that day, or of the three days before it; None where there is none. That
    of the day is else the run before, however long ago that was.

    Raises:
        StorageError: The folder of runs cannot be read.
    """
    folders = standing_folders(layout)
    found = {
        name: _newest(folders, identity, day) for name, day in _days_before(identity.as_of).items()
    }
    return {**found, "day": found["day"] or before}


def near_past(
    layout: Layout, run: SealedRun, near: Mapping[str, SealedRun | None]
) -> Mapping[str, PastDay]:
    """Return what the history in force says of "week" and "month" before, where it is needed.

    It is where the near run lacks a KPI of `run`, which need not be sealed yet, or tells it on
    another basis. A history that cannot be read says nothing: it must not stop today's run.
    """
    identity, values = run.manifest.identity, read_kpis(run)
    names = [name for name in _WORKED_OUT if _lacks(near.get(name), values)]
    if not names:
        return {}
    days = _days_before(identity.as_of)
    with suppress(TapewatchError):
        earlier = runs_back(layout, identity.book, identity.as_of - timedelta(days=1))
        history = history_in_force(layout, chain([run], earlier))
        found = {name: history and _newest_day(history, days[name]) for name in names}
        return {name: past for name, past in found.items() if past is not None}
    return {}


def _days_before(as_of: date) -> dict[str, date]:
    return {
        "day": as_of - timedelta(days=1),
        "week": as_of - timedelta(days=7),
        "month": month_before(as_of),
    }


def _newest(folders: list[Path], identity: RunIdentity, until: date) -> SealedRun | None:
    """Return the newest run of the book up to a day; folder names tell the day of each."""
    first, last = (until - timedelta(days=DAYS_OFF)).isoformat(), until.isoformat()
    found: list[SealedRun] = []
    for folder in folders:
        if first <= folder.name[:_DATE_LENGTH] <= last:
            with suppress(TapewatchError):  # one rotten old run must not stop today's
                found.append(SealedRun(folder, load_manifest(folder)))
    same = [run for run in found if run.manifest.identity.book == identity.book]
    return max(same, key=lambda run: run.manifest.order, default=None)


def _lacks(run: SealedRun | None, values: Sequence[KpiValue]) -> bool:
    told = {} if run is None else {value.name: value.basis for value in read_kpis(run)}
    return any(told.get(value.name) != value.basis for value in values)


def _newest_day(history: KpiHistory, until: date) -> PastDay | None:
    first = until - timedelta(days=DAYS_OFF)
    for day in reversed([day for day in history.days() if first <= day <= until]):
        if (values := history.read(day)) is not None:
            return PastDay(history.folder.name, {value.name: value for value in values})
    return None
