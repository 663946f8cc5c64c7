"""Gather what the compliance report of a month tells: one document, drawn and written as JSON."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from settings.errors import TapewatchError
from settings.kpis import kpis_by_name
from settings.model import Settings
from settings.register import list_credentials
from settings.version import code_version
from warehouse.attempt_state import AttemptRecord, list_attempts
from warehouse.audit import AUDIT_STORE
from warehouse.compliance.access import Access, list_access
from warehouse.compliance.changed import Change, list_changes
from warehouse.compliance.month import Month
from warehouse.compliance.told import Told, count_told
from warehouse.kpis import KpiValue
from warehouse.layout import Layout
from warehouse.outbox import Outbox
from warehouse.retention.log import log_problems, removed_manifests
from warehouse.run_folder import SealedRun, list_runs, run_folders
from warehouse.sealed_kpis import beyond_lines, read_kpis
from warehouse.verification import KINDS, read_verification, verification_file
from warehouse.verify import broken_link
from warehouse.withdrawn import is_withdrawn


@dataclass(frozen=True)
class RunLine:
    """One run that was sealed in the month."""

    run: str
    as_of: str
    sealed_at: datetime
    code: str
    data_quality: str | None
    rows_set_apart: int | None
    checks_with_rows: Mapping[str, int]
    reconciled: str
    chain: str
    is_chain_sound: bool
    is_in_audit_store: bool
    is_withdrawn: bool


@dataclass(frozen=True)
class Failure:
    """One attempt that did not end well."""

    at: datetime
    attempt: str
    status: str
    code: str
    message: str


@dataclass(frozen=True)
class Breach:
    """One KPI of one run beyond a line, or unknown."""

    as_of: str
    run: str
    kpi: str
    value: str
    status: str
    lines: str


@dataclass(frozen=True)
class Rotation:
    """One credential: how old it is, and how long it lasts; never a value."""

    name: str
    age_days: int | None
    ends_on: str | None
    days_left: int | None
    status: str


@dataclass(frozen=True)
class Proof:
    """When all of a kind was last verified, and what was found."""

    kind: str
    verified_at: datetime | None
    problems: Mapping[str, int]


@dataclass(frozen=True)
class ComplianceFacts:
    """All that the report tells."""

    environment: str
    portfolio: str
    month: Month
    is_over: bool
    made_at: datetime
    made_by: str
    code: str
    attempts: Mapping[str, int]
    longest_run_seconds: float | None
    runs: tuple[RunLine, ...]
    unreadable: tuple[str, ...]  # run folders of any book: whose they are cannot be read, either
    failures: tuple[Failure, ...]
    breaches: tuple[Breach, ...]
    told: tuple[Told, ...]
    access: tuple[Access, ...]
    changes: tuple[Change, ...]
    rotations: tuple[Rotation, ...]
    proofs: tuple[Proof, ...]
    record_problems: tuple[str, ...]  # of the record of removals


def collect_compliance(
    layout: Layout, settings: Settings, month: Month, now: datetime, by: str
) -> ComplianceFacts:
    """Return what the month's report tells of the settings' book.

    Raises:
        StorageError: A file cannot be read.
        DamagedVerificationError: A verdict cannot be read.
    """
    book = (settings.environment, settings.portfolio.name)
    readable = list_runs(layout)
    all_runs = [run for run in readable if run.manifest.identity.book == book]
    runs = [run for run in all_runs if month.holds(run.manifest.created_at)]
    attempts = [a for a in list_attempts(layout) if _is_of(a, book, month)]
    return ComplianceFacts(
        environment=settings.environment,
        portfolio=settings.portfolio.name,
        month=month,
        is_over=month.end <= now,
        made_at=now,
        made_by=by,
        code=code_version(),
        attempts=Counter(a.outcome or a.status for a in attempts),
        longest_run_seconds=max(map(_seconds, filter(_is_good, attempts)), default=None),
        runs=tuple(_run_lines(layout, settings, runs)),
        unreadable=_unreadable(layout, readable),
        failures=tuple(_failures(attempts)),
        breaches=tuple(breach for run in runs for breach in _breaches(run)),
        told=count_told(layout, settings.environment, runs, attempts),
        access=list_access(layout, settings, runs, month.holds),
        changes=list_changes(all_runs, month.holds),
        rotations=_rotations(settings, now),
        proofs=tuple(_proofs(layout, settings.environment)),
        record_problems=tuple(log_problems(layout.data)),
    )


def _is_of(attempt: AttemptRecord, book: tuple[str, str], month: Month) -> bool:
    is_ours = (attempt.environment, attempt.portfolio) == book
    return is_ours and month.holds(datetime.fromisoformat(attempt.started_at))


def _is_good(attempt: AttemptRecord) -> bool:
    return attempt.status == "success" and attempt.ended_at is not None


def _seconds(attempt: AttemptRecord) -> float:
    ended = datetime.fromisoformat(attempt.ended_at or attempt.started_at)
    return (ended - datetime.fromisoformat(attempt.started_at)).total_seconds()


def _run_lines(layout: Layout, settings: Settings, runs: Sequence[SealedRun]) -> Iterator[RunLine]:
    receipts = Outbox(layout, AUDIT_STORE, settings.environment).receipts()
    for run in runs:
        quality = run.manifest.quality
        checks = cast("Mapping[str, int]", quality.get("checks") or {})
        apart = cast("Mapping[str, int]", quality.get("quarantine") or {})
        scores = [value for value in read_kpis(run) if value.name == "data_quality_score"]
        chain, is_sound = _chain(layout, run)
        yield RunLine(
            run=run.name,
            as_of=run.manifest.identity.as_of.isoformat(),
            sealed_at=run.manifest.created_at,
            code=run.manifest.code,
            data_quality=_shown(scores[0]) if scores else None,
            rows_set_apart=apart.get("bad_rows"),
            checks_with_rows={name: rows for name, rows in checks.items() if rows},
            reconciled=_reconciled(cast("Mapping[str, int] | None", quality.get("reconciliation"))),
            chain=chain,
            is_chain_sound=is_sound,
            is_in_audit_store=run.name in receipts,
            is_withdrawn=is_withdrawn(layout, run.name),
        )


def _unreadable(layout: Layout, readable: Sequence[SealedRun]) -> tuple[str, ...]:
    known = {run.name for run in readable}
    return tuple(folder.name for folder in run_folders(layout) if folder.name not in known)


def _chain(layout: Layout, run: SealedRun) -> tuple[str, bool]:
    before = run.manifest.previous_run
    if before is None:
        return "the first of its book", True
    if problems := broken_link(run.folder, run.manifest):
        return problems[0][1], False
    if (layout.runs / before).is_dir():
        return "holds", True
    if any(removed_manifests(layout.data, before)):
        return "holds by the record of what was removed", True
    return f"{before} is not here", False


def _reconciled(told: Mapping[str, int] | None) -> str:
    return "no ledger" if told is None else f"{told['matched']:,} of {told['compared']:,}"


def _failures(attempts: Sequence[AttemptRecord]) -> Iterator[Failure]:
    for attempt in attempts:
        if attempt.error is not None:
            error = attempt.error
            at = datetime.fromisoformat(attempt.ended_at or attempt.started_at)
            yield Failure(at, attempt.attempt_id, attempt.status, error.code, error.message)


def _breaches(run: SealedRun) -> Iterator[Breach]:
    for kpi, value in beyond_lines(run):
        told = value.reason or kpi.format(value.value)
        as_of = value.as_of.isoformat()
        yield Breach(as_of, run.name, kpi.title, told, value.status, kpi.threshold_line())


def _shown(value: KpiValue) -> str:
    known = kpis_by_name().get(value.name)
    return str(value.value) if known is None else known.format(value.value)


def _rotations(settings: Settings, now: datetime) -> tuple[Rotation, ...]:
    lines = settings.operations.credential_days
    return tuple(
        Rotation(
            one.name,
            one.age_days(now),
            None if one.expires_at is None else one.expires_at.date().isoformat(),
            one.days_left(now),
            one.status(now, lines),
        )
        for one in list_credentials(settings)
    )


def _proofs(layout: Layout, environment: str) -> Iterator[Proof]:
    for kind in KINDS:
        path = verification_file(layout, environment, kind)
        if not path.exists():
            yield Proof(kind, None, {})
            continue
        try:
            told = read_verification(path)
        except TapewatchError as error:
            yield Proof(kind, None, {error.message: 1})
            continue
        yield Proof(kind, told.verified_at, told.problems)
