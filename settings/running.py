"""How a run goes and what goes on around it: whose book, engine, phases, retention, shadow."""

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal, cast
from zoneinfo import ZoneInfo

from pydantic import Field

from settings.value_types import (
    AtLeastOne,
    Count,
    Days,
    Factor,
    PortfolioName,
    Ratio,
    Seconds,
    Section,
    Size,
    TimeZone,
)


class PortfolioSettings(Section):
    """The book a run is about."""

    name: PortfolioName
    time_zone: TimeZone
    currency: Literal["USD"]

    def yesterday(self, now: datetime) -> date:
        """Return the last day that has ended in the portfolio's time zone."""
        return now.astimezone(ZoneInfo(self.time_zone)).date() - timedelta(days=1)


class EngineSettings(Section):
    """What DuckDB may use of the machine; none of it changes a value."""

    memory_limit: Size
    threads: AtLeastOne | None = None  # None: one a core
    max_temp_size: Size


class IngestionSettings(Section):
    """Where exports are dropped, and how much one archive may hold; none of it changes a value."""

    drop_folder: Path  # under `root_dir` unless absolute
    settle_seconds: Annotated[int, Field(ge=0, le=3_600)]
    max_members: AtLeastOne
    max_unpacked_size: Size


Phase = Literal["ingestion", "transformation", "calculation", "output"]


class PhaseSettings(Section):
    """How often a phase is tried again, and how long one try may take."""

    retries: Annotated[Count, Field(le=10)]
    retry_delay_seconds: Seconds  # before the first retry; it doubles with each
    timeout_seconds: Seconds


class PhasesSettings(Section):
    """One policy a phase."""

    ingestion: PhaseSettings
    transformation: PhaseSettings
    calculation: PhaseSettings
    output: PhaseSettings

    def policy(self, phase: Phase) -> PhaseSettings:
        """Return the policy of the phase with this name."""
        return cast("PhaseSettings", getattr(self, phase))


class RetentionSettings(Section):
    """How long each output is kept; `current` and the newest run of a month always are."""

    raw_days: Days
    runs_days: Days
    logs_days: Days
    quarantine_days: Days
    predecessors: Count  # runs before `current` that stay whatever their age


class ShadowSettings(Section):
    """How far a shadow run may differ from the one it runs beside; none of it changes a value."""

    kpi_tolerance_ratio: Ratio  # of the reference's value; 0: to the last digit
    row_tolerance_ratio: Ratio  # of the reference's rows of a table, and bad rows of a check
    slower_factor: Factor  # a phase that takes more than so many times as long is slower ...
    slower_seconds: Seconds  # ... when it takes so much longer as well: a second is noise
    hours: AtLeastOne  # of shadow runs before a cutover


class MaintenanceSettings(Section):
    """How maintenance gets along with runs and with itself."""

    lock_minutes: Annotated[int, Field(ge=0, le=1_440)]  # it waits for whoever is at work
    step_minutes: Annotated[int, Field(ge=1, le=1_440)]  # one step may take
