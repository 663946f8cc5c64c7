"""Do what the plan says, as the single writer, each thing recorded before it is unlinked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from settings.errors import DataRejectedError
from settings.model import Settings
from warehouse.durable import copy_with_sha256, fsync_dir, fsync_file, make_folder, sha256_file
from warehouse.failpoints import fail_point
from warehouse.layout import Layout
from warehouse.lock import wait_for_lock
from warehouse.manifest import MANIFEST
from warehouse.retention.files import drop_folders
from warehouse.retention.log import Removal, tree_sha256
from warehouse.retention.plan import Candidate, Plan, plan_retention
from warehouse.retention.trash import discard, empty
from warehouse.run_folder import list_runs
from warehouse.storage_errors import typed_storage

_HIDDEN = ".trash"  # of the drop folder: no export has such a name
Told = Callable[[Candidate], object]


class RawDamagedError(DataRejectedError):
    """Raw bytes are not what their hash says, so they were not taken to the archive."""

    code = "RAW_DAMAGED"


@dataclass(frozen=True)
class Order:
    """Who asks for it and when, and how long a run that is at work is waited for."""

    by: str
    now: datetime
    wait_seconds: float = 0


@dataclass(frozen=True)
class Retained:
    """What was done and spared, and how much an earlier retention that died had left half done."""

    plan: Plan
    finished: int


def retain(
    layout: Layout, settings: Settings, receivers: Sequence[str], order: Order, told: Told
) -> Retained:
    """Archive and remove all that is kept no longer; one damaged raw file holds nothing else up.

    Args:
        layout: Where everything lies.
        settings: How long each kind is kept.
        receivers: Who must have got a run before it may go.
        order: Who asks, when, and how long it may wait for the lock.
        told: Is called with each thing that is done.

    Raises:
        LockHeldError: A run is at work, also after the wait.
        RawDamagedError: Raw bytes are not what their hash says; all else is done.
        StorageError: The disk refused; the next retention goes on from here.
    """
    with wait_for_lock(layout.lock, "retention", order.now, order.wait_seconds):
        dropped = [drop / _HIDDEN for drop in drop_folders(settings, list_runs(layout))]
        trashes = (layout.trash, layout.log_trash, *dropped)
        finished = sum(empty(layout.data, trash) for trash in trashes)
        plan = plan_retention(layout, settings, receivers, order.now)
        damaged: list[str] = []
        for candidate in plan.candidates:
            problem = _archive(layout, candidate.path) if candidate.kind == "raw" else None
            if problem is not None:
                damaged.append(problem)
                continue
            trash = _trash(layout, candidate)
            discard(layout.data, trash, candidate.path, _removal(candidate, order))
            told(candidate)
    if damaged:
        raise RawDamagedError(
            f"{damaged[0]} ({len(damaged)} not archived)",
            fix="put those bytes back from a backup: no run of them can be reproduced",
            evidence={"damaged": damaged},
        )
    return Retained(plan, finished)


def _archive(layout: Layout, folder: Path) -> str | None:
    """Copy the files of raw/<sha256> to the archive; return what is wrong with one, if any is."""
    target = make_folder(layout.archive / folder.name)
    with typed_storage(folder):
        files = sorted(folder.iterdir())
    for file in files:
        kept = target / file.name
        if kept.is_file() and sha256_file(kept) == folder.name:
            continue
        part = target / f"{file.name}.part"
        part.unlink(missing_ok=True)  # of one that died
        if copy_with_sha256(file, part).sha256 != folder.name:
            part.unlink()
            return f"{file} has other bytes than its sha256 says"
        fsync_file(part)
        if sha256_file(part) != folder.name:
            return f"{part} has other bytes than were written"
        with typed_storage(kept):
            part.replace(kept)
    fsync_dir(target)
    fsync_dir(layout.archive)
    fail_point("raw_archived")
    return None


def _removal(candidate: Candidate, order: Order) -> Removal:
    if candidate.kind == "run":
        sha256 = sha256_file(candidate.path / MANIFEST)
    elif candidate.kind in ("raw", "rejected"):
        sha256 = candidate.name
    else:
        sha256 = tree_sha256(candidate.path)
    return Removal(
        id=uuid4().hex,
        at=order.now,
        by=order.by,
        kind=candidate.kind,
        action=candidate.action,
        name=candidate.name,
        bytes=candidate.bytes,
        sha256=sha256,
        why=candidate.why,
        inputs=candidate.inputs,
    )


def _trash(layout: Layout, candidate: Candidate) -> Path:
    """Return a trash on the same disk: logs, and the drop folder, may lie on another than data."""
    if candidate.kind == "log":
        return layout.log_trash
    return candidate.path.parent / _HIDDEN if candidate.kind == "export" else layout.trash
