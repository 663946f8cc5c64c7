"""What changed since the run before, sealed with the run: everybody who tells it tells the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from settings.errors import TapewatchError
from warehouse.book import book_parameters
from warehouse.change import KpiChange, compute_changes, without_earlier_run
from warehouse.change_loans import Telling
from warehouse.durable import replace_file
from warehouse.job import Job, Transformed
from warehouse.kpis import KpiValue
from warehouse.run_folder import SealedRun
from warehouse.storage_errors import typed_storage
from warehouse.verify import check_file, check_folder

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

CHANGES_FILE = "changes.json"
_SHOWN_LOANS = 5  # of each part


@dataclass(frozen=True)
class Changes:
    """The move of every KPI of a run, and the name of the run that it is compared with."""

    before: str | None  # None: the first run of its book
    kpis: tuple[KpiChange, ...]


_CHANGES = TypeAdapter(Changes)


def write_changes(
    db: DuckDBPyConnection,
    job: Job,
    transformed: Transformed,
    kpis: tuple[KpiValue, ...],
    before: SealedRun | None,
) -> None:
    """Write changes.json into the run that is being built; an earlier run that is rotten is told.

    `db` offers the tables of the new run and may read the folder of `before`.

    Raises:
        StorageError: The disk refused.
    """
    if before is None:
        changes = without_earlier_run(kpis)
    else:
        ingested = transformed.ingested
        now = Telling(book_parameters(job.settings, ingested.as_of), ingested.tape)
        try:
            check_folder(before.folder)  # the engine's own error would end the run
            changes = compute_changes(db, now, kpis, before, job.settings, _SHOWN_LOANS)
        except TapewatchError as error:  # the figures of today do not hang on yesterday's folder
            job.attempt.log.error("changes unknown", code=error.code, message=error.message)
            changes = _unreadable(kpis, before)
    told = Changes(before and before.name, changes)
    replace_file(job.paths.run / CHANGES_FILE, _CHANGES.dump_json(told, indent=2))


def _unreadable(kpis: tuple[KpiValue, ...], before: SealedRun) -> tuple[KpiChange, ...]:
    reason = f"run {before.name} cannot be read: `tapewatch verify {before.name}`"
    return tuple(KpiChange(now.name, now.unit, now, None, None, (), reason) for now in kpis)


def read_changes(run: SealedRun) -> Changes | None:
    """Return what changed with a run; None when it was sealed by a version that did not tell.

    Raises:
        HashMismatchError: Its changes.json is missing, or another than was sealed.
        StorageError: It cannot be read.
    """
    if CHANGES_FILE not in run.manifest.files:
        return None
    path = check_file(run.folder, run.manifest, CHANGES_FILE)
    with typed_storage(path):
        text = path.read_bytes()
    return _CHANGES.validate_json(text)
