"""The transformation phase: quarantine, the book, and the quality gate."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import JsonValue

from settings.errors import DataRejectedError
from warehouse.book import book_parameters, build_book
from warehouse.engine import literal, one_row
from warehouse.gate import Quarantine, TooManyBadRowsError, quarantined_sample, sort_out
from warehouse.history import stored_runs, write_history
from warehouse.job import Ingested, Job, Transformed
from warehouse.json_text import JsonObject
from warehouse.kinds import AGGREGATE, LOAN_LIST, SNAPSHOTS, TapeFacts
from warehouse.quality import (
    CheckResult,
    Level,
    Reconciliation,
    check_names,
    completeness,
    reconcile,
    refuse_bad_tape,
    run_checks,
    write_quality,
)
from warehouse.restated import restated_facts, view_book_then, view_previous
from warehouse.run_folder import SealedRun, previous_run, superseded_runs
from warehouse.tape import FACILITY, TAPE_TABLES
from warehouse.tracing import step, tell
from warehouse.withdrawn import is_withdrawn

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SAME_UNIT = 0.05  # how far from 100 or 0.01 the median may lie


class VolumeAnomalyError(DataRejectedError):
    """The book shrank or grew more than a day can explain."""

    code = "VOLUME_ANOMALY"


class NothingToldError(DataRejectedError):
    """The tape begins after the day it was declared to be of."""

    code = "NOTHING_TOLD"


class UnitChangeError(DataRejectedError):
    """The loans have a hundred times the principal they had, or a hundredth."""

    code = "UNIT_CHANGE"


def transform(job: Job, ingested: Ingested) -> Transformed:
    """Write the usable tables and the book into the run, and let no bad tape pass.

    Raises:
        TooManyBadRowsError: The quarantine took more than the settings allow.
        QualityGateError: A blocking check found rows.
        VolumeAnomalyError: The live balance changed beyond the settings and nobody accepted it.
    """
    settings, run, kind = job.settings, job.paths.run, ingested.tape.kind
    compared = _compared_run(job, ingested)
    with job.open_engine("transformation", job.layout.runs) as db:
        quarantine = _sort_out(db, job, ingested)
        parameters = _parameters(job, ingested, compared)
        parameters["last_date"] = _last_told(db, ingested)
        rows = build_book(db, run, parameters, kind)
        if "earlier_book" in ingested.tape.offers:
            stored = stored_runs(job.layout, ingested.identity, ingested.tape)
            days = settings.windows.collection_days
            rows |= write_history(db, stored, run, parameters, days)
        view_previous(db, compared, tells_facility=kind is AGGREGATE)
        view_book_then(db, kind, parameters)
        names = _check_names(job, ingested)
        key = settings.pii_key_bytes()
        with step("checks"):
            checks = run_checks(db, parameters, key, names, ingested.file_names)
            tell(checks=len(checks), failed=[c.name for c in checks if not c.is_passed])
        reconciliation = reconcile(db, checks, parameters) if kind.has_ledger else None
        quality = _quality_facts(quarantine, checks, reconciliation, completeness(db, kind))
        quality |= _accepted(job)
        quality["kind_before"] = _kind_before(job, ingested)
        quality["restated"] = restated_facts(db, ingested.tape, compared, checks, settings)
        report = _report(ingested, quality, checks)
        job.attempt.write_validation_report(report)
        refuse_bad_tape(checks)
        try:
            _refuse_anomaly(db, job, ingested, compared)
        except DataRejectedError as error:
            job.attempt.write_validation_report({**report, **_refusal(ingested, error)})
            raise
        tables = {f"{name}.parquet": count for name, count in rows.items()}
        tables |= write_quality(db, checks, run) | _table_rows(db, run)
    _log(job, quality, rows["book"], reconciliation)
    read = sum(cast("Mapping[str, int]", ingested.facts["row_counts"]).values())
    tell(rows_in=read, rows_out=rows["book"], quarantined_rows=quarantine.bad_rows)
    return Transformed(ingested, quarantine, checks, reconciliation, quality, tables)


def _sort_out(db: DuckDBPyConnection, job: Job, ingested: Ingested) -> Quarantine:
    names = ingested.file_names
    try:
        return sort_out(db, job.paths.tape, job.paths.run, job.settings.quality, names)
    except TooManyBadRowsError as error:
        sample = quarantined_sample(db, names)
        job.attempt.write_validation_report(_refusal(ingested, error, sample))
        raise


def _last_told(db: DuckDBPyConnection, ingested: Ingested) -> date:
    """Return the last day up to the as-of day that the tape tells.

    Raises:
        NothingToldError: It tells none.
    """
    kind = ingested.tape.kind
    if kind not in (SNAPSHOTS, AGGREGATE):
        return ingested.last_date or ingested.as_of
    day = "as_of_date" if kind is SNAPSHOTS else "reporting_date"
    sql = f"select max({day}) from {kind.tables[0].canonical} where {day} <= $as_of"
    (last,) = one_row(db, sql, {"as_of": ingested.as_of})
    if last is None:
        raise NothingToldError(
            f"the tape tells nothing of {ingested.as_of} or before",
            fix="declare a later day with --as-of, or give the tape of that day",
        )
    return last


def _check_names(job: Job, ingested: Ingested) -> dict[Level, list[str]]:
    names = check_names(ingested.tape.kind, ingested.columns)
    if ingested.tape.kind is LOAN_LIST and not job.settings.quality.loan_tape_lists_closed_loans:
        names["blocking"].remove("lost_loans")
    return names


def _log(
    job: Job, quality: Mapping[str, Any], loans: int, reconciliation: Reconciliation | None
) -> None:
    reconciled = reconciliation and reconciliation.matched
    job.attempt.log.info("gate passed", reconciled=reconciled, loans=loans)
    if quality["restated"]:
        job.attempt.log.warning("the past was restated", **quality["restated"])


def _kind_before(job: Job, ingested: Ingested) -> str | None:
    """Return the kind of the run before when it is another: nothing can be compared with it."""
    before = previous_run(job.layout, ingested.identity)
    kind = before and TapeFacts.from_json(before.manifest.ingestion).kind
    if kind is None or kind is ingested.tape.kind:
        return None
    job.attempt.log.warning("another kind of tape than before", before=kind.name)
    return kind.title


def _compared_run(job: Job, ingested: Ingested) -> SealedRun | None:
    """Return the run this tape must not contradict: the day's last one, else an earlier day's.

    A run of another kind of tape says other things in other words: it is not compared with. One
    that was taken back was wrong: what it told, such as loans that never were, binds nobody.
    """

    def is_same_kind(run: SealedRun) -> bool:
        return TapeFacts.from_json(run.manifest.ingestion).kind is ingested.tape.kind

    earlier = superseded_runs(job.layout, ingested.identity)
    same_day = [r for r in earlier if is_same_kind(r) and not is_withdrawn(job.layout, r.name)]
    if same_day:
        return same_day[-1]
    return previous_run(job.layout, ingested.identity, is_same_kind)


def _parameters(job: Job, ingested: Ingested, compared: SealedRun | None) -> dict[str, Any]:
    quality = job.settings.quality
    return book_parameters(job.settings, ingested.as_of) | {
        "received_date": job.received_date,
        "previous_as_of": compared.manifest.identity.as_of if compared else None,
        "apr_max": quality.apr_max,
        "term_max_days": quality.term_max_days,
        "quiet_ledger_days": job.settings.windows.quiet_ledger_days,
    }


def _quality_facts(
    quarantine: Quarantine,
    checks: tuple[CheckResult, ...],
    reconciliation: Reconciliation | None,
    complete: Decimal | None,
) -> dict[str, Any]:
    return {
        "checks": {check.name: check.bad_rows for check in checks},
        "failed": [check.name for check in checks if not check.is_passed],
        "reconciliation": reconciliation
        and {"matched": reconciliation.matched, "compared": reconciliation.compared},
        "quarantine": quarantine.facts(),
        "duplicates_dropped": dict(quarantine.duplicates),
        "completeness": None if complete is None else str(complete),
    }


def _accepted(job: Job) -> dict[str, Any]:
    accepted = job.request.accepted
    if accepted is None:
        return {"accepted_anomaly": None}
    by = {} if accepted.by is None else {"by": accepted.by}
    return {"accepted_anomaly": {"run": accepted.run, "reason": accepted.reason, **by}}


def _report(
    ingested: Ingested, quality: Mapping[str, Any], checks: tuple[CheckResult, ...]
) -> JsonObject:
    """Return validation_report.json: the facts, and a sample of every failed check's rows."""
    blocked = any(check.level == "blocking" and not check.is_passed for check in checks)
    return {
        "status": "rejected" if blocked else "passed",
        "run_id": ingested.identity.run_id,
        "as_of": ingested.as_of.isoformat(),
        "as_of_basis": ingested.facts["as_of_basis"],
        "tape_kind": ingested.tape.kind.name,
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


def _table_rows(db: DuckDBPyConnection, run: Path) -> dict[str, int]:
    names = [table.canonical for table in (*TAPE_TABLES, FACILITY)]
    files = [f"{name}.parquet" for name in (*names, "quarantine")]
    return {
        name: one_row(db, f"select count(*) from read_parquet({literal(str(run / name))})", {})[0]
        for name in files
        if (run / name).is_file()
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
    _refuse_other_unit(db, compared)
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


def _refuse_other_unit(db: DuckDBPyConnection, compared: SealedRun) -> None:
    """Refuse a tape whose loans have a hundred times the principal they had, or a hundredth."""
    (ratio,) = one_row(
        db,
        "select median(cast(now.disbursed_principal as double) / before.disbursed_principal)"
        " from loan as now inner join previous_loan as before on now.loan_id = before.loan_id"
        " where before.disbursed_principal > 0",
        {},
    )
    if ratio is None or not (_is_about(ratio, 100) or _is_about(ratio, 0.01)):
        return
    raise UnitChangeError(
        f"half of the loans have {ratio:g} times the principal they had on "
        f"{compared.manifest.identity.as_of}: cents instead of dollars, or the other way round?",
        fix="export the amounts in the portfolio's currency, with a decimal point",
    )


def _is_about(ratio: float, unit: float) -> bool:
    return abs(ratio / unit - 1) < _SAME_UNIT
