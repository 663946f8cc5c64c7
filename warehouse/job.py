"""What a run was asked, and what each phase hands to the next: small facts and paths."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from settings.model import Phase, Settings
from warehouse.attempts import Attempt
from warehouse.engine import open_engine
from warehouse.gate import Quarantine
from warehouse.identity import RunIdentity
from warehouse.json_text import JsonObject
from warehouse.kpis import HealthComponent, KpiValue
from warehouse.layout import Layout, RunPaths
from warehouse.manifest import InputFacts
from warehouse.quality import CheckResult, Reconciliation
from warehouse.run_folder import SealedRun

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

AsOfBasis = Literal["declared", "last_ledger_date"]
Outcome = Literal["published", "stored", "already_published"]


@dataclass(frozen=True)
class AcceptedAnomaly:
    """An operator's word that an unusual tape is right: which run, and why."""

    run: str
    reason: str


@dataclass(frozen=True)
class RunRequest:
    """What the caller asks: inputs, and what the tape itself cannot know."""

    inputs: tuple[Path, ...]
    as_of: date | None = None
    is_backfill: bool = False
    accepted: AcceptedAnomaly | None = None


@dataclass(frozen=True)
class Job:
    """One attempt at a request: everything a phase may use besides what it is handed."""

    request: RunRequest
    settings: Settings
    layout: Layout
    paths: RunPaths
    attempt: Attempt
    received_at: datetime
    code: str

    def open_engine(
        self, phase: Phase, *folders: Path
    ) -> AbstractContextManager[DuckDBPyConnection]:
        """Open DuckDB over the attempt's staging and `folders`, under the phase's time limit."""
        return open_engine(
            self.settings.engine,
            self.paths.spill,
            (self.paths.root, *folders),
            self.settings.phases.policy(phase).timeout_seconds,
        )


@dataclass(frozen=True)
class Ingested:
    """After ingestion: the run is known by its id, and either to be worked out or published."""

    identity: RunIdentity
    as_of_basis: AsOfBasis
    source_kind: str
    inputs: tuple[InputFacts, ...]
    rows_read: Mapping[str, int]
    last_ledger_date: date | None
    sealed: SealedRun | None = None  # this very question has been answered before

    @property
    def as_of(self) -> date:
        """The day the values are of."""
        return self.identity.as_of


@dataclass(frozen=True)
class Transformed:
    """After transformation: the tape passed the gate, the book is written."""

    ingested: Ingested
    quarantine: Quarantine
    checks: tuple[CheckResult, ...]
    reconciliation: Reconciliation
    quality: JsonObject  # as the manifest and the validation report tell it
    rows: Mapping[str, int]  # by file name


@dataclass(frozen=True)
class Calculated:
    """After calculation: every KPI has a value or a reason."""

    transformed: Transformed
    kpis: tuple[KpiValue, ...]
    health: tuple[HealthComponent, ...]
    rows: Mapping[str, int]


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended well: `sealed` is the run folder that answers the request."""

    outcome: Outcome
    sealed: SealedRun
    previous: SealedRun | None
    attempt_id: str
    log_folder: Path
