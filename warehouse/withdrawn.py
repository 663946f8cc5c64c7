"""Runs that a person has taken back: they stay sealed, and no repeated run serves them again."""

from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from warehouse.attempt_folder import utc_text
from warehouse.durable import durable_write, fsync_dir, make_folder
from warehouse.json_text import pretty_json
from warehouse.layout import Layout
from warehouse.storage_errors import typed_storage


@dataclass(frozen=True)
class Withdrawal:
    """Which run was taken back, what is served instead, why, when, and by which code."""

    run: str
    served_instead: str
    reason: str
    at: str
    code: str


def is_withdrawn(layout: Layout, run: str) -> bool:
    """Return whether a run was taken back."""
    return _mark(layout, run).is_file()


def withdraw(
    layout: Layout, run: str, instead: str, reason: str, now: datetime, code: str
) -> Withdrawal:
    """Take a run back, durably; again changes when and why.

    Raises:
        StorageError: The disk refused.
    """
    told = Withdrawal(run, instead, reason, utc_text(now), code)
    path = _mark(layout, run)
    make_folder(path.parent)
    durable_write(path, pretty_json(asdict(told)))
    return told


def restore(layout: Layout, run: str) -> None:
    """Let a run be served again.

    Raises:
        StorageError: The disk refused.
    """
    path = _mark(layout, run)
    with typed_storage(path):
        if path.exists():
            path.unlink()
            fsync_dir(path.parent)


def _mark(layout: Layout, run: str) -> Path:
    return layout.withdrawn / f"{run}.json"
