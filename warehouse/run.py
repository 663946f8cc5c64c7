"""Compose the four phases of a run, once, for the command line and for the flow."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol, TypeVar, cast

from pydantic import JsonValue

from settings.errors import StorageError, TapewatchError
from settings.model import Settings
from settings.running import Phase
from warehouse.attempt_state import recover
from warehouse.attempts import open_attempt
from warehouse.audit import AUDIT_STORE
from warehouse.calculation import calculate
from warehouse.delivery import Deliver, facts_by_receiver
from warehouse.ingestion import ingest
from warehouse.job import Fetch, Fetched, Job, RunOutcome, RunRequest
from warehouse.json_text import JsonObject
from warehouse.layout import Layout, clear_staging, open_staging
from warehouse.lock import hold_lock
from warehouse.outbox import Outbox, link_facts
from warehouse.output import answer_again, publish_run
from warehouse.sealed_kpis import read_kpis
from warehouse.tracing import step as traced_step
from warehouse.tracing import tell
from warehouse.transformation import transform

T = TypeVar("T")


class RunPhase(Protocol):
    """Run one phase, with whatever retries and reporting the caller wants around it."""

    def __call__(self, name: Phase, step: Callable[[], T], /) -> T:
        """Return what `step` returns; `step` may be called again after an error that can heal."""
        ...


@dataclass(frozen=True)
class Start:
    """What only the process edge knows: the attempt's id, the time, and the code's version."""

    attempt_id: str
    now: datetime
    code: str


def given_files(inputs: tuple[Path, ...]) -> Fetch:
    """Return the source of files that the caller named."""
    return lambda _folder, _log: Fetched(inputs, "file")


@traced_step("run")
def run_daily(
    request: RunRequest,
    settings: Settings,
    start: Start,
    run_phase: RunPhase,
    fetch: Fetch | None = None,
    deliver: Deliver | None = None,
) -> RunOutcome:
    """Take one tape from its bytes to a served run folder, or leave everything as it was.

    `fetch` brings the export here; without it the request's inputs are taken. `deliver` tells
    the receivers after the commit, or of the failure; without it both wait to be told.

    Raises:
        TapewatchError: What stopped it, with the next step; the attempt's log folder tells more.
    """
    environment, portfolio = settings.environment, settings.portfolio.name
    tell(attempt_id=start.attempt_id, environment=environment, portfolio=portfolio)
    layout = Layout.of(settings)
    layout.make()
    with hold_lock(layout.lock, start.attempt_id, start.now) as lock:
        recover(layout, lock, start.now)
        with open_attempt(layout, start.attempt_id, environment, portfolio, start.now) as attempt:
            paths = open_staging(layout, start.attempt_id)
            source = fetch or given_files(request.inputs)
            job = Job(request, source, settings, layout, paths, attempt, start.now, start.code)
            try:
                outcome = _run_phases(job, run_phase)
            except BaseException as error:
                with suppress(StorageError):  # the next start wipes it; the first error matters
                    clear_staging(paths)
                attempt.fail(error)
                if deliver is not None and isinstance(error, Exception):  # not when told to stop
                    with suppress(TapewatchError):
                        deliver(layout, attempt.log)
                raise
            finally:
                tell(run_id=attempt.record.run_id, as_of=attempt.record.as_of)
            with suppress(StorageError):  # the run is served, and the next start wipes it
                clear_staging(paths)
            attempt.succeed(outcome.outcome, outcome.sealed.folder, _kpi_summary(outcome))
            tell(outcome=outcome.outcome, run_folder=outcome.sealed.name)
            return _tell(outcome, job, deliver)  # nothing that happens there undoes the end


def _run_phases(job: Job, run_phase: RunPhase) -> RunOutcome:
    def phase(name: Phase, step: Callable[[], T]) -> T:
        def timed() -> T:
            with job.attempt.phase(name):
                return step()

        return run_phase(name, timed)

    ingested = phase("ingestion", lambda: ingest(job))
    if ingested.sealed is not None:
        return answer_again(job, ingested, ingested.sealed)
    transformed = phase("transformation", lambda: transform(job, ingested))
    calculated = phase("calculation", lambda: calculate(job, transformed))
    return phase("output", lambda: publish_run(job, calculated))


def _tell(outcome: RunOutcome, job: Job, deliver: Deliver | None) -> RunOutcome:
    """Tell the receivers, and in the summary how that went and what anchors the run outside."""
    delivered = () if deliver is None else tuple(deliver(job.layout, job.attempt.log))
    newest = link_facts(Outbox(job.layout, AUDIT_STORE, job.settings.environment).newest_link())
    with suppress(StorageError):
        anchor = {"manifest_sha256": outcome.sealed.manifest_sha256(), "ledger": newest}
        job.attempt.tell_afterwards(
            {"deliveries": facts_by_receiver(delivered), "anchor": cast("JsonValue", anchor)}
        )
    return replace(outcome, delivered=delivered)


def _kpi_summary(outcome: RunOutcome) -> JsonObject:
    return {
        kpi.name: {
            "value": None if kpi.value is None else str(kpi.value),
            "status": kpi.status,
            "reason": kpi.reason,
        }
        for kpi in read_kpis(outcome.sealed)
    }
