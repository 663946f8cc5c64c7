"""Prove that the past days worked out from a run are what its sealed tables give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from settings.model import Settings
from warehouse.backfill import Told
from warehouse.engine import SQL_ROOT
from warehouse.identity import sql_sha256
from warehouse.kinds import TapeFacts
from warehouse.kpi_history import KpiHistory
from warehouse.kpis import KpiValue
from warehouse.layout import Layout
from warehouse.past_days import past_days
from warehouse.rebuild import RebuiltKpi, open_run, run_settings
from warehouse.run_folder import SealedRun
from warehouse.verify import Problem


@dataclass(frozen=True)
class HistoryProof:
    """What was found of the past days that were worked out from one run.

    `is_rebuilt` tells whether they were worked out again: only by the SQL that the run was sealed
    with. Without it, their hashes alone are proved.
    """

    days: int
    is_rebuilt: bool
    problems: tuple[Problem, ...]


def verify_history(
    layout: Layout, run: SealedRun, settings: Settings, spill: Path, told: Told
) -> HistoryProof:
    """Hold each past day of a run to its hash, and work it out again; name each that differs.

    Args:
        layout: Of the data folder, be it of the run's book or of another.
        run: Its files are sound.
        settings: Of today; those that changed values are taken from the run.
        spill: A folder for the engine alone.
        told: How many days were worked out again, of how many.

    Raises:
        RunSettingsError: The run was sealed under settings that are no longer known.
        StorageError: The history cannot be read, or the engine could not read the run.
    """
    history = KpiHistory.of(layout, run)
    days = history.days()
    kept = {day: history.read(day) for day in days}
    can_tell = TapeFacts.from_json(run.manifest.ingestion).kind.has_ledger
    found = {
        day: what
        for day, values in kept.items()
        if (what := _what_is_wrong(run, day, values, can_tell=can_tell))
    }
    sound = {day: values for day, values in kept.items() if values is not None and day not in found}
    is_same_sql = run.manifest.identity.sql_sha256 == sql_sha256(SQL_ROOT)
    if sound and is_same_sql:
        then = run_settings(run, settings)
        with open_run(run, then, spill) as (db, _):
            for done, (day, values) in enumerate(past_days(db, then, [*sound]), start=1):
                if differing := _difference(sound[day], values):
                    found[day] = differing
                told(done, len(sound))
    problems = (Problem(run.name, f"{day}.json", found[day]) for day in sorted(found))
    return HistoryProof(len(days), is_same_sql, tuple(problems))


def _what_is_wrong(
    run: SealedRun, day: date, values: Sequence[KpiValue] | None, *, can_tell: bool
) -> str:
    if values is None:
        return "is not what was kept: its hash is another, or it is of another day or run"
    if not can_tell or day > run.manifest.identity.as_of:
        return "is of a day that the run cannot tell"
    return ""


def _difference(kept: Sequence[KpiValue], values: Sequence[KpiValue]) -> str:
    """Return the first figure that comes out otherwise, "" where all are the same."""
    now = {value.name: value for value in values}
    pairs = [RebuiltKpi(value, now.pop(value.name, None)) for value in kept]
    for pair in pairs:
        if not pair.is_equal:
            told = "no such KPI" if pair.rebuilt is None else _figure(pair.rebuilt)
            return f"says {pair.sealed.name} {_figure(pair.sealed)}, the sealed tables give {told}"
    return f"lacks {', '.join(now)}" if now else ""


def _figure(value: KpiValue) -> str:
    sums = [f"{n:f}" for n in (value.numerator, value.denominator) if n is not None]
    told = "unknown" if value.value is None else f"{value.value:f}"
    return f"{told} ({' / '.join(sums)})" if sums else told
