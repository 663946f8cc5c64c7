"""Tell on stderr how many days are done: in place on a terminal, else a line now and then."""

import time
from collections.abc import Generator
from contextlib import contextmanager, nullcontext

from rich.console import Console
from rich.status import Status

from warehouse.backfill import Told

_QUIET_SECONDS, _LINE_SECONDS = 2, 10  # what is done sooner needs no word


@contextmanager
def count_days(console: Console, doing: str) -> Generator[Told]:
    """Yield what is told how many days are done, of how many; `doing` says what with them."""
    with console.status(f"{doing} …") if console.is_terminal else nullcontext() as status:
        yield _Days(console, status, doing)


class _Days:
    def __init__(self, console: Console, status: Status | None, doing: str) -> None:
        self._console, self._status, self._doing = console, status, doing
        self._next = time.monotonic() + _QUIET_SECONDS

    def __call__(self, done: int, of: int) -> None:
        line = f"{self._doing}: {done:,} of {of:,} days"
        if self._status is not None:
            self._status.update(f"{line} …")
        elif time.monotonic() > self._next:
            self._console.print(line, soft_wrap=True)
            self._next = time.monotonic() + _LINE_SECONDS
