"""Find the runs that today's is compared with: of yesterday, a week ago and a month ago."""

from calendar import monthrange
from collections.abc import Mapping
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path

from settings.errors import TapewatchError
from warehouse.identity import RunIdentity
from warehouse.layout import Layout
from warehouse.manifest import load_manifest
from warehouse.run_folder import SealedRun, standing_folders

DAYS_OFF = 3  # a weekend: an older run than that is not the one of the day
_DATE_LENGTH = len("2025-12-26")


def month_before(day: date) -> date:
    """Return the same day of the month before, its last one where there is none."""
    last = day.replace(day=1) - timedelta(days=1)
    return last.replace(day=min(day.day, monthrange(last.year, last.month)[1]))


def near_runs(
    layout: Layout, identity: RunIdentity, before: SealedRun | None
) -> Mapping[str, SealedRun | None]:
    """Return the runs of the same book by "day", "week" and "month" before.

    Each is the newest of that day, or of the three days before it; None where there is none. That
    of the day is else the run before, however long ago that was.

    Raises:
        StorageError: The folder of runs cannot be read.
    """
    as_of, folders = identity.as_of, standing_folders(layout)
    days = {
        "day": as_of - timedelta(days=1),
        "week": as_of - timedelta(days=7),
        "month": month_before(as_of),
    }
    found = {name: _newest(folders, identity, day) for name, day in days.items()}
    return {**found, "day": found["day"] or before}


def _newest(folders: list[Path], identity: RunIdentity, until: date) -> SealedRun | None:
    """Return the newest run of the book up to a day; folder names tell the day of each."""
    first, last = (until - timedelta(days=DAYS_OFF)).isoformat(), until.isoformat()
    found: list[SealedRun] = []
    for folder in folders:
        if first <= folder.name[:_DATE_LENGTH] <= last:
            with suppress(TapewatchError):  # one rotten old run must not stop today's
                found.append(SealedRun(folder, load_manifest(folder)))
    same = [run for run in found if run.manifest.identity.book == identity.book]
    return max(same, key=lambda run: run.manifest.order, default=None)
