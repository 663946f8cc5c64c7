"""The ingestion phase: keep the bytes, read the tables, and know which run this is."""

import shutil
from datetime import date, timedelta
from pathlib import Path

from settings.errors import DataRejectedError, InternalError, UsageError
from settings.model import Settings
from settings.value_types import size_bytes
from warehouse.archive_rules import ArchiveLimits
from warehouse.attempt_folder import utc_text
from warehouse.canonical import CanonicalTape, Dates, read_tape
from warehouse.durable import make_folder
from warehouse.engine import SQL_ROOT
from warehouse.identity import RunIdentity, sql_sha256
from warehouse.job import AsOfBasis, Fetched, Ingested, Job, Outcome
from warehouse.json_text import JsonObject
from warehouse.kinds import TapeFacts, TapeKind
from warehouse.layout import preflight
from warehouse.run_folder import (
    SealedRun,
    find_run,
    runs_of_inputs,
    served_date,
)
from warehouse.source import StagedTape, hash_inputs, input_sizes, stage_tape
from warehouse.tape import CONTRACT_VERSION
from warehouse.tracing import step, tell

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
    preflight(job.layout, 0)
    fetched = _fetch(job)
    if answered := _answered_before(job, fetched):
        return answered
    size = sum(input_sizes(fetched.paths))
    preflight(job.layout, size)
    with step("keep", bytes=size):
        staged = stage_tape(fetched.paths, job.layout, job.paths, archive_limits(job.settings))
    _tell_unread(job, staged)
    with job.open_engine("ingestion", job.layout.raw) as db:
        dates = Dates(job.request.as_of, job.received_date)
        tape = read_tape(db, staged.kind, staged.files, job.paths.tape, job.settings, dates)
    identity = _identity(job, staged.input_sha256s, _day(job, tape))
    job.attempt.identify(identity.run_id, identity.as_of)
    _refuse_wrong_day(job, identity)
    job.attempt.log.info("tape read", rows=dict(tape.rows), as_of=identity.as_of.isoformat())
    tell(bytes=size, rows_out=sum(tape.rows.values()), tape_kind=staged.kind.name)
    facts = TapeFacts(staged.kind, staged.kind.offered(staged.columns))
    return Ingested(
        identity,
        staged.inputs,
        facts,
        {**_facts(job, fetched, staged, tape), **facts.to_json()},
        staged.columns,
        tape.last_date,
        {file.table.contract_name: file.table.file_name for file in staged.files.values()},
        find_run(job.layout, identity),  # the day may have been declared then and read off now
    )


def _fetch(job: Job) -> Fetched:
    with step("fetch"):
        fetched = job.fetch(_empty_folder(job.paths.tape / "fetched"), job.attempt.log)
        tell(origin=fetched.origin, files=len(fetched.paths))
    return fetched


def archive_limits(settings: Settings) -> ArchiveLimits:
    """Return how much one archive may hold."""
    chosen = settings.ingestion
    return ArchiveLimits(chosen.max_members, size_bytes(chosen.max_unpacked_size))


def _empty_folder(folder: Path) -> Path:
    if folder.exists():
        shutil.rmtree(folder)  # of an earlier try
    return make_folder(folder)


def _tell_unread(job: Job, staged: StagedTape) -> None:
    unread = {file.table.file_name: list(file.unread) for file in staged.files.values()}
    unread = {name: columns for name, columns in unread.items() if columns}
    if unread or staged.unread_tables:
        job.attempt.log.warning(
            "not read: outside the contract", columns=unread, tables=list(staged.unread_tables)
        )


def _facts(job: Job, fetched: Fetched, staged: StagedTape, tape: CanonicalTape) -> JsonObject:
    """Return what the manifest tells of the ingestion."""
    return {
        "attempt_id": job.attempt.record.attempt_id,
        "origin": fetched.origin,
        "source_kind": staged.container,
        "received_at": utc_text(job.received_at),
        "as_of_basis": _basis(job, staged.kind),
        "last_date": tape.last_date and tape.last_date.isoformat(),
        "row_counts": dict(tape.rows),
        "columns": {
            file.table.file_name: {"known": len(file.columns), "unread": list(file.unread)}
            for file in staged.files.values()
        },
        "unread_tables": list(staged.unread_tables),
        "is_backfill": job.request.is_backfill,
    }


def _basis(job: Job, kind: TapeKind) -> AsOfBasis:
    if job.request.as_of is not None:
        return "declared"
    return "last_ledger_date" if kind.has_ledger else "last_reporting_date"


def _day(job: Job, tape: CanonicalTape) -> date:
    day = job.request.as_of or tape.last_date
    if day is None:
        raise InternalError("the tape was read without a day", fix="report this line")
    return day


def _answered_before(job: Job, fetched: Fetched) -> Ingested | None:
    """Return the sealed run of this very question, without copying or reading the tape.

    Bytes that a run was made of are no news when a feed brings them again, whatever day it is by
    now: a stale export must not look fresh.
    """
    hashes: tuple[str, ...] | None = None
    for run in runs_of_inputs(job.layout, input_sizes(fetched.paths)):
        hashes = hashes or hash_inputs(fetched.paths)
        identity = run.manifest.identity
        if identity.input_sha256s != hashes:
            continue
        if fetched.is_feed and identity.book == (
            job.settings.environment,
            job.settings.portfolio.name,
        ):
            return _answered(job, find_run(job.layout, identity), "no_new_data")
        is_same_day = (
            job.request.as_of == identity.as_of
            if job.request.as_of
            else run.manifest.ingestion.get("as_of_basis") != "declared"
        )
        if is_same_day:
            found = find_run(job.layout, _identity(job, hashes, identity.as_of))
            if found is not None:
                return _answered(job, found, "already_published")
    return None


def _answered(job: Job, run: SealedRun | None, answer: Outcome) -> Ingested | None:
    if run is None:
        return None
    manifest = run.manifest
    job.attempt.identify(manifest.identity.run_id, manifest.identity.as_of)
    facts = TapeFacts.from_json(manifest.ingestion)
    return Ingested(
        manifest.identity, manifest.inputs, facts, {}, frozenset(), None, {}, run, answer
    )


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
    if identity.as_of > job.received_date + timedelta(days=1):
        raise AsOfInFutureError(
            f"the tape is of {identity.as_of}, after the day it was received ({job.received_date})",
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
