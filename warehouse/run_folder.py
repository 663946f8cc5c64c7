"""Seal a run by one rename, serve it by one pointer, and find the runs that came before."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby
from pathlib import Path

from settings.errors import InternalError, TapewatchError
from warehouse.durable import (
    PRIVATE_FILE,
    durable_write,
    fsync_dir,
    fsync_file,
    make_folder,
    sha256_file,
)
from warehouse.failpoints import fail_point
from warehouse.identity import RunIdentity
from warehouse.layout import Layout
from warehouse.manifest import (
    MANIFEST,
    FileFacts,
    HashMismatchError,
    Manifest,
    load_manifest,
)
from warehouse.storage_errors import typed_storage
from warehouse.verify import Problem, check_folder, verify_folder
from warehouse.withdrawn import is_withdrawn

_HASHERS = 2  # hashing and syncing let go of the interpreter, so two files go side by side


class RunConflictError(HashMismatchError):
    """Another run already lies where this one must go."""

    code = "RUN_CONFLICT"


@dataclass(frozen=True)
class SealedRun:
    """A run folder and what its manifest says."""

    folder: Path
    manifest: Manifest

    @property
    def name(self) -> str:
        """The folder's name, as `current` holds it."""
        return self.folder.name

    def manifest_sha256(self) -> str:
        """Return the hash that a later run keeps of this one.

        Raises:
            StorageError: The manifest cannot be read.
        """
        return sha256_file(self.folder / MANIFEST)


def keep_raw(layout: Layout, staged: Path, sha256: str, name: str) -> Path:
    """Move the staged copy of an input to raw/<sha256>/<name> for good; return that path.

    A copy that is already there is hashed again; a rotten one is replaced by the fresh one.

    Raises:
        InternalError: `name` is no plain file name.
        StorageError: The disk refused.
    """
    if Path(name).name != name or name in ("", ".."):
        raise InternalError(f"{name!r} is no plain file name", fix="pass Path(...).name")
    kept = make_folder(layout.raw / sha256) / name
    if not (kept.is_file() and sha256_file(kept) == sha256):
        fsync_file(staged)
        fail_point("raw_synced")
        with typed_storage(kept):
            staged.replace(kept)
    for folder in (kept.parent, layout.raw):
        fsync_dir(folder)  # also of one found there: its run may have died before this line
    fail_point("raw_kept")
    return kept


def seal(layout: Layout, staged: Path, manifest: Manifest, rows: Mapping[str, int]) -> SealedRun:
    """Commit the flat folder `staged` as one run: sync, hash, manifest last, one rename.

    `rows` gives the row count of each table file; `manifest.files` is filled in here.

    Raises:
        InternalError: `staged` holds a folder, or `rows` names a file that is not there.
        RunConflictError: The run folder exists; ask `find_run` first.
        StorageError: The disk refused; nothing is published.
    """
    target = layout.runs / manifest.identity.folder_name
    if target.exists():
        raise _conflict(target, "exists already")
    files = _sync_and_hash(staged, rows)
    fail_point("seal_synced")
    sealed = replace(manifest, files=files)
    durable_write(staged / MANIFEST, sealed.to_json())
    fail_point("seal_manifest")
    with typed_storage(target):
        staged.rename(target)
    fail_point("seal_renamed")
    fsync_dir(layout.runs)
    fail_point("seal_committed")
    return SealedRun(target, sealed)


def _sync_and_hash(staged: Path, rows: Mapping[str, int]) -> dict[str, FileFacts]:
    with typed_storage(staged):
        # a manifest there is of an earlier try that could not rename: it is written anew
        paths = sorted(p for p in staged.iterdir() if p.name != MANIFEST)
    strange = [p.name for p in paths if not p.is_file() or p.is_symlink()]
    lost = sorted(set(rows) - {p.name for p in paths})
    if strange or lost:
        raise InternalError(
            f"{staged} cannot be sealed: not files {strange}, missing {lost}",
            fix="write every table of the run there, and nothing in folders",
        )

    def facts(path: Path) -> FileFacts:
        with typed_storage(path):
            path.chmod(PRIVATE_FILE)
        fsync_file(path)
        return FileFacts(sha256_file(path), path.stat().st_size, rows.get(path.name))

    with ThreadPoolExecutor(_HASHERS) as pool:
        return dict(zip((p.name for p in paths), pool.map(facts, paths), strict=True))


