"""Work a sealed run out again from its own tables and settings: its KPIs and its reconciliation."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import JsonValue, ValidationError

from settings.errors import ConfigError
from settings.kpis import load_catalogue
from settings.model import Settings
from settings.value_types import Section
from warehouse.book import book_parameters
from warehouse.engine import SQL_ROOT, bound, one_row, open_engine, read_sql
from warehouse.identity import sql_sha256
from warehouse.kinds import TapeFacts
from warehouse.kpis import KpiValue, compute_kpis, prepare_kpis
from warehouse.quality import Reconciliation
from warehouse.run_folder import SealedRun
from warehouse.sealed_kpis import read_kpis
from warehouse.tables import view_run_tables

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SNAPSHOT_CHECK = "ledger_differs_from_snapshot"


class RunSettingsError(ConfigError):
    """The run was sealed under settings that this Tapewatch does not have."""

    code = "RUN_SETTINGS"


@dataclass(frozen=True)
class RebuiltKpi:
    """One KPI as it was sealed and as it comes out now; `rebuilt` is None when it left the list."""

    sealed: KpiValue
    rebuilt: KpiValue | None

    @property
    def is_equal(self) -> bool:
        """Whether value, numerator, denominator and reason are the same to the last digit."""
        return self.rebuilt is not None and _told(self.sealed) == _told(self.rebuilt)


@dataclass(frozen=True)
class Rebuilt:
    """What a sealed run says and what its tables give now.

    `is_same_sql` tells whether the SQL is the one that made the run: only then must both agree.
    """

    kpis: tuple[RebuiltKpi, ...]
    reconciliation: Reconciliation | None  # None: a tape without a ledger
    sealed_reconciliation: Reconciliation | None
    is_same_sql: bool

    @property
    def differing(self) -> tuple[str, ...]:
        """What does not come out as it was sealed, by name."""
        names = [kpi.sealed.name for kpi in self.kpis if not kpi.is_equal]
        return (*names, *(["reconciliation"] if not self.is_reconciliation_equal else []))

    @property
    def is_reconciliation_equal(self) -> bool:
        """Whether as many snapshot rows agree with the ledger as the run says."""
        return self.reconciliation == self.sealed_reconciliation


def run_settings(run: SealedRun, settings: Settings) -> Settings:
    """Return `settings` with those that changed the run's values as they were for it.

    Raises:
        RunSettingsError: The run was sealed under settings that are no longer known.
    """
    sealed = run.manifest.identity.settings
    try:
        sections = {name: _section(settings, name, values) for name, values in sealed.items()}
    except (ValidationError, AttributeError):
        raise RunSettingsError(
            f"run {run.name} was sealed under settings that this version does not know",
            fix=f"use the Tapewatch that sealed it: {run.manifest.code}",
        ) from None
    return settings.model_copy(update=sections)


def _section(settings: Settings, name: str, values: JsonValue) -> Section:
    today = cast("Section", getattr(settings, name))
    return type(today).model_validate({**vars(today), **cast("Mapping[str, JsonValue]", values)})


@contextmanager
def open_run(
    run: SealedRun, settings: Settings, spill: Path, *folders: Path
) -> Generator[tuple[DuckDBPyConnection, dict[str, Any]], None, None]:
    """Yield an engine with the run's tables, and the parameters of its book and KPI SQL.

    `settings` are the run's, from `run_settings`; `spill` is a folder for the engine alone, and
    `folders` are what else it may read.

    Raises:
        StorageError: The engine could not read the run, or it did not fit.
    """
    with open_engine(settings.engine, spill, (run.folder, *folders)) as db:
        view_run_tables(db, run.folder)
        prepare_kpis(db, settings.health)
        yield db, book_parameters(settings, run.manifest.identity.as_of)


def rebuild(run: SealedRun, settings: Settings, spill: Path) -> Rebuilt:
    """Compute every KPI and the reconciliation of a sealed run again.

    Raises:
        RunSettingsError: The run was sealed under settings that are no longer known.
        StorageError: The engine could not read the run, or it did not fit.
    """
    tape = TapeFacts.from_json(run.manifest.ingestion)
    with open_run(run, run_settings(run, settings), spill) as (db, parameters):
        rebuilt = {kpi.name: kpi for kpi in compute_kpis(db, load_catalogue(), parameters, tape)}
        reconciliation = _reconcile(db, parameters) if tape.kind.has_ledger else None
    said = cast("Mapping[str, int] | None", run.manifest.quality["reconciliation"])
    return Rebuilt(
        kpis=tuple(RebuiltKpi(kpi, rebuilt.get(kpi.name)) for kpi in read_kpis(run)),
        reconciliation=reconciliation,
        sealed_reconciliation=None
        if said is None
        else Reconciliation(said["matched"], said["compared"]),
        is_same_sql=run.manifest.identity.sql_sha256 == sql_sha256(SQL_ROOT),
    )


def _reconcile(db: DuckDBPyConnection, parameters: Mapping[str, Any]) -> Reconciliation:
    (compared,) = one_row(
        db, "select count(*) from balance_snapshot where as_of_date <= $as_of", parameters
    )
    check = read_sql("quality/blocking", _SNAPSHOT_CHECK)
    (bad,) = one_row(db, f"select count(*) from ({check})", bound(check, parameters))
    return Reconciliation(compared - bad, compared)


def _told(kpi: KpiValue) -> tuple[object, ...]:
    return kpi.value, kpi.numerator, kpi.denominator, kpi.reason
