"""Gather what the report tells of a sealed run; nothing here knows how it will look."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, cast

from settings.kpis import Kpi, kpis_by_name
from settings.model import Settings
from warehouse.anomaly import Anomaly, judge_run
from warehouse.audit import AUDIT_FILE, AUDIT_STORE
from warehouse.change import KpiChange
from warehouse.engine import open_engine, read_sql, view_parquet
from warehouse.kinds import TapeFacts, sql_folder
from warehouse.kpis import HealthComponent, KpiValue
from warehouse.layout import Layout
from warehouse.masking import mask_id
from warehouse.near_runs import DAYS_OFF, month_before
from warehouse.outbox import Outbox, Receipt
from warehouse.quality import Finding
from warehouse.run_folder import SealedRun
from warehouse.sealed_changes import read_changes
from warehouse.sealed_kpis import read_health, read_kpis
from warehouse.storage_errors import typed_storage
from warehouse.trend import Point, read_trend
from warehouse.verify import check_folder

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

TREND_MONTHS = 36
_DAILY_MONTHS = 3  # a shorter past is shown day by day
_EXAMPLES = 3  # of each check that found rows


@dataclass(frozen=True)
class Bucket:
    """The live principal of the days past due from `first_day` to `last_day`, both included."""

    first_day: int
    last_day: int | None
    live_principal: Decimal
    loans: int | None


@dataclass(frozen=True)
class FailedCheck:
    """A check that found bad rows, and the first of them, masked."""

    name: str
    level: str
    bad_rows: int
    examples: tuple[Finding, ...]


@dataclass(frozen=True)
class KpiFacts:
    """One KPI of the run: its value, its entry of the catalogue, its move, and its past."""

    value: KpiValue
    kpi: Kpi | None  # None: it has left the catalogue
    change: KpiChange
    trend: tuple[Point, ...]
    earlier: Mapping[str, Point]  # by "week", "month" and "year" before, where one is known
    anomaly: Anomaly | None
    is_definition_current: bool

    @property
    def title(self) -> str:
        """How it is called before people."""
        return self.value.name if self.kpi is None else self.kpi.title

    @property
    def is_headline(self) -> bool:
        """Whether it is one of those that everybody reads first."""
        return self.kpi is not None and self.kpi.is_headline


@dataclass(frozen=True)
class ReportFacts:
    """All that a report tells."""

    run: SealedRun
    manifest_sha256: str
    tape: TapeFacts
    kpis: tuple[KpiFacts, ...]
    health: tuple[HealthComponent, ...]
    buckets: tuple[Bucket, ...]
    written_off_after_days: int
    failed_checks: tuple[FailedCheck, ...]
    ledger_seen: tuple[int, str] | None  # the store's newest link when the run was sealed
    receipt: Receipt | None  # the run's own link, once it is known

    @property
    def headlines(self) -> tuple[KpiFacts, ...]:
        """The KPIs that everybody reads first."""
        return tuple(facts for facts in self.kpis if facts.is_headline)

    @property
    def others(self) -> tuple[KpiFacts, ...]:
        """All other KPIs."""
        return tuple(facts for facts in self.kpis if not facts.is_headline)

    def find(self, name: str) -> KpiFacts | None:
        """Return the KPI of this name, None in a run that is older than it."""
        return next((facts for facts in self.kpis if facts.value.name == name), None)


def collect_facts(run: SealedRun, layout: Layout, settings: Settings, spill: Path) -> ReportFacts:
    """Return what the report of a run tells; `spill` is a folder for the engine alone.

    Raises:
        StorageError: A file of the run cannot be read.
        HashMismatchError: The run is not what was sealed.
    """
    check_folder(run.folder)  # a page with its hash on it must not tell what was altered since
    tape = TapeFacts.from_json(run.manifest.ingestion)
    with open_engine(settings.engine, spill, (run.folder,)) as db:
        buckets = _buckets(db, run, tape)
        failed = _failed_checks(db, run, settings.pii_key_bytes())
    book = cast("Mapping[str, int]", run.manifest.identity.settings["book"])
    return ReportFacts(
        run=run,
        manifest_sha256=run.manifest_sha256(),
        tape=tape,
        kpis=_kpis(run, layout, settings),
        health=read_health(run),
        buckets=buckets,
        written_off_after_days=int(book["written_off_after_days"]),
        failed_checks=failed,
        ledger_seen=_ledger_seen(run),
        receipt=_receipt(run, layout),
    )


def _kpis(run: SealedRun, layout: Layout, settings: Settings) -> tuple[KpiFacts, ...]:
    identity, values = run.manifest.identity, read_kpis(run)
    catalogue = kpis_by_name()
    trend = read_trend(layout, run, catalogue)
    judged = judge_run(layout, run, settings.anomaly)
    moves = _moves(run, values)
    return tuple(
        KpiFacts(
            value=value,
            kpi=catalogue.get(value.name),
            change=moves[value.name],
            trend=shown_points(trend.get(value.name, ()), identity.as_of),
            earlier=earlier_points(trend.get(value.name, ()), identity.as_of),
            anomaly=judged.get(value.name),
            is_definition_current=_is_current(value, catalogue.get(value.name)),
        )
        for value in values
    )


def _moves(run: SealedRun, values: tuple[KpiValue, ...]) -> dict[str, KpiChange]:
    told = read_changes(run)
    if told is not None:
        return {change.kpi: change for change in told.kpis}
    reason = f"run {run.name} was sealed by {run.manifest.code}, which did not tell what changed"
    return {now.name: KpiChange(now.name, now.unit, now, None, None, (), reason) for now in values}


def shown_points(points: tuple[Point, ...], as_of: date) -> tuple[Point, ...]:
    """Return the points to show: the last of each of 36 months, each day of a shorter past."""
    first = as_of.replace(day=1)
    month = first.year * 12 + first.month - TREND_MONTHS
    recent = [p for p in points if _month(p.as_of) >= month and p.as_of <= as_of]
    last = {_month(point.as_of): point for point in recent}
    return tuple(recent if len(last) < _DAILY_MONTHS else last.values())


def earlier_points(points: tuple[Point, ...], as_of: date) -> dict[str, Point]:
    """Return the known points of a week, a month and a year before, or of the days just before."""
    days = {
        "week": as_of - timedelta(days=7),
        "month": month_before(as_of),
        "year": as_of - timedelta(days=365),
    }
    return {
        name: near[-1]
        for name, day in days.items()
        if (
            near := [
                p for p in points if p.value is not None and 0 <= (day - p.as_of).days <= DAYS_OFF
            ]
        )
    }


def _month(day: date) -> int:
    return day.year * 12 + day.month


def _is_current(value: KpiValue, kpi: Kpi | None) -> bool:
    if kpi is None:
        return False
    sql = read_sql(sql_folder(kpi, value.basis), kpi.name)
    return hashlib.sha256(sql.encode()).hexdigest() == value.definition_sha256


def _buckets(db: DuckDBPyConnection, run: SealedRun, tape: TapeFacts) -> tuple[Bucket, ...]:
    view_parquet(db, "book", run.folder / "book.parquet")
    given = {"has_loans": tape.kind.has_loans}
    return tuple(Bucket(*row) for row in db.execute(read_sql("report", "bucket"), given).fetchall())


def _failed_checks(db: DuckDBPyConnection, run: SealedRun, key: bytes) -> tuple[FailedCheck, ...]:
    for name in ("quality_result", "finding"):
        view_parquet(db, name, run.folder / f"{name}.parquet")
    failed = db.execute(
        "select check_name, level, bad_rows from quality_result where not is_passed"
    ).fetchall()
    examples: dict[str, list[Finding]] = {name: [] for name, *_ in failed}
    rows = db.execute(read_sql("report", "example"), {"shown": _EXAMPLES}).fetchall()
    for check, file, row, loan, detail in rows:
        examples[check].append(Finding(file, row, mask_id(key, loan), detail))
    return tuple(
        FailedCheck(name, level, bad_rows, tuple(examples[name]))
        for name, level, bad_rows in failed
    )


def _ledger_seen(run: SealedRun) -> tuple[int, str] | None:
    path = run.folder / AUDIT_FILE
    if AUDIT_FILE not in run.manifest.files:
        return None
    with typed_storage(path):
        told = json.loads(path.read_bytes())["run"]
    seq, link = told["ledger_seen_seq"], told["ledger_seen_hash"]
    return None if seq is None else (int(seq), str(link))


def _receipt(run: SealedRun, layout: Layout) -> Receipt | None:
    outbox = Outbox(layout, AUDIT_STORE, run.manifest.identity.environment)
    return outbox.receipts().get(run.name)