def find_run(layout: Layout, identity: RunIdentity) -> SealedRun | None:
    """Return the sealed run that answers `identity`, checked byte for byte, or None.

    Raises:
        HashMismatchError: It is there and damaged.
        RunConflictError: Another run has the same date and the same first 8 characters.
        LayoutTooNewError: A newer Tapewatch wrote it.
    """
    folder = layout.runs / identity.folder_name
    if not folder.exists():
        return None
    manifest = check_folder(folder)
    if manifest.run_id != identity.run_id:
        raise _conflict(folder, f"holds another run, {manifest.run_id}")
    return SealedRun(folder, manifest)


def _conflict(folder: Path, why: str) -> RunConflictError:
    return RunConflictError(
        f"{folder} {why}",
        fix=f"run `tapewatch verify {folder.name}` and move the folder out of runs",
        evidence={"folder": str(folder)},
    )


def publish(layout: Layout, run: SealedRun, *, backward: bool = False) -> bool:
    """Point `current` at `run`; return whether it moved.

    It moves forward only: to a later date, or to a restatement of the same date, and never to a
    run that was withdrawn. A run of another book replaces it, and `backward` moves it anywhere
    (a rollback).

    Raises:
        StorageError: The disk refused; `current` is untouched.
    """
    if not backward and not would_serve(layout, run):
        fsync_dir(layout.current.parent)  # the run that moved it may have died before this
        return False
    fsync_dir(layout.runs)  # a run found by `find_run` may have died before its commit was synced
    durable_write(layout.current, run.name.encode() + b"\n")
    fail_point("current_published")
    return True


def would_serve(layout: Layout, run: SealedRun) -> bool:
    """Return whether `publish` would point `current` at `run`, which need not be sealed yet."""
    return not is_withdrawn(layout, run.name) and _is_newer(layout, run)


def _is_newer(layout: Layout, run: SealedRun) -> bool:
    try:
        served = read_current(layout)
    except HashMismatchError:
        return run.name[:10] >= served_name(layout)[:10]  # what is rotten is replaced by its date
    if served is None or served.manifest.identity.book != run.manifest.identity.book:
        return True
    if served.manifest.identity.as_of != run.manifest.identity.as_of:
        return run.manifest.identity.as_of > served.manifest.identity.as_of
    # one date, two tapes: the clock may lie, the list of what was superseded does not
    return run.name != served.name and run.manifest.run_id not in served.manifest.supersedes


def read_current(layout: Layout) -> SealedRun | None:
    """Return the served run, None before the first; its tables are not hashed here.

    Raises:
        HashMismatchError: `current` names a folder that is missing or has a damaged manifest.
        LayoutTooNewError: A newer Tapewatch wrote the run.
        StorageError: `current` cannot be read.
    """
    if not layout.current.exists():
        return None
    folder = layout.runs / served_name(layout)
    return SealedRun(folder, load_manifest(folder))


def served_name(layout: Layout) -> str:
    """Return what `current` says, be there such a run or not.

    Raises:
        StorageError: `current` cannot be read.
    """
    with typed_storage(layout.current):
        return Path(layout.current.read_bytes().decode("utf-8", errors="replace").strip()).name


def served_date(layout: Layout) -> date | None:
    """Return the day that is served, None before the first run; a rotten run keeps its date.

    Raises:
        StorageError: `current` cannot be read.
    """
    if not layout.current.exists():
        return None
    with suppress(ValueError):  # not a folder's name: `current` itself is damaged
        return date.fromisoformat(served_name(layout)[:10])
    return None


def list_runs(layout: Layout) -> list[SealedRun]:
    """Return every readable run, oldest first; `verify_all` names the unreadable ones."""
    return sorted(_readable(run_folders(layout)), key=lambda run: run.manifest.order)


def run_folders(layout: Layout) -> list[Path]:
    """Return the run folders by date, oldest first, without opening any."""
    if not layout.runs.is_dir():
        return []
    with typed_storage(layout.runs):
        return sorted(p for p in layout.runs.iterdir() if p.is_dir())


def standing_folders(layout: Layout) -> list[Path]:
    """Return the folders of the runs that nobody has taken back, by date, oldest first."""
    return [folder for folder in run_folders(layout) if not is_withdrawn(layout, folder.name)]


