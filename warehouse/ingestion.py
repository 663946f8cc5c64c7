"""The ingestion phase: keep the bytes, read the tables, and know which run this is."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

from settings.errors import DataRejectedError, UsageError
from warehouse.canonical import read_tape
from warehouse.engine import SQL_ROOT
from warehouse.identity import RunIdentity, sql_sha256
from warehouse.job import AsOfBasis, Ingested, Job
from warehouse.layout import preflight
from warehouse.run_folder import SealedRun, find_run, runs_of_inputs, served_date
from warehouse.source import hash_inputs, input_sizes, stage_tape
from warehouse.tape import CONTRACT_VERSION

_NAMED_BY = 8  # first characters of a run's id: as many as its folder and a refusal tell


class AsOfInFutureError(DataRejectedError):
    """The tape claims a day that has not come."""

    code = "AS_OF_IN_FUTURE"


class AsOfRegressionError(DataRejectedError):
    """The tape is older than the one that is published."""

    code = "AS_OF_REGRESSION"


class AnomalyNotThisRunError(UsageError):
    """--accept-anomaly names another run than the one this tape gives."""

    code = "ANOMALY_NOT_THIS_RUN"


def ingest(job: Job) -> Ingested:
    """Take the input in, read it, and find out whether its question has been answered before.

    Raises:
        TapewatchError: The input cannot be taken; the subclasses in `source`, `csv_text` and
            `canonical` say why.
        AsOfInFutureError: It is of a day after it was received.
        AsOfRegressionError: It is older than the published tape and this is no backfill.
    """
    if sealed := _answered_before(job):
        identity = sealed.manifest.identity
        job.attempt.identify(identity.run_id, identity.as_of)
        return Ingested(identity, _basis(job), "", sealed.manifest.inputs, {}, None, sealed)
    preflight(job.layout, sum(input_sizes(job.request.inputs)))
    staged = stage_tape(job.request.inputs, job.layout, job.paths)
    with job.open_engine("ingestion", job.layout.raw) as db:
        tape = read_tape(db, staged.files, job.paths.tape, job.settings)
    identity = _identity(job, staged.input_sha256s, job.request.as_of or tape.last_ledger_date)
    job.attempt.identify(identity.run_id, identity.as_of)
    _refuse_wrong_day(job, identity)
    job.attempt.log.info("tape read", rows=dict(tape.rows), as_of=identity.as_of.isoformat())
    return Ingested(
        identity,
        _basis(job),
        staged.kind,
        staged.inputs,
        tape.rows,
        tape.last_ledger_date,
        find_run(job.layout, identity),  # the day may have been declared then and read off now
    )


def _basis(job: Job) -> AsOfBasis:
    return "last_ledger_date" if job.request.as_of is None else "declared"


def _answered_before(job: Job) -> SealedRun | None:
    """Return the sealed run of this very question, without copying or reading the tape."""
    hashes: tuple[str, ...] | None = None
    for run in runs_of_inputs(job.layout, input_sizes(job.request.inputs)):
        hashes = hashes or hash_inputs(job.request.inputs)
        identity = run.manifest.identity
        is_same_day = (
            job.request.as_of == identity.as_of
            if job.request.as_of
            else run.manifest.ingestion.get("as_of_basis") == "last_ledger_date"
        )
        if is_same_day and identity.input_sha256s == hashes:
            found = find_run(job.layout, _identity(job, hashes, identity.as_of))
            if found is not None:
                return found
    return None


def _identity(job: Job, input_sha256s: tuple[str, ...], as_of: date) -> RunIdentity:
    return RunIdentity(
        environment=job.settings.environment,
        portfolio=job.settings.portfolio.name,
        as_of=as_of,
        input_sha256s=input_sha256s,
        contract_version=str(CONTRACT_VERSION),
        sql_sha256=sql_sha256(SQL_ROOT),
        settings=job.settings.value_settings(),
        pii_key_id=job.settings.pii_key_id(),
    )


def _is_named(identity: RunIdentity, run: str) -> bool:
    return len(run) >= _NAMED_BY and identity.run_id.startswith(run)


def _refuse_wrong_day(job: Job, identity: RunIdentity) -> None:
    local_day = job.received_at.astimezone(ZoneInfo(job.settings.portfolio.time_zone)).date()
    if identity.as_of > local_day + timedelta(days=1):
        raise AsOfInFutureError(
            f"the tape is of {identity.as_of}, after the day it was received ({local_day})",
            fix="look for a wrong year in its newest dates, or declare the day with --as-of",
        )
    accepted = job.request.accepted
    if accepted and not _is_named(identity, accepted.run):
        raise AnomalyNotThisRunError(
            f"this tape gives run {identity.run_id[:8]}, not {accepted.run}",
            fix="name the run that the refusal named, with the same input and settings",
        )
    served = served_date(job.layout)
    if not job.request.is_backfill and served is not None and identity.as_of < served:
        raise AsOfRegressionError(
            f"the tape is of {identity.as_of}, older than the published {served}",
            fix="add --backfill to store it without serving it",
        )
