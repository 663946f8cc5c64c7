"""One writer at a time: a flock that the system drops when its process dies.

The lock file is its own inode that nothing else opens: DuckDB's own lock is lost when any
descriptor of the database file is closed in the same process.
"""

import errno
import fcntl
import json
import os
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from settings.errors import BusyError
from warehouse.durable import create_private, make_folder, write_all
from warehouse.failpoints import fail_point
from warehouse.json_text import line_json
from warehouse.storage_errors import typed_storage

_WAIT_SECONDS = 1.0  # between two tries of who waits
_LOOKS, _LOOK_SECONDS = 20, 0.005  # a run that takes the lock writes its name in much less


class LockHeldError(BusyError):
    """Another run is at work on the same data folder."""


@dataclass(frozen=True)
class HeldLock:
    """Proof of being the single writer, and what others read while they wait."""

    pid: int
    since: str
    attempt_id: str


@contextmanager
def hold_lock(path: Path, attempt_id: str, now: datetime) -> Generator[HeldLock, None, None]:
    """Be the single writer for the length of the block; never wait for another.

    Raises:
        LockHeldError: Another run holds the lock; the message says which process, since when.
        StorageError: The lock file cannot be opened.
    """
    held = HeldLock(os.getpid(), now.isoformat(timespec="seconds"), attempt_id)
    make_folder(path.parent)
    with typed_storage(path):
        fd = create_private(path, flags=0)
    try:
        _take(fd, path)
        with typed_storage(path):
            os.ftruncate(fd, 0)
            write_all(fd, line_json(asdict(held)))
        fail_point("lock_taken")
        yield held
    finally:
        os.close(fd)  # the file stays: unlinking it would let two runs hold two inodes


@contextmanager
def wait_for_lock(
    path: Path, attempt_id: str, now: datetime, seconds: float
) -> Generator[HeldLock, None, None]:
    """Be the single writer for the length of the block, once another has ended in time.

    Raises:
        LockHeldError: Another still holds the lock when the seconds are over.
        StorageError: The lock file cannot be opened.
    """
    until = time.monotonic() + seconds
    with ExitStack() as stack:
        while True:
            try:
                held = stack.enter_context(hold_lock(path, attempt_id, now))
                break
            except LockHeldError:
                if time.monotonic() >= until:
                    raise
                time.sleep(_WAIT_SECONDS)
        yield held


def _take(fd: int, path: Path) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno == errno.EWOULDBLOCK:
            raise _busy(path) from None
        with typed_storage(path):
            raise


def living_holder(path: Path) -> HeldLock | None:
    """Return whose name is in the lock file if its process is seen from here; takes no lock."""
    with suppress(OSError, ValueError, TypeError):
        holder = HeldLock(**json.loads(path.read_bytes()))
        os.kill(holder.pid, 0)
        return holder
    return None


def _busy(path: Path) -> LockHeldError:
    holder = _holder(path)
    who = "another run" if holder is None else f"pid {holder.pid} since {holder.since}"
    return LockHeldError(
        f"{who} holds {path}",
        fix="wait until it has finished, then run the same command again",
        evidence={} if holder is None else asdict(holder),
    )


def _holder(path: Path) -> HeldLock | None:
    """Return who holds the lock, None when it does not write its name in time."""
    holder = None
    for _ in range(_LOOKS):
        with suppress(OSError, ValueError, TypeError):
            holder = HeldLock(**json.loads(path.read_bytes()))
            os.kill(holder.pid, 0)  # the name may still be that of a run that has ended
            return holder
        time.sleep(_LOOK_SECONDS)
    return holder  # perhaps of another container, whose processes are not seen from here