def withdrawn_runs(layout: Layout, since: date) -> list[SealedRun]:
    """Return the readable runs of that day or a later one that somebody has taken back."""
    folders = [f for f in run_folders(layout) if f.name[:10] >= since.isoformat()]
    return list(_readable([f for f in folders if is_withdrawn(layout, f.name)]))


def _readable(folders: list[Path]) -> Iterator[SealedRun]:
    for folder in folders:
        try:
            yield SealedRun(folder, load_manifest(folder))
        except TapewatchError:
            continue  # one rotten old run must not stop today's; `verify` tells of it


def runs_back(layout: Layout, book: tuple[str, str], until: date) -> Iterator[SealedRun]:
    """Yield the standing runs of a book up to a day, newest first, each read when asked for."""
    folders = [f for f in reversed(standing_folders(layout)) if f.name[:10] <= until.isoformat()]
    for runs in _by_day(folders, book):
        yield from reversed(runs)


def runs_ahead(layout: Layout, book: tuple[str, str], after: date) -> Iterator[SealedRun]:
    """Yield the standing run of each later day of a book, oldest first, each read when asked for.

    Of two runs of a day it is the one that superseded the other.
    """
    folders = [f for f in standing_folders(layout) if f.name[:10] > after.isoformat()]
    for runs in _by_day(folders, book):
        yield from runs[-1:]


def _by_day(folders: list[Path], book: tuple[str, str]) -> Iterator[list[SealedRun]]:
    """Yield the runs of a book of each day, in the order in which they were sealed."""
    for _, day in groupby(folders, lambda folder: folder.name[:10]):
        runs = [run for run in _readable([*day]) if run.manifest.identity.book == book]
        yield sorted(runs, key=lambda run: run.manifest.order)


def runs_of_inputs(layout: Layout, sizes: tuple[int, ...]) -> Iterator[SealedRun]:
    """Yield the runs whose inputs had these sizes in bytes, newest first."""
    wanted = f'"bytes": {sizes[0]}'.encode()
    for folder in reversed(run_folders(layout)):
        manifest = folder / MANIFEST
        # the text first: two years of manifests take a second to parse and 30 ms to search
        if manifest.is_file() and wanted in manifest.read_bytes():
            for run in _readable([folder]):
                if sorted(facts.bytes for facts in run.manifest.inputs) == sorted(sizes):
                    yield run


def previous_run(
    layout: Layout,
    identity: RunIdentity,
    is_wanted: Callable[[SealedRun], bool] = lambda _run: True,
) -> SealedRun | None:
    """Return the newest wanted run of the same book of an earlier day that was not taken back."""
    as_of = identity.as_of.isoformat()
    earlier = [f for f in reversed(standing_folders(layout)) if f.name[:10] < as_of]
    best: SealedRun | None = None
    for run in _readable(earlier):
        if best is not None and run.manifest.identity.as_of < best.manifest.identity.as_of:
            break  # the names are sorted by date: nothing newer can follow
        is_same_book = run.manifest.identity.book == identity.book and is_wanted(run)
        if is_same_book and (best is None or run.manifest.order > best.manifest.order):
            best = run
    return best


def compared_run(layout: Layout, run: SealedRun) -> SealedRun | None:
    """Return the run that a sealed one was compared with, None for the first of its book.

    Where that is kept no longer, it is the newest of an earlier day.
    """
    named = layout.runs / (run.manifest.previous_run or "")
    if run.manifest.previous_run is not None:
        for before in _readable([named]):
            return before
    return previous_run(layout, run.manifest.identity)


def superseded_runs(layout: Layout, identity: RunIdentity) -> tuple[SealedRun, ...]:
    """Return the runs of the same book and date that a run of `identity` would supersede."""
    day = [f for f in run_folders(layout) if f.name[:10] == identity.as_of.isoformat()]
    runs = sorted(_readable(day), key=lambda run: run.manifest.order)
    same = [run for run in runs if run.manifest.identity.book == identity.book]
    return tuple(run for run in same if run.manifest.run_id != identity.run_id)


def verify_all(layout: Layout) -> list[Problem]:
    """Return every problem of every run folder and of `current`."""
    problems = [p for folder in run_folders(layout) for p in verify_folder(folder)]
    try:
        read_current(layout)
    except TapewatchError as error:
        problems.append(Problem(str(layout.data), "current", error.message))
    return problems
