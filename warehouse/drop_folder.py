"""Take the newest export that a sender has put into the drop folder."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from settings.errors import BusyError, SourceUnavailableError
from settings.model import Settings
from warehouse.durable import make_folder
from warehouse.layout import Layout
from warehouse.run_folder import runs_of_inputs
from warehouse.source import hash_inputs, input_sizes
from warehouse.storage_errors import typed_storage

_SUFFIXES = (".zip", ".xlsx", ".csv", ".parquet")
_HIDDEN = (".", "~$")  # the second is what Excel leaves beside an open workbook


class NothingDroppedError(SourceUnavailableError):
    """There is no export to take."""

    code = "NO_INPUT"
    can_heal = False


class StillWrittenError(BusyError):
    """The newest export may not be whole yet."""

    code = "STILL_WRITTEN"
    can_heal = True


@dataclass(frozen=True)
class _Export:
    path: Path
    changed_at: datetime


def newest_export(settings: Settings, now: datetime) -> Path:
    """Return the newest export of the drop folder that no run of this book was made of.

    An export is an archive, a workbook, one table, or a folder; when all were taken, it is the
    newest.

    Hidden files and those of other kinds are left alone; a folder is as new as its newest file.

    Raises:
        NothingDroppedError: There is none.
        StillWrittenError: It was changed less than `ingestion.settle_seconds` before `now`.
        StorageError: The folder cannot be read, or made where there is none.
    """
    folder = make_folder(settings.drop_folder)
    with typed_storage(folder):
        exports = sorted(_exports(folder), key=lambda export: (export.changed_at, export.path))
    if not exports:
        raise NothingDroppedError(
            f"no --input is given, Cascade is not configured, and {folder} holds no export",
            fix="give --input PATH, or export CASCADE_SESSION_COOKIE and CASCADE_EXPORT_URL, or "
            f"put the export into {folder}",
        )
    layout = Layout.of(settings)
    fresh = (e for e in reversed(exports) if not _is_taken(layout, settings, e.path))
    newest = next(fresh, exports[-1])
    age = (now - newest.changed_at).total_seconds()
    if 0 <= age < settings.ingestion.settle_seconds:
        raise StillWrittenError(
            f"{newest.path.name} was changed {age:.0f} s ago and may not be whole yet",
            fix=f"try again in {settings.ingestion.settle_seconds - age:.0f} s",
        )
    return newest.path


def _is_taken(layout: Layout, settings: Settings, path: Path) -> bool:
    """Return whether a run of this book was made of these very bytes."""
    hashes: tuple[str, ...] | None = None
    for run in runs_of_inputs(layout, input_sizes([path])):
        hashes = hashes or hash_inputs([path])
        book = (settings.environment, settings.portfolio.name)
        if run.manifest.identity.book == book and run.manifest.identity.input_sha256s == hashes:
            return True
    return False


def _exports(folder: Path) -> Iterator[_Export]:
    if not folder.is_dir():
        return
    for path in _visible(folder):
        files = _visible(path) if path.is_dir() else [path]
        tables = [p for p in files if p.is_file() and p.suffix.lower() in _SUFFIXES]
        if tables:
            newest = max(p.stat().st_mtime for p in tables)
            yield _Export(path, datetime.fromtimestamp(newest, UTC))


def _visible(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if not path.name.startswith(_HIDDEN)]
