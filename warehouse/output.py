"""The output phase: seal the run folder by one rename, then serve it."""

from collections.abc import Mapping
from datetime import timedelta

from warehouse.audit import AUDIT_STORE, write_audit
from warehouse.job import Calculated, Ingested, Job, Outcome, RunOutcome
from warehouse.json_text import JsonObject
from warehouse.layout import Layout
from warehouse.manifest import HashMismatchError, Manifest
from warehouse.message_box import MessageBox, channel_name
from warehouse.message_changes import change_facts
from warehouse.message_facts import News
from warehouse.message_rules import EXECUTIVE, decide_messages
from warehouse.messages import SealedMessages, message_id, write_messages
from warehouse.near_runs import near_past, near_runs
from warehouse.outbox import Outbox, link_facts
from warehouse.run_folder import (
    SealedRun,
    compared_run,
    find_run,
    previous_run,
    publish,
    read_current,
    seal,
    superseded_runs,
    withdrawn_runs,
    would_serve,
)
from warehouse.sealed_kpis import kpi_document
from warehouse.tracing import step, tell

_WEEK_DAYS = 7


def publish_run(job: Job, calculated: Calculated) -> RunOutcome:
    """Commit the run and point `current` at it, unless `current` is of a later day.

    Raises:
        StorageError: The disk refused; nothing is published.
    """
    identity = calculated.transformed.ingested.identity
    previous = previous_run(job.layout, identity)
    sealed = find_run(job.layout, identity)  # an earlier try of this phase may have sealed it
    if sealed is None:
        rows = {**calculated.transformed.rows, **calculated.rows}
        manifest = _manifest(job, calculated, previous)
        checks = calculated.transformed.checks
        write_audit(job.paths.run, manifest, calculated.kpis, checks, _ledger_seen(job))
        write_messages(job.paths.run, _messages(job, calculated, manifest, previous))
        sealed = _seal(job, manifest, rows)
    is_served = publish(job.layout, sealed)
    tell(is_served=is_served)
    job.attempt.log.info("run sealed", folder=sealed.name, is_served=is_served)
    return _outcome(job, sealed, "published" if is_served else "stored")


def _seal(job: Job, manifest: Manifest, rows: Mapping[str, int]) -> SealedRun:
    with step("seal", rows_out=sum(rows.values())):
        sealed = seal(job.layout, job.paths.run, manifest, rows)
        files = sealed.manifest.files.values()
        tell(files=len(files), bytes=sum(file.bytes for file in files))
    return sealed


def answer_again(job: Job, ingested: Ingested, sealed: SealedRun) -> RunOutcome:
    """Serve the run that answered this question before; heals a kill between seal and current."""
    publish(job.layout, sealed)
    job.attempt.log.info(ingested.answer.replace("_", " "), folder=sealed.name)
    return _outcome(job, sealed, ingested.answer)


def _outcome(job: Job, sealed: SealedRun, outcome: Outcome) -> RunOutcome:
    previous = compared_run(job.layout, sealed)
    record = job.attempt.record
    return RunOutcome(outcome, sealed, previous, record.attempt_id, job.attempt.folder)


def _messages(
    job: Job, calculated: Calculated, manifest: Manifest, previous: SealedRun | None
) -> SealedMessages:
    """Return what the run says; only one that will be served says anything."""
    run = SealedRun(job.layout.runs / manifest.identity.folder_name, manifest)
    if not would_serve(job.layout, run):
        return SealedMessages(manifest.identity.environment, manifest.created_at)
    near = near_runs(job.layout, manifest.identity, previous)
    return decide_messages(
        News(
            settings=job.settings,
            manifest=manifest,
            kpis=calculated.kpis,
            served=_served(job.layout, run),
            near=near,
            near_past=near_past(job.layout, run, near),
            log_folder=job.attempt.folder.name,
            ledger_seen=_ledger_seen(job),
            changes=change_facts(job.paths.run),
            lost_briefings=_lost_briefings(job.layout, manifest),
        )
    )


def _ledger_seen(job: Job) -> JsonObject | None:
    """Return the newest link of the audit store's chain that this machine has a receipt of."""
    outbox = Outbox(job.layout, AUDIT_STORE, job.settings.environment)
    return link_facts(outbox.newest_link())


def _lost_briefings(layout: Layout, manifest: Manifest) -> frozenset[str]:
    """Return the briefings that nobody will read, of runs superseded by this one or taken back."""
    identity = manifest.identity
    gone = withdrawn_runs(layout, identity.as_of - timedelta(days=_WEEK_DAYS))
    runs = (*superseded_runs(layout, identity), *gone)
    box = MessageBox(layout, channel_name(EXECUTIVE), identity.environment)
    ids = {message_id(run.manifest.run_id, "executive_briefing", "", EXECUTIVE) for run in runs}
    return frozenset(name for name in ids if not box.has_received(name))


def _served(layout: Layout, run: SealedRun) -> SealedRun | None:
    """Return the run that people were told of last; one of another book is none.

    After a rollback that is the run that was taken back: what it said has been read.
    """
    try:
        served = read_current(layout)
    except HashMismatchError:  # damaged: as if nobody had been told anything of it
        return None
    book = run.manifest.identity.book
    if served is None or served.manifest.identity.book != book:
        return None
    later = withdrawn_runs(layout, served.manifest.identity.as_of)
    told = [each for each in later if each.manifest.identity.book == book]
    return max([served, *told], key=lambda each: each.manifest.order)


def _manifest(job: Job, calculated: Calculated, previous: SealedRun | None) -> Manifest:
    transformed = calculated.transformed
    ingested = transformed.ingested
    superseded = superseded_runs(job.layout, ingested.identity)
    return Manifest(
        identity=ingested.identity,
        inputs=ingested.inputs,
        ingestion=ingested.facts,
        kpis=kpi_document(calculated.kpis, calculated.health),
        quality=transformed.quality,
        previous_run=previous and previous.name,
        prev_manifest_sha256=previous and previous.manifest_sha256(),
        supersedes=tuple(run.manifest.run_id for run in superseded),
        code=job.code,
        created_at=job.attempt.clock(),
    )
