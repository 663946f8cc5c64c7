"""What happened to an attempt, in facts: where it failed, which alerts stand, what is served."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, cast

from blocks.clients.receivers import receiver_names
from deployments.attempts import attempts_of
from prometheus.exporter import Exporter
from prometheus.levels import rule_levels
from prometheus.raised import Raised, raised_alerts
from settings.kpis import Kpi, Level
from settings.model import Settings
from settings.severity import gravest
from settings.thresholds import Status
from settings.version import code_version
from warehouse.attempt_folder import SUMMARY, ErrorFacts
from warehouse.attempt_messages import COMPLIANCE_CODES
from warehouse.attempt_state import AttemptRecord
from warehouse.freshness import judge_freshness
from warehouse.kpis import KpiValue
from warehouse.layout import Layout
from warehouse.lock import living_holder
from warehouse.manifest import HashMismatchError, load_manifest
from warehouse.run_folder import SealedRun, read_current
from warehouse.sealed_kpis import beyond_lines
from warehouse.withdrawn import is_withdrawn

Verdict = Literal["good", "breached", "failed", "stopped", "running", "died"]
_GOOD = {
    "published": "a new run is published",
    "stored": "a run is stored and not served, because a later day is",
    "already_published": "this tape had been answered already, and nothing changed",
    "no_new_data": "the export is the one that is served already, and nothing changed",
}
_ENDED_BADLY: Mapping[str, Verdict] = {"canceled": "stopped", "abandoned": "died"}


@dataclass(frozen=True)
class Served:
    """What readers see meanwhile, and how old it is."""

    run: str
    as_of: str
    hours: float  # since the end of its day
    status: Status
    code: str
    is_this: bool  # the attempt itself ended with it


@dataclass(frozen=True)
class Breach:
    """One KPI that is beyond a line, or unknown."""

    kpi: str
    title: str
    shown: str
    status: Status
    lines: str


@dataclass(frozen=True)
class Diagnosis:
    """All that is known of one attempt."""

    attempt: AttemptRecord
    phases: Mapping[str, Mapping[str, object]]
    verdict: Verdict
    phase: str | None  # where it failed, or is
    is_newest: bool
    alerts: tuple[Raised, ...]
    served: Served | None
    run: SealedRun | None  # its own, else the one that is served meanwhile
    breaches: tuple[Breach, ...]  # of that run
    folder: Path
    is_withdrawn: bool  # its run was taken back by a rollback
    code: str  # of Tapewatch now

    @property
    def level(self) -> Level | None:
        """The gravest level of what stands."""
        return gravest({one.level for one in self.alerts})

    @property
    def is_after_deployment(self) -> bool:
        """Whether the code has changed since the run that is served."""
        return self.served is not None and self.served.code != self.code

    @property
    def error(self) -> ErrorFacts | None:
        """Why it failed; of a process that died, that it did."""
        if self.attempt.error is None and self.verdict == "died":
            return ErrorFacts("ABANDONED", "its process is gone", "run the same command again", 70)
        return self.attempt.error

    @property
    def error_log(self) -> Path | None:
        """The failure of the phase with its evidence, where there is one."""
        found = sorted(self.folder.glob("*_error.log"))
        return found[-1] if found else None

    @property
    def log(self) -> Path:
        """The log of the attempt."""
        return self.folder / f"pipeline_{self.attempt.attempt_id}.log"


def diagnose(settings: Settings, attempt: AttemptRecord, now: datetime) -> Diagnosis:
    """Return what is known of an attempt; nothing is changed to find out.

    Alerts and breaches of the newest attempt of a portfolio are those that stand now; of an
    earlier one those that it raised itself.
    """
    layout = Layout.of(settings).of_book((attempt.environment, attempt.portfolio))
    folder = layout.log_runs / attempt.log_folder
    is_newest = attempts_of(settings, attempt.portfolio)[-1].attempt_id == attempt.attempt_id
    phases = _phases(folder)
    run = _own_run(layout, attempt)
    served = _served(layout, settings, attempt, now) if is_newest else None
    shown = run or (_current(layout) if is_newest else None)
    breaches = () if shown is None else breaches_of(shown)
    alerts = _standing(settings, attempt, now) if is_newest else _own_alerts(attempt)
    return Diagnosis(
        attempt=attempt,
        phases=phases,
        verdict=_verdict(layout, attempt, has_breach=bool(breaches)),
        phase=_phase(attempt, phases),
        is_newest=is_newest,
        alerts=alerts,
        served=served,
        run=shown,
        breaches=breaches,
        folder=folder,
        is_withdrawn=run is not None and is_withdrawn(layout, run.name),
        code=code_version(),
    )


def told_outcome(found: Diagnosis) -> str:
    """Return in one sentence how the attempt ended."""
    where = f" in {found.phase}" if found.phase else " before its first phase"
    match found.verdict:
        case "failed":
            return f"the run failed{where}: nothing new is published"
        case "died":
            return f"the run's process died{where}: nothing new is published"
        case "stopped":
            return f"the run was stopped{where}, as somebody asked: nothing new is published"
        case "running":
            return f"the run is at work{where}"
        case _:
            told = f"the run ended well: {_GOOD.get(found.attempt.outcome or '', 'done')}"
            told += "; it was taken back by a rollback since" if found.is_withdrawn else ""
            if found.breaches:
                return f"{told}, but the book is beyond its lines"
            return f"{told}, but alerts stand" if found.alerts else told


def served_of(settings: Settings, portfolio: str) -> SealedRun | None:
    """Return the run that a portfolio serves, None where there is none that can be read."""
    return _current(Layout.of(settings).of_book((settings.environment, portfolio)))


def standing_alerts(settings: Settings, now: datetime) -> list[Raised]:
    """Return every alert that stands in this environment."""
    exporter = Exporter(settings, lambda _line: None, receiver_names(settings))
    return raised_alerts(exporter, now.timestamp())


def _phases(folder: Path) -> Mapping[str, Mapping[str, object]]:
    """Return what the summary says of the phases; nothing when people removed or changed it."""
    try:
        phases: object = json.loads((folder / SUMMARY).read_bytes())["phases"]
    except (OSError, ValueError, LookupError, TypeError):
        return {}
    if not isinstance(phases, dict):
        return {}
    told = cast("dict[str, object]", phases)
    return {
        name: cast("Mapping[str, object]", phase)
        for name, phase in told.items()
        if isinstance(phase, dict)
    }


def _phase(attempt: AttemptRecord, phases: Mapping[str, Mapping[str, object]]) -> str | None:
    if attempt.status == "success":
        return None
    open_ = [name for name, phase in phases.items() if phase.get("status") != "success"]
    return next(reversed([*attempt.phase_seconds, *open_]), None)


def _own_run(layout: Layout, attempt: AttemptRecord) -> SealedRun | None:
    if attempt.status != "success" or attempt.run_folder is None:
        return None
    folder = layout.runs / attempt.run_name
    try:
        return SealedRun(folder, load_manifest(folder))
    except HashMismatchError:
        return None  # damaged, or kept no longer


def _current(layout: Layout) -> SealedRun | None:
    try:
        return read_current(layout)
    except HashMismatchError:
        return None  # an alert of its own: SourceUnreadable


def _served(
    layout: Layout, settings: Settings, attempt: AttemptRecord, now: datetime
) -> Served | None:
    run = _current(layout)
    if run is None:
        return None
    identity = run.manifest.identity
    old = judge_freshness(identity.as_of, settings, now)
    is_this = attempt.status == "success" and attempt.run_name == run.name
    as_of, code = identity.as_of.isoformat(), run.manifest.code
    return Served(run.name, as_of, old.hours, old.status, code, is_this)


def breaches_of(run: SealedRun) -> tuple[Breach, ...]:
    """Return the KPIs of a run that are beyond a line, or unknown."""
    return tuple(
        Breach(kpi.name, kpi.title, _shown(kpi, value), value.status, kpi.threshold_line())
        for kpi, value in beyond_lines(run)
    )


def _shown(kpi: Kpi, value: KpiValue) -> str:
    return f"unknown: {value.reason}" if value.value is None else kpi.format(value.value)


def _standing(settings: Settings, attempt: AttemptRecord, now: datetime) -> tuple[Raised, ...]:
    """Return what stands and is about this portfolio, or about no portfolio at all."""
    found = standing_alerts(settings, now)
    return tuple(one for one in found if one.portfolio in (None, attempt.portfolio))


def _own_alerts(attempt: AttemptRecord) -> tuple[Raised, ...]:
    if attempt.status not in ("failed", "abandoned") or attempt.error is None:
        return ()
    about = {"RunFailed": attempt.status}
    if attempt.error.code in COMPLIANCE_CODES:
        about["ComplianceViolation"] = attempt.error.code
    return tuple(
        Raised(name, "critical", rule_levels()[name, "critical"], attempt.portfolio, what)
        for name, what in about.items()
    )


def _verdict(layout: Layout, attempt: AttemptRecord, *, has_breach: bool) -> Verdict:
    if attempt.status == "success":
        return "breached" if has_breach else "good"
    if attempt.status == "running":
        holder = living_holder(layout.lock)
        is_alive = holder is not None and holder.attempt_id == attempt.attempt_id
        return "running" if is_alive else "died"
    return _ENDED_BADLY.get(attempt.status, "failed")
