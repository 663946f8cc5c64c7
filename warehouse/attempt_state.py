"""What became of every attempt: one small state file each, and the clean-up after dead ones."""

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, TypeAdapter, ValidationError

from settings.errors import InternalError
from warehouse import attempt_folder as folders
from warehouse.attempt_folder import ErrorFacts, utc_text
from warehouse.durable import durable_write, fsync_dir
from warehouse.failpoints import fail_point
from warehouse.json_text import pretty_json
from warehouse.layout import Layout
from warehouse.lock import HeldLock
from warehouse.storage_errors import typed_storage

Status = Literal["running", "success", "failed", "canceled", "abandoned"]


@dataclass(frozen=True)
class AttemptRecord:
    """attempts/<id>.json: what became of an attempt."""

    attempt_id: str
    status: Status
    environment: str
    portfolio: str
    started_at: str
    log_folder: str
    ended_at: str | None = None
    run_id: str | None = None
    as_of: str | None = None
    run_folder: str | None = None
    outcome: str | None = None
    error: ErrorFacts | None = None
    phase_seconds: Mapping[str, float] = field(default_factory=dict[str, float])
    trace_id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None = None  # if it was traced

    @property
    def run_name(self) -> str:
        """The name of the run that it ended with, "" without one."""
        return "" if self.run_folder is None else Path(self.run_folder).name


_RECORD = TypeAdapter(AttemptRecord)


def read_attempt(path: Path) -> AttemptRecord | None:
    """Return the record in `path`, None when it is damaged.

    Raises:
        StorageError: The file cannot be read.
    """
    with typed_storage(path):
        text = path.read_bytes()
    try:
        return _RECORD.validate_json(text)
    except ValidationError:
        return None


def list_attempts(layout: Layout) -> list[AttemptRecord]:
    """Return every readable attempt, oldest first."""
    records = [read_attempt(path) for path in layout.attempts.glob("*.json")]
    return sorted((r for r in records if r), key=lambda r: (r.started_at, r.attempt_id))


def save_attempt(layout: Layout, record: AttemptRecord) -> None:
    """Write the record durably.

    Raises:
        StorageError: The disk refused; the old record is untouched.
    """
    path = layout.attempts / f"{record.attempt_id}.json"
    durable_write(path, pretty_json(asdict(record)))


def recover(layout: Layout, lock: HeldLock, now: datetime) -> list[AttemptRecord]:
    """Clean up after runs that died: `running` becomes `abandoned`, staging and *.tmp go.

    Holding `lock` proves that no running attempt is alive. Returns what was abandoned.

    Raises:
        StorageError: The disk refused.
    """
    if lock.pid != os.getpid():
        raise InternalError("recovering under another's lock", fix="call it inside hold_lock")
    abandoned = [r for r in list_attempts(layout) if r.status == "running"]
    for record in abandoned:
        _abandon(layout, record, now)
    fail_point("recover_marked")
    _sweep(layout)
    fail_point("recover_wiped")
    return abandoned


def _abandon(layout: Layout, record: AttemptRecord, now: datetime) -> None:
    message = f"its process died without a word; found at {utc_text(now)}"
    error = ErrorFacts("ABANDONED", message, "none: the next run has cleaned up after it", 70)
    record = replace(record, status="abandoned", error=error)
    folder = layout.log_runs / record.log_folder
    if folder.is_dir():  # the log retention may have been quicker
        folders.write_summary(folder, _last_summary(folder) | told_in_summary(record))
    save_attempt(layout, record)


def _last_summary(folder: Path) -> dict[str, Any]:
    """Return what a dead attempt had told; it may have died too early, or a hand damaged it."""
    with suppress(OSError, ValueError, LookupError, TypeError, AttributeError):
        summary = json.loads((folder / folders.SUMMARY).read_bytes())
        for phase in summary["phases"].values():
            if phase["status"] == "running":
                phase["status"] = "abandoned"
        return summary
    return {"phases": {}, "kpis": None}


def _sweep(layout: Layout) -> None:
    flat = (layout.data, layout.raw, layout.runs, layout.current.parent, layout.attempts)
    for root in (*flat, layout.staging, *layout.log_folders()):
        _unlink_all(root.glob("*.tmp"))
    # not `*.tmp`: another environment may be at work beside this one, under a lock of its own
    _unlink_all(layout.log_runs.glob(f"{layout.latest.name}.*.tmp"))
    _unlink_all(layout.log_runs.glob("probe.*.tmp"))
    with typed_storage(layout.staging):
        for left in layout.staging.iterdir():
            shutil.rmtree(left)
    fsync_dir(layout.staging)


def _unlink_all(paths: Iterable[Path]) -> None:
    for path in paths:
        with typed_storage(path):
            path.unlink()


def told_in_summary(record: AttemptRecord) -> dict[str, JsonValue]:
    """Return the part of the record that the summary repeats."""
    told = asdict(record)
    del told["log_folder"], told["phase_seconds"]  # the summary has more to say of the phases
    return told
