"""Serve an earlier run again: one pointer, after every byte of it was checked."""

from dataclasses import dataclass
from datetime import datetime

from settings.errors import UsageError
from warehouse.layout import Layout
from warehouse.lock import hold_lock
from warehouse.rollback_record import Decision, keep_rollback
from warehouse.run_folder import SealedRun, list_runs, publish, served_name
from warehouse.verify import check_folder
from warehouse.withdrawn import is_withdrawn, restore, withdraw


class NoReasonError(UsageError):
    """A rollback was asked for without saying why."""

    code = "NO_REASON"


class NothingToRollBackError(UsageError):
    """There is no other run to serve."""

    code = "NOTHING_TO_ROLL_BACK"


@dataclass(frozen=True)
class RolledBack:
    """What was served, what is served now, the runs taken back for it, and those before it."""

    before: str | None
    now: SealedRun
    withdrawn: tuple[str, ...]
    still_withdrawn: tuple[str, ...]  # of earlier rollbacks: naming one serves it again


def roll_back(layout: Layout, run: str | None, reason: str, now: datetime, code: str) -> RolledBack:
    """Serve `run`, or the newest before the served one, and withdraw every later run of the book.

    What is decided is written down first, for the audit store. A run that was withdrawn is served
    again by naming it. Only the pointer moves: nothing sealed
    is touched, and the next tape of a later day is served as always.

    Raises:
        HashMismatchError: That run is not what was sealed; nothing has changed.
        LockHeldError: A run is at work.
        NoReasonError: `reason` is blank.
        NothingToRollBackError: There is no such run of this book.
        StorageError: The disk refused.
    """
    if not reason.strip():
        raise NoReasonError("--reason is blank", fix='say why, for the audit: --reason "TEXT"')
    with hold_lock(layout.lock, "rollback", now):
        before = served_name(layout) if layout.current.exists() else None
        runs = [r for r in list_runs(layout) if layout.of_book(r.manifest.identity.book) == layout]
        target = _target(layout, runs, run, before)
        check_folder(target.folder)
        later = tuple(r.name for r in runs if r.manifest.order > target.manifest.order)
        keep_rollback(layout, Decision(target, before, later, reason, now, code))
        for name in later:  # first: what serves a withdrawn run by mistake is this very command
            withdraw(layout, name, target.name, reason, now, code)
        restore(layout, target.name)
        publish(layout, target, backward=True)
    still = [r.name for r in runs if r.name not in later and is_withdrawn(layout, r.name)]
    return RolledBack(before, target, later, tuple(still))


def _target(
    layout: Layout, runs: list[SealedRun], run: str | None, served: str | None
) -> SealedRun:
    if run is not None:
        named = [r for r in runs if r.name == run]
        if named:
            return named[0]
        raise NothingToRollBackError(
            f"no readable run {run} of {layout.book}", fix="name one that `tapewatch runs` lists"
        )
    names = [r.name for r in runs]
    end = names.index(served) if served in names else len(runs)
    sound = [r for r in runs[:end] if r.name != served and not is_withdrawn(layout, r.name)]
    if not sound:
        raise NothingToRollBackError(
            f"{layout.book} has no run before the served one", fix="see `tapewatch runs`"
        )
    return sound[-1]
