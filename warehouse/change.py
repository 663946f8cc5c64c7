"""Tell what moved each KPI between two runs of a book, in parts that add up to the last digit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from settings.kpis import load_catalogue
from settings.model import Settings
from warehouse.book import book_parameters
from warehouse.change_loans import PartReader, Telling, open_books
from warehouse.change_parts import Part
from warehouse.kinds import TapeFacts
from warehouse.kpis import KpiValue, change_of
from warehouse.rebuild import RunSettingsError, open_run, run_settings
from warehouse.run_folder import SealedRun
from warehouse.sealed_kpis import read_kpis

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class KpiChange:
    """One KPI at both ends of a time, its move, and the parts of the move in reading order.

    The amounts of `parts` add up to `move` to the last digit. A KPI that is not made of loans has
    a move and no parts. `reason` says why the move cannot be known or, of a KPI that has parts,
    why those cannot.
    """

    kpi: str
    unit: str
    now: KpiValue
    before: KpiValue | None  # None: no earlier run, or one that is older than the KPI
    move: Decimal | None
    parts: tuple[Part, ...] = ()
    reason: str | None = None


def changes_between(
    run: SealedRun, before: SealedRun | None, settings: Settings, spill: Path, shown: int
) -> tuple[KpiChange, ...]:
    """Return what moved each KPI of `run` since `before`, with the `shown` top loans of each part.

    `spill` is a folder for the engine alone. Without an earlier run nothing is compared.

    Raises:
        RunSettingsError: The run was sealed under settings that are no longer known.
        StorageError: The engine could not read a run, or it did not fit.
    """
    values = read_kpis(run)
    if before is None:
        return without_earlier_run(values)
    own = run_settings(run, settings)
    tape = TapeFacts.from_json(run.manifest.ingestion)
    with open_run(run, own, spill, before.folder) as (db, parameters):
        return compute_changes(db, Telling(parameters, tape), values, before, own, shown)


def without_earlier_run(values: Iterable[KpiValue]) -> tuple[KpiChange, ...]:
    """Return the KPIs of the first run of a book: nothing is known of how they moved."""
    reason = "this book has no run that is early enough to compare with"
    return tuple(KpiChange(now.name, now.unit, now, None, None, (), reason) for now in values)


def compute_changes(
    db: DuckDBPyConnection,
    now: Telling,
    values: Iterable[KpiValue],
    before: SealedRun,
    settings: Settings,
    shown: int,
) -> tuple[KpiChange, ...]:
    """Return what moved each of `values` since `before`: also inside a run, before it is sealed.

    `db` offers the tables of the new run and may read the folder of `before`; `settings` are the
    new run's.
    """
    reader = _open_reader(db, now, before, settings, shown)
    told_in_parts = {kpi.name for kpi in load_catalogue() if kpi.has_parts}
    earlier = {value.name: value for value in read_kpis(before)}
    changes: list[KpiChange] = []
    for value in values:
        change = _plain_change(value, earlier.get(value.name), before)
        changes.append(_with_parts(change, reader) if value.name in told_in_parts else change)
    return tuple(changes)


def _plain_change(now: KpiValue, before: KpiValue | None, run: SealedRun) -> KpiChange:
    move = change_of(now, before)
    reason = None if move is not None else _why_unknown(now, before, run)
    return KpiChange(now.name, now.unit, now, before, move, (), reason)


def _why_unknown(now: KpiValue, before: KpiValue | None, run: SealedRun) -> str:
    if before is None:
        return f"run {run.name} is older than the KPI"
    for value in (now, before):
        if value.value is None:
            return f"it is unknown on {value.as_of}: {value.reason}"
    return (
        f"it was of basis {before.basis} on {before.as_of} and is of basis {now.basis} on "
        f"{now.as_of}: bases are never compared"
    )


def _open_reader(
    db: DuckDBPyConnection, now: Telling, before: SealedRun, settings: Settings, shown: int
) -> PartReader | str:
    """Return what reads the parts, or why none can be told."""
    tape = TapeFacts.from_json(before.manifest.ingestion)
    for kind in (tape.kind, now.tape.kind):
        if not kind.has_loans:
            return f"{kind.title} tells no loans"
    if tape.kind is not now.tape.kind:
        return (
            f"run {before.name} is of {tape.kind.title}, the new one of {now.tape.kind.title}: "
            "their loans are not compared"
        )
    try:
        own = run_settings(before, settings)
    except RunSettingsError as error:
        return error.message
    then = Telling(book_parameters(own, before.manifest.identity.as_of), tape)
    return open_books(db, before.folder, then, now, settings, shown)


def _with_parts(change: KpiChange, reader: PartReader | str) -> KpiChange:
    before = change.before
    if change.move is None or before is None:
        return change
    if isinstance(reader, str):
        return replace(change, reason=reader)
    parts = reader.read(change.now, before)
    if parts is None:
        days = f"{before.as_of} and {change.now.as_of}"
        reason = f"its loans do not add up to what was said on {days}: its SQL has changed"
        return replace(change, reason=reason)
    return replace(change, parts=parts)
