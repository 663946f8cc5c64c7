"""The transformation phase: quarantine, the book, and the quality gate."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from pydantic import JsonValue

from settings.errors import DataRejectedError
from warehouse.book import book_parameters, build_book
from warehouse.engine import literal, one_row
from warehouse.gate import Quarantine, TooManyBadRowsError, quarantined_sample, sort_out
from warehouse.job import Ingested, Job, Transformed
from warehouse.json_text import JsonObject
from warehouse.quality import (
    CheckResult,
    Reconciliation,
    completeness,
    reconcile,
    refuse_bad_tape,
    run_checks,
    write_quality,
)
from warehouse.run_folder import SealedRun, previous_run, superseded_runs
from warehouse.tape import TAPE_TABLES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class VolumeAnomalyError(DataRejectedError):
    """The book shrank or grew more than a day can explain."""

    code = "VOLUME_ANOMALY"


def transform(job: Job, ingested: Ingested) -> Transformed:
    """Write the usable tables and the book into the run, and let no bad tape pass.

    Raises:
        TooManyBadRowsError: The quarantine took more than the settings allow.
        QualityGateError: A blocking check found rows.
        VolumeAnomalyError: The live balance changed beyond the settings and nobody accepted it.
    """
    settings, run = job.settings, job.paths.run
    compared = _compared_run(job, ingested)
    with job.open_engine("transformation", job.layout.runs) as db:
        try:
            quarantine = sort_out(db, job.paths.tape, run, settings.quality)
        except TooManyBadRowsError as error:
            job.attempt.write_validation_report(_refusal(ingested, error, quarantined_sample(db)))
            raise
        parameters = _parameters(job, ingested, compared)
        book = build_book(db, run, parameters)
        _view_previous(db, compared)
        checks = run_checks(db, parameters, settings.pii_key_bytes())
        reconciliation = reconcile(db, checks, parameters)
        quality = _quality_facts(quarantine, checks, reconciliation, completeness(db))
        quality |= _accepted(job)
        report = _report(job, ingested, quality, checks)
        job.attempt.write_validation_report(report)
        refuse_bad_tape(checks)
        try:
            _refuse_anomaly(db, job, ingested, compared)
        except VolumeAnomalyError as error:
            job.attempt.write_validation_report({**report, **_refusal(ingested, error)})
            raise
        rows = write_quality(db, checks, run) | _table_rows(db, quarantine)
    job.attempt.log.info("gate passed", reconciled=reconciliation.matched, loans=book.book)
    rows |= {"book_history.parquet": book.book_history, "book.parquet": book.book}
    return Transformed(ingested, quarantine, checks, reconciliation, quality, rows)


def _compared_run(job: Job, ingested: Ingested) -> SealedRun | None:
    """Return the run this tape must not contradict: the day's last one, else an earlier day's."""
    same_day = superseded_runs(job.layout, ingested.identity)
    return same_day[-1] if same_day else previous_run(job.layout, ingested.identity)


def _parameters(job: Job, ingested: Ingested, compared: SealedRun | None) -> dict[str, Any]:
    quality = job.settings.quality
    zone = ZoneInfo(job.settings.portfolio.time_zone)
    return book_parameters(job.settings, ingested.as_of) | {
        "received_date": job.received_at.astimezone(zone).date(),
        "previous_as_of": compared.manifest.identity.as_of if compared else None,
        "apr_max": quality.apr_max,
        "term_max_days": quality.term_max_days,
        "quiet_ledger_days": job.settings.windows.quiet_ledger_days,
    }


def _view_previous(db: DuckDBPyConnection, compared: SealedRun | None) -> None:
    """Offer the compared run's loans and book; no rows when there is none."""
    columns = {
        "previous_loan": "loan_id, disburse_date, disbursed_principal",
        "previous_book": "loan_id, residual_principal, cash_paid, oldest_due_date, live_principal",
    }
    for name, chosen in columns.items():
        table = name.removeprefix("previous_")
        source = f"{table} where false"
        if compared is not None:
            path = compared.folder / f"{table}.parquet"
            source = f"read_parquet({literal(str(path))})"
        db.execute(f"create or replace view {name} as select {chosen} from {source}")


def _quality_facts(
    quarantine: Quarantine,
    checks: tuple[CheckResult, ...],
    reconciliation: Reconciliation,
    complete: Decimal | None,
) -> dict[str, Any]:
    return {
        "checks": {check.name: check.bad_rows for check in checks},
        "failed": [check.name for check in checks if not check.is_passed],
        "reconciliation": {
            "matched": reconciliation.matched,
            "compared": reconciliation.compared,
        },
        "quarantine": {
            "loans": quarantine.loans,
            "bad_rows": quarantine.bad_rows,
            "rows": quarantine.rows,
            "row_ratio": str(quarantine.row_ratio),
            "balance_ratio": str(quarantine.balance_ratio),
            "reasons": dict(quarantine.reasons),
        },
        "duplicates_dropped": dict(quarantine.duplicates),
        "completeness": None if complete is None else str(complete),
    }


def _accepted(job: Job) -> dict[str, Any]:
    accepted = job.request.accepted
    return {
        "accepted_anomaly": accepted and {"run": accepted.run, "reason": accepted.reason},
    }


def _report(
    job: Job, ingested: Ingested, quality: Mapping[str, Any], checks: tuple[CheckResult, ...]
) -> JsonObject:
    """Return validation_report.json: the facts, and a sample of every failed check's rows."""
    blocked = any(check.level == "blocking" and not check.is_passed for check in checks)
    return {
        "status": "rejected" if blocked else "passed",
        "run_id": ingested.identity.run_id,
        "as_of": ingested.as_of.isoformat(),
        "as_of_basis": ingested.as_of_basis,
        **quality,
        "checks": [
            {
                "name": check.name,
                "level": check.level,
                "is_passed": check.is_passed,
                "bad_rows": check.bad_rows,
                "sample": [vars(finding) for finding in check.sample],
            }
            for check in checks
        ],
    }


def _refusal(
    ingested: Ingested, error: DataRejectedError, sample: list[JsonValue] | None = None
) -> JsonObject:
    """Return what validation_report.json says of a tape that the checks alone did not stop."""
    return {
        "status": "rejected",
        "run_id": ingested.identity.run_id,
        "as_of": ingested.as_of.isoformat(),
        "code": error.code,
        "message": error.message,
        "sample": sample or [],
    }


def _table_rows(db: DuckDBPyConnection, quarantine: Quarantine) -> dict[str, int]:
    names = [table.canonical for table in TAPE_TABLES]
    names += ["quarantine"] if quarantine.loans else []
    return {
        f"{name}.parquet": one_row(db, f'select count(*) from "{name}"', {})[0] for name in names
    }


def _refuse_anomaly(
    db: DuckDBPyConnection, job: Job, ingested: Ingested, compared: SealedRun | None
) -> None:
    if compared is None or job.request.accepted is not None:
        return
    before, after = one_row(
        db,
        "select (select sum(live_principal) from previous_book), sum(live_principal) from book",
        {},
    )
    quality = job.settings.quality
    if not before or after is None:
        return
    if (
        (1 - quality.max_balance_fall_ratio) * before
        <= after
        <= (quality.max_balance_rise_factor * before)
    ):
        return
    run = ingested.identity.run_id[:8]
    raise VolumeAnomalyError(
        f"the live balance went from {before:,} ({compared.manifest.identity.as_of}) "
        f"to {after:,} ({ingested.as_of})",
        fix=f'compare both tapes; if it is right, add --accept-anomaly {run} --reason "why"',
        evidence={"run": run, "before": str(before), "after": str(after)},
    )
