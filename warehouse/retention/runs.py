"""Which sealed runs may go: the old ones that nothing holds back."""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from settings.model import Settings
from warehouse.dead_letters import MessageExpiredError
from warehouse.delivery_boxes import open_box
from warehouse.kinds import TapeFacts
from warehouse.layout import Layout
from warehouse.mail import Mail
from warehouse.message_box import route_of
from warehouse.retention.files import Old
from warehouse.run_folder import SealedRun, runs_back, served_name
from warehouse.trend import history_in_force
from warehouse.withdrawn import is_withdrawn


@dataclass(frozen=True)
class KnownRun:
    """What retention must know of one run of a book."""

    name: str
    as_of: date
    sealed_at: datetime
    is_withdrawn: bool = False


def protect(runs: Sequence[KnownRun], served: str | None, predecessors: int) -> dict[str, str]:
    """Return why each run of one book stays whatever its age, by its name.

    Args:
        runs: All of the book, in their order.
        served: What `current` names, None when nothing is served.
        predecessors: How many runs before the served one stay.
    """
    why: dict[str, str] = {}
    standing = [run for run in runs if not run.is_withdrawn]
    for group in (runs, standing):  # a month that was taken back whole has a newest run, too
        newest = {f"{run.as_of:%Y-%m}": run.name for run in group}
        why |= {name: f"it is the newest of {month}" for month, name in newest.items()}
    names = [run.name for run in runs]
    place = names.index(served) if served in names else len(names)
    why |= {name: "it is later than the served one" for name in names[place + 1 :]}
    before = [run for run in runs[:place] if not run.is_withdrawn]
    nearest = {*names[max(0, place - predecessors) : place]}
    nearest |= {run.name for run in before[max(0, len(before) - predecessors) :]}
    why |= {name: f"it is one of the {predecessors} before the served one" for name in nearest}
    if served in names:
        why[names[place]] = "it is served"
    return why


def old_runs(
    layout: Layout,
    settings: Settings,
    known: Sequence[SealedRun],
    receivers: Sequence[str],
    now: datetime,
) -> Iterator[Old]:
    """Yield those known runs of the settings' environment that were sealed too long ago.

    Of other environments under the same data folder nothing is said: each has its own retention.

    Raises:
        StorageError: A folder cannot be read.
    """
    days = settings.retention.runs_days
    books: dict[tuple[str, str], list[SealedRun]] = {}
    for run in known:
        if run.manifest.identity.environment == settings.environment:
            books.setdefault(run.manifest.identity.book, []).append(run)
    waiting = undelivered(layout, settings.environment, receivers)
    for book, runs in books.items():
        why = {**_protected(layout, book, runs, settings), **waiting}
        for run in runs:
            if now - run.manifest.created_at > timedelta(days=days):
                inputs = run.manifest.identity.input_sha256s
                since, told = run.manifest.created_at, f"runs are kept for {days} days"
                stays = why.get(run.name) or _looked_back_at(run, settings, now)
                yield Old("run", run.folder, since, told, stays, inputs)


def _looked_back_at(run: SealedRun, settings: Settings, now: datetime) -> str | None:
    """Return why a young enough run of a tape without a ledger stays: it is the past of others."""
    days = settings.windows.rdr_event_days
    is_young = now - run.manifest.created_at <= timedelta(days=days)
    if is_young and not TapeFacts.from_json(run.manifest.ingestion).kind.has_ledger:
        return f"its tape tells no past, so later runs look back at it for {days} days"
    return None


def _protected(
    layout: Layout, book: tuple[str, str], runs: Sequence[SealedRun], settings: Settings
) -> dict[str, str]:
    own = layout.of_book(book)
    served = served_name(own) if own.current.exists() else None
    known = [
        KnownRun(
            run.name,
            run.manifest.identity.as_of,
            run.manifest.created_at,
            is_withdrawn(layout, run.name),
        )
        for run in runs
    ]
    why = protect(known, served, settings.retention.predecessors)
    history = history_in_force(own, runs_back(own, book, date.max))
    if history is not None:
        why.setdefault(history.folder.name, "past days were worked out from it")
    return why


def undelivered(layout: Layout, environment: str, receivers: Sequence[str]) -> dict[str, str]:
    """Return which runs a receiver has not got all of, and which receiver that is.

    A message that was given up because it was no news any more binds nothing: it was told so.

    Args:
        layout: Where the runs lie.
        environment: Whose deliveries.
        receivers: Those that are set; others are found by their folder.
    """
    root = layout.delivery / environment
    found = [path.name for path in root.iterdir() if path.is_dir()] if root.is_dir() else []
    mail = Mail(layout, environment)
    waiting: dict[str, str] = {}
    for receiver in sorted({*receivers, *found}):
        box = open_box(layout, receiver, environment)
        refused = {
            name for name, path in box.refused().items() if _code(path) != MessageExpiredError.code
        }
        names = {item.name for item in box.pending()} | refused
        route = route_of(receiver)
        if route is not None:  # an item is a message there, and tells its run
            messages = [item for item in mail.of(route, receiver) if item.name in names]
            names = {item.run.name for item in messages if item.run is not None}
        waiting |= dict.fromkeys(names, f"{receiver} has not got all of it")
    return waiting


def _code(refusal: Path) -> object:
    with suppress(OSError, ValueError, LookupError, TypeError):
        return json.loads(refusal.read_bytes())["code"]
    return None  # damaged: it may be anything, so it binds
