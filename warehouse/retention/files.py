"""Which log folders, raw bytes and dropped exports are too old: by age, and by what needs them."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from settings.errors import TapewatchError
from settings.model import Settings
from warehouse.attempt_state import AttemptRecord, list_attempts
from warehouse.durable import sha256_file
from warehouse.layout import Layout
from warehouse.retention.log import Kind, Removal, read_log
from warehouse.run_folder import SealedRun, run_folders
from warehouse.source import hash_inputs
from warehouse.storage_errors import typed_storage

_STAMP = re.compile(r"(?:staging_)?(\d{8}T\d{6}Z)[_-]")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Old:
    """One thing that is older than its kind is kept; `stays` is why it stays nevertheless."""

    kind: Kind
    path: Path
    since: datetime
    why: str
    stays: str | None = None
    inputs: tuple[str, ...] = ()  # the hashes of what a run was made of


def old_logs(layout: Layout, settings: Settings, now: datetime) -> Iterator[Old]:
    """Yield the log folders, of attempts and of maintenance, that are kept no longer.

    Staging's may lie beside production's, and are staging's own to remove.

    Raises:
        StorageError: A folder cannot be read.
    """
    days = settings.retention.logs_days
    needed = _needed_logs(layout)
    found = _folders(layout.log_runs) + _folders(layout.maintenance_logs)
    for folder in filter(layout.is_own_log, found):
        since = _begun(folder)
        if now - since > timedelta(days=days):
            told = f"logs are kept for {days} days"
            yield Old("log", folder, since, told, needed.get(folder.name))


def _needed_logs(layout: Layout) -> dict[str, str]:
    attempts = list_attempts(layout)
    needed = {a.log_folder: "its attempt is running" for a in attempts if a.status == "running"}
    needed |= {folder: "its run is served" for folder in _logs_of_served(layout, attempts)}
    if layout.latest.is_symlink():
        needed[layout.latest.readlink().name] = "it is the newest"
    return needed


def _logs_of_served(layout: Layout, attempts: Iterable[AttemptRecord]) -> set[str]:
    pointers = layout.current.parent.glob("*") if layout.current.parent.is_dir() else ()
    with typed_storage(layout.current.parent):
        names = {Path(p.read_text("utf-8", "replace").strip()).name for p in pointers}
    ended = {a.log_folder for a in attempts if a.run_name and a.run_name in names}
    return ended | names  # of a run whose attempt is not known, the folder has the run's name


def _begun(folder: Path) -> datetime:
    stamp = _STAMP.match(folder.name)
    if stamp is not None:
        return datetime.strptime(stamp[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return _changed(folder)


def old_raw(
    layout: Layout, settings: Settings, runs: Iterable[SealedRun], now: datetime
) -> Iterator[Old]:
    """Yield raw bytes for the archive, and those of tapes that no run was made of.

    Raises:
        StorageError: A folder cannot be read.
    """
    kept = settings.retention
    runs = list(runs)
    removed = read_log(layout.data)
    used, doubt = _used(layout, runs, removed), _unread(layout, runs, removed)
    for folder in _folders(layout.raw):
        if not _SHA256.fullmatch(folder.name):
            continue  # the drop folder lies here, too
        since, stays = used.get(folder.name), None
        if since is None:
            since, days = _newest(folder), kept.quarantine_days
            kind, why = "rejected", f"no run was made of it, and it is kept for {days} days"
            stays = doubt
        else:
            days = kept.raw_days
            kind, why = "raw", f"raw bytes go to the archive after {days} days"
        if now - since > timedelta(days=days):
            yield Old(kind, folder, since, why, stays)


def _unread(layout: Layout, runs: Iterable[SealedRun], removed: Iterable[Removal]) -> str | None:
    """Return why no bytes can be called those of no run: a run that cannot be asked."""
    known = {run.name for run in runs}
    known |= {told.name for told in removed if told.kind == "run"}
    sealed = {folder.name for folder in run_folders(layout)}
    sealed |= {a.run_name for a in list_attempts(layout) if a.run_name}
    unread = sorted(sealed - known)
    return f"{unread[0]} cannot be read, and may be made of it" if unread else None


def _used(
    layout: Layout, runs: Iterable[SealedRun], removed: Iterable[Removal]
) -> dict[str, datetime]:
    """Return when a run was last made of the bytes of each hash, also one that is removed."""
    used = {sha256: _newest(layout.raw / sha256) for each in removed for sha256 in each.inputs}
    for run in runs:
        for facts in run.manifest.inputs:
            at = run.manifest.created_at
            used[facts.sha256] = max(used.get(facts.sha256, at), at)
    return used


def old_exports(
    layout: Layout, settings: Settings, runs: Iterable[SealedRun], now: datetime
) -> Iterator[Old]:
    """Yield what senders dropped and a run was made of; the newest of a portfolio is left there.

    Raises:
        StorageError: A folder cannot be read.
    """
    runs = list(runs)
    for drop in drop_folders(settings, runs):
        if drop.is_dir():
            yield from _old_in(drop, layout, settings.retention.raw_days, runs, now)


def drop_folders(settings: Settings, runs: Iterable[SealedRun]) -> list[Path]:
    """Return the drop folder of the settings' portfolio and of each that runs are of."""
    books = {run.manifest.identity.book for run in runs}
    names = {name for environment, name in books if environment == settings.environment}
    return sorted(settings.drop_folder_of(name) for name in {settings.portfolio.name, *names})


def _old_in(
    drop: Path, layout: Layout, days: int, runs: Iterable[SealedRun], now: datetime
) -> Iterator[Old]:
    with typed_storage(drop):
        seen = [path for path in drop.iterdir() if not path.name.startswith((".", "~$"))]
        found = [path for path in seen if not path.is_symlink()]  # what it leads to is not ours
        dated = sorted(((_newest(path), path) for path in found), key=lambda one: one[0])
    known = {facts.sha256: facts.name for run in runs for facts in run.manifest.inputs}
    for since, path in dated:
        if now - since > timedelta(days=days):
            stays = "it is the newest export" if path == dated[-1][1] else None
            why = f"its bytes are kept by their hash, and {days} days are over"
            yield Old("export", path, since, why, stays or _not_kept(layout, path, known))


def _not_kept(layout: Layout, path: Path, known: Mapping[str, str]) -> str | None:
    """Return why an export must stay: a file of it is kept nowhere else."""
    files = [p for p in path.rglob("*") if p.is_file()] if path.is_dir() else [path]
    try:
        hashes = hash_inputs([path])
    except TapewatchError:
        return "it is no export"
    kept = [h for h in hashes if h in known and _is_whole(layout.raw_file(h, known[h]), h)]
    return None if len(kept) == len(files) else "not all of it is kept elsewhere"


def _is_whole(file: Path, sha256: str) -> bool:
    """Return whether bytes are those of their hash: what was dropped may be the last good copy."""
    return file.is_file() and sha256_file(file) == sha256


def _folders(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    with typed_storage(root):
        return sorted(p for p in root.iterdir() if p.is_dir() and not p.is_symlink())


def _newest(path: Path) -> datetime:
    files = [p for p in path.rglob("*") if p.is_file()] if path.is_dir() else [path]
    return max((_changed(file) for file in files if file.exists()), default=_EPOCH)


def _changed(path: Path) -> datetime:
    with typed_storage(path):
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
