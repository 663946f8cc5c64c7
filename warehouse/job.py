"""What a run was asked, and what each phase hands to the next: small facts and paths."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol
from zoneinfo import ZoneInfo

from settings.model import Settings
from settings.running import Phase
from warehouse.attempts import Attempt
from warehouse.delivery import Delivered
from warehouse.engine import open_engine
from warehouse.gate import Quarantine
from warehouse.identity import RunIdentity
from warehouse.json_text import JsonObject
from warehouse.kinds import TapeFacts
from warehouse.kpis import HealthComponent, KpiValue
from warehouse.layout import Layout, RunPaths
from warehouse.manifest import InputFacts
from warehouse.quality import CheckResult, Reconciliation
from warehouse.run_folder import SealedRun

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from structlog.typing import FilteringBoundLogger

AsOfBasis = Literal["declared", "last_ledger_date", "last_reporting_date"]
Outcome = Literal["published", "stored", "already_published", "no_new_data"]
Origin = Literal["file", "drop_folder", "cascade"]


@dataclass(frozen=True)
class AcceptedAnomaly:
    """An operator's word that an unusual tape is right: which run, why, and who says so."""

    run: str
    reason: str
    by: str | None = None


@dataclass(frozen=True)
class Fetched:
    """An export as it came: its files, and how they came here."""

    paths: tuple[Path, ...]
    origin: Origin

    @property
    def is_feed(self) -> bool:
        """Whether nobody chose these files: a feed may bring the same bytes again."""
        return self.origin != "file"


class Fetch(Protocol):
    """Bring the export here, before anything is read; called again when ingestion is retried."""

    def __call__(self, folder: Path, log: FilteringBoundLogger, /) -> Fetched:
        """Return the export's files; what is downloaded goes into the empty `folder`."""
        ...


@dataclass(frozen=True)
class RunRequest:
    """What the caller asks: inputs, and what the tape itself cannot know."""

    inputs: tuple[Path, ...] = ()
    as_of: date | None = None
    is_backfill: bool = False
    accepted: AcceptedAnomaly | None = None


@dataclass(frozen=True)
class Job:
    """One attempt at a request: everything a phase may use besides what it is handed."""

    request: RunRequest
    fetch: Fetch
    settings: Settings
    layout: Layout
    paths: RunPaths
    attempt: Attempt
    received_at: datetime
    code: str

    @property
    def received_date(self) -> date:
        """The day the tape came, in the portfolio's time zone."""
        return self.received_at.astimezone(ZoneInfo(self.settings.portfolio.time_zone)).date()

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
    inputs: tuple[InputFacts, ...]
    tape: TapeFacts
    facts: JsonObject  # as the manifest tells them
    columns: frozenset[str]  # of the contract that were found
    last_date: date | None  # that the tape knows of itself
    file_names: Mapping[str, str]  # what people call each file that the quality checks name
    sealed: SealedRun | None = None  # this very question has been answered before
    answer: Outcome = "already_published"  # what `sealed` says then

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
    reconciliation: Reconciliation | None  # None: the tape has no ledger to reconcile
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
    delivered: tuple[Delivered, ...] = ()
