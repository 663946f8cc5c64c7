"""The ingestion phase: keep the bytes, read the tables, and know which run this is."""

from dataclasses import replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from settings.errors import DataRejectedError, UsageError
from warehouse.canonical import read_tape
from warehouse.engine import SQL_ROOT
from warehouse.identity import RunIdentity, sql_sha256
from warehouse.job import AsOfBasis, Ingested, Job
from warehouse.layout import preflight
from warehouse.run_folder import SealedRun, find_run, read_current, runs_of_inputs
from warehouse.source import StagedTape, input_bytes, stage_tape
from warehouse.tape import CONTRACT_VERSION


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
    preflight(job.layout, input_bytes(job.request.inputs))
    staged = stage_tape(job.request.inputs, job.layout, job.paths)
    basis: AsOfBasis = "last_ledger_date" if job.request.as_of is None else "declared"
    known = job.request.as_of or _known_as_of(job, staged)
    if known is not None and (sealed := find_run(job.layout, _identity(job, staged, known))):
        return _ingested(job, staged, sealed.manifest.identity, basis, sealed=sealed)
    with job.open_engine("ingestion", job.layout.raw) as db:
        tape = read_tape(db, staged.files, job.paths.tape, job.settings)
    identity = _identity(job, staged, known or tape.last_ledger_date)
    _refuse_wrong_day(job, identity)
    job.attempt.log.info("tape read", rows=dict(tape.rows), as_of=identity.as_of.isoformat())
    ingested = _ingested(job, staged, identity, basis)
    return replace(ingested, rows_read=tape.rows, last_ledger_date=tape.last_ledger_date)


def _ingested(
    job: Job,
    staged: StagedTape,
    identity: RunIdentity,
    basis: AsOfBasis,
    *,
    sealed: SealedRun | None = None,
) -> Ingested:
    job.attempt.identify(identity.run_id, identity.as_of)
    return Ingested(identity, basis, staged.kind, staged.inputs, {}, None, sealed)


def _identity(job: Job, staged: StagedTape, as_of: date) -> RunIdentity:
    return RunIdentity(
        environment=job.settings.environment,
        portfolio=job.settings.portfolio.name,
        as_of=as_of,
        input_sha256s=staged.input_sha256s,
        contract_version=str(CONTRACT_VERSION),
        sql_sha256=sql_sha256(SQL_ROOT),
        settings=job.settings.value_settings(),
        pii_key_id=job.settings.pii_key_id(),
    )


def _known_as_of(job: Job, staged: StagedTape) -> date | None:
    """Return the day that an earlier run read off these very bytes, None for new bytes."""
    for run in runs_of_inputs(job.layout, staged.input_sha256s):
        if run.manifest.ingestion.get("as_of_basis") == "last_ledger_date":
            return run.manifest.identity.as_of
    return None


def _refuse_wrong_day(job: Job, identity: RunIdentity) -> None:
    local_day = job.received_at.astimezone(ZoneInfo(job.settings.portfolio.time_zone)).date()
    if identity.as_of > local_day + timedelta(days=1):
        raise AsOfInFutureError(
            f"the tape is of {identity.as_of}, after the day it was received ({local_day})",
            fix="look for a wrong year in its newest dates, or declare the day with --as-of",
        )
    accepted = job.request.accepted
    if accepted and not identity.run_id.startswith(accepted.run):
        raise AnomalyNotThisRunError(
            f"this tape gives run {identity.run_id[:8]}, not {accepted.run}",
            fix="name the run that the refusal named, with the same input and settings",
        )
    served = read_current(job.layout)
    if (
        not job.request.is_backfill
        and served is not None
        and served.manifest.identity.book == identity.book
        and identity.as_of < served.manifest.identity.as_of
    ):
        raise AsOfRegressionError(
            f"the tape is of {identity.as_of}, older than the published "
            f"{served.manifest.identity.as_of}",
            fix="add --backfill to store it without serving it",
        )
