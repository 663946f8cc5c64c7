"""The life of one attempt: running, then success, failed, canceled or abandoned; never unsaid.

attempts/<id>.json is the truth and the only mutable thing; the log folder is for people.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, cast

from pydantic import JsonValue

from settings.errors import InternalError, StorageError
from warehouse import attempt_folder as folders
from warehouse.attempt_folder import describe_error, utc_text
from warehouse.attempt_state import AttemptRecord, Status, save_attempt, told_in_summary
from warehouse.durable import make_folder
from warehouse.failpoints import fail_point
from warehouse.json_text import JsonObject
from warehouse.layout import Layout, safe_attempt_id
from warehouse.storage_errors import typed_storage
from warehouse.traced_phase import traced_phase
from warehouse.tracing import tell, trace_id

if TYPE_CHECKING:
    from structlog.typing import EventDict, FilteringBoundLogger

PHASES = ("ingestion", "transformation", "calculation", "output")


class Attempt:
    """One attempt at work: its log, its phases, and how it ended. Made by `open_attempt`."""

    def __init__(self, layout: Layout, record: AttemptRecord, now: datetime) -> None:
        """Know everything and write nothing: `begin` does."""
        self._layout = layout
        self._record = record
        self._phases: dict[str, dict[str, JsonValue]] = {}
        self._tries: Counter[str] = Counter()
        self._kpis: JsonObject | None = None
        self._afterwards: JsonObject = {}
        self._started = now
        self._timer = perf_counter()  # the wall clock may jump during a run, this one cannot
        self.folder = layout.log_runs / record.log_folder
        self._file = folders.LogFile(self.folder / f"pipeline_{record.attempt_id}.log")
        self._log = folders.open_logger(
            self._file,
            self._stamp,
            attempt_id=record.attempt_id,
            run_id=None,
            trace_id=record.trace_id,
            environment=record.environment,
            phase=None,
        )

    def begin(self) -> None:
        """Write the running state first, then the folder for people.

        Raises:
            StorageError: The disk refused.
        """
        save_attempt(self._layout, self._record)
        folders.make_attempt_folder(self._layout, self._record.log_folder)
        self._write_summary(self._record)
        self.write_validation_report({"status": "unknown", "reason": "no check has run yet"})
        fail_point("attempt_opened")

    @property
    def record(self) -> AttemptRecord:
        """What attempts/<id>.json says now."""
        return self._record

    @property
    def log(self) -> FilteringBoundLogger:
        """The JSON-lines log, bound to the attempt, the run and the phase of this moment."""
        return self._log

    def clock(self) -> datetime:
        """Return the time: the start plus what has passed since, never backwards."""
        return self._started + timedelta(seconds=perf_counter() - self._timer)

    def identify(self, run_id: str, as_of: date) -> None:
        """Say which run this attempt is about, as soon as that is known.

        Raises:
            StorageError: The disk refused.
        """
        self._log = self._log.bind(run_id=run_id)
        self._change(replace(self._record, run_id=run_id, as_of=as_of.isoformat()))
        tell(run_id=run_id, as_of=as_of.isoformat())

    @contextmanager
    def phase(self, name: str) -> Generator[None, None, None]:
        """Time one phase and tell how it went; a phase entered again counts as a retry.

        Raises:
            InternalError: No phase has this name.
            StorageError: The disk refused.
        """
        if name not in PHASES:
            raise InternalError(f"no phase is called {name!r}", fix=f"use one of {PHASES}")
        started = perf_counter()
        self._tries[name] += 1
        entry: dict[str, JsonValue] = {"status": "running", "tries": self._tries[name]}
        entry["started_at"] = utc_text(self.clock())
        self._phases[name] = entry
        self._log = self._log.bind(phase=name)
        self._log.info("phase started", tries=entry["tries"])
        self._write_summary(self._record)
        fail_point("phase_started")
        try:
            with traced_phase(
                name,
                try_number=self._tries[name],
                run_id=self._record.run_id,
                as_of=self._record.as_of,
            ):
                yield
        except BaseException as error:
            entry["duration_seconds"] = round(perf_counter() - started, 3)
            with suppress(StorageError):  # a full disk must not hide why the phase failed
                self._phase_failed(name, error)
            raise
        entry["duration_seconds"] = round(perf_counter() - started, 3)
        self._phase_done(name)

    def write_validation_report(self, report: JsonObject) -> None:
        """Rewrite validation_report.json.

        Raises:
            StorageError: The disk refused.
        """
        folders.write_validation_report(self.folder, report)

    def succeed(
        self, outcome: str, run_folder: Path | None = None, kpis: JsonObject | None = None
    ) -> None:
        """End well: `outcome` is a short word such as published or already_published.

        Raises:
            StorageError: The disk refused; the next run will call this attempt abandoned.
        """
        self._kpis = kpis
        self._end(
            replace(
                self._record,
                status="success",
                outcome=outcome,
                run_folder=run_folder and str(run_folder),
            )
        )

    def tell_afterwards(self, facts: JsonObject) -> None:
        """Add to the summary what came after the end: how far each receiver is.

        Raises:
            StorageError: The disk refused; the old summary is untouched.
        """
        self._afterwards = facts
        self._write_summary(self._record)

    def fail(self, error: BaseException) -> None:
        """End badly, canceled when `error` is a request to stop; an ended attempt stays as it is.

        What the disk refuses here is not raised: `error` is what the operator must see, and the
        next run calls an attempt that could not write its end abandoned.
        """
        if self._record.status != "running":
            return
        facts = describe_error(error)
        status: Status = "canceled" if facts.is_canceled else "failed"
        with suppress(StorageError):
            make_folder(self.folder)  # stopped before `begin` had made it
            self._end(replace(self._record, status=status, error=facts))

    def close(self) -> None:
        """Close the log file."""
        self._file.close()

    def _phase_done(self, name: str) -> None:
        entry = self._phases[name]
        entry |= {"status": "success", "completed at": utc_text(self.clock())}
        self._log.info("phase completed", duration_seconds=entry["duration_seconds"])
        self._log = self._log.bind(phase=None)
        error_log = folders.error_log(self.folder, name)
        with typed_storage(error_log):
            error_log.unlink(missing_ok=True)  # of an earlier try: healed
        self._write_summary(self._record)
        fail_point("phase_done")

    def _phase_failed(self, name: str, error: BaseException) -> None:
        facts = describe_error(error)
        self._phases[name]["status"] = "canceled" if facts.is_canceled else "failed"
        log, self._log = self._log, self._log.bind(phase=None)
        folders.write_error_log(self.folder, name, error, self._record.attempt_id)
        log.error("phase failed", code=facts.code, message=facts.message, fix=facts.fix)
        self._write_summary(self._record)

    def _end(self, record: AttemptRecord) -> None:
        seconds = {
            name: cast("float", entry["duration_seconds"])
            for name, entry in self._phases.items()
            if "duration_seconds" in entry
        }
        record = replace(record, ended_at=utc_text(self.clock()), phase_seconds=seconds)
        self._log.info("attempt ended", status=record.status, outcome=record.outcome)
        self._change(record)
        fail_point("attempt_finished")

    def _change(self, record: AttemptRecord) -> None:
        # the summary first: recover() repairs what lags behind only while the record says running
        self._write_summary(record)
        save_attempt(self._layout, record)
        self._record = record  # last: what stops us before this line is still told by `fail`

    def _write_summary(self, record: AttemptRecord) -> None:
        folders.write_summary(
            self.folder,
            {
                **told_in_summary(record),
                "duration_seconds": round(perf_counter() - self._timer, 3),
                "phases": dict(self._phases),
                "kpis": None if self._kpis is None else dict(self._kpis),
                **self._afterwards,
            },
        )

    def _stamp(self, _logger: object, _method: str, event: EventDict) -> EventDict:
        return {"timestamp": utc_text(self.clock()), **event}


@contextmanager
def open_attempt(
    layout: Layout, attempt_id: str, environment: str, portfolio: str, now: datetime
) -> Generator[Attempt, None, None]:
    """Begin an attempt; the block ends it by `succeed`, or by the error that leaves it.

    Raises:
        InternalError: The block ended without saying how.
        StorageError: The disk refused.
    """
    record = AttemptRecord(
        attempt_id=safe_attempt_id(attempt_id),
        status="running",
        environment=environment,
        portfolio=portfolio,
        started_at=utc_text(now),
        log_folder=folders.folder_name(attempt_id, environment, now),
        trace_id=trace_id(),
    )
    attempt = Attempt(layout, record, now)
    try:
        attempt.begin()
        yield attempt
        if attempt.record.status == "running":
            raise InternalError("the attempt ended without saying how", fix="call succeed")
    except BaseException as error:
        attempt.fail(error)
        raise
    finally:
        attempt.close()
