"""Spare Cascade: the circuit breaker and the requests of the last minute, shared by all processes.

Both live in one small file, so they survive a restart and bind the runs side by side.
"""

import fcntl
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from settings.connections import CascadeSettings
from settings.errors import SourceUnavailableError
from warehouse.durable import create_private, durable_write, make_folder
from warehouse.storage_errors import typed_storage

# Two requests 60 s apart here can arrive closer together there.
_WINDOW_SECONDS = 61.0

_Time = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class CircuitOpenError(SourceUnavailableError):
    """Too many requests in a row failed: Cascade is left alone for a while."""

    code = "CIRCUIT_OPEN"
    can_heal = False  # not within the retries of a phase


@dataclass(frozen=True)
class _State:
    """What the file says; the times are seconds of the wall clock, which outlives a process."""

    failures: Annotated[int, Field(ge=0)] = 0  # in a row
    opened_at: _Time | None = None  # None: the breaker is closed
    probe_at: _Time | None = None  # when the one request that tries an open breaker began
    requests: tuple[_Time, ...] = ()

    def not_after(self, now: float) -> "_State":
        """Return the state without times of the future: a clock set back must not block for ever.

        A time beyond `now` becomes `now`, so that it still counts, and for no longer than it may.
        """
        return replace(
            self,
            opened_at=None if self.opened_at is None else min(self.opened_at, now),
            probe_at=None if self.probe_at is None else min(self.probe_at, now),
            requests=tuple(sorted(min(at, now) for at in self.requests)),
        )


class Guard:
    """Says before each request whether it may go out, and learns after it how it went."""

    def __init__(self, settings: CascadeSettings, folder: Path, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._file = folder / "cascade_guard.json"
        self._clock = clock

    def admit(self) -> float:
        """Count one request and return 0, or return how many seconds it must wait first.

        Raises:
            CircuitOpenError: Cascade is left alone; the message says until when.
            StorageError: The state cannot be kept.
        """
        with self._locked():
            now = self._clock()
            state = self._read(now)
            self._write(state)  # also before a refusal: times are clamped once, not at each look
            if (until := self._closed_until(state)) > now:
                raise _circuit_open(until, state.failures)
            recent = tuple(at for at in state.requests if now - at < _WINDOW_SECONDS)
            limit = self._settings.requests_per_minute
            if len(recent) >= limit:
                return recent[-limit] + _WINDOW_SECONDS - now
            probe_at = None if state.opened_at is None else now
            self._write(replace(state, requests=(*recent, now), probe_at=probe_at))
            return 0.0

    def record(self, *, failed: bool) -> bool:
        """Learn how an admitted request went, and return whether the breaker is open now.

        Raises:
            StorageError: The state cannot be kept.
        """
        with self._locked():
            now = self._clock()
            state = self._read(now)
            failures = state.failures + 1 if failed else 0
            is_probe_lost = failed and state.opened_at is not None
            is_open = is_probe_lost or failures >= self._settings.breaker_failures
            opened_at = now if is_open else None
            self._write(replace(state, failures=failures, opened_at=opened_at, probe_at=None))
            return is_open

    def _closed_until(self, state: _State) -> float:
        if state.opened_at is None:
            return 0.0
        until = state.opened_at + self._settings.breaker_seconds
        if state.probe_at is None:
            return until
        # A probe whose process died says nothing: after its deadline the next one may go.
        return max(until, state.probe_at + float(self._settings.total_seconds))

    @contextmanager
    def _locked(self) -> Generator[None, None, None]:
        """Hold the file's own lock; it is held for milliseconds, so waiting for it is right."""
        lock = self._file.with_suffix(".lock")
        make_folder(lock.parent)
        with typed_storage(lock):
            fd = create_private(lock, flags=0)
        try:
            with typed_storage(lock):
                fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def _read(self, now: float) -> _State:
        try:
            with typed_storage(self._file):
                text = self._file.read_bytes() if self._file.exists() else b"{}"
            return _STATE.validate_json(text).not_after(now)
        except ValidationError:  # a rotten file is an empty one: it must not stop the daily run
            return _State()

    def _write(self, state: _State) -> None:
        durable_write(self._file, _STATE.dump_json(state))


def _circuit_open(until: float, failures: int) -> CircuitOpenError:
    at = f"{datetime.fromtimestamp(until, UTC):%H:%M:%S} UTC"
    return CircuitOpenError(
        f"{failures} requests to Cascade failed in a row, so none is sent: retry after {at}",
        fix=f"find the cause in the last pipeline log, and run again after {at}",
        evidence={"retry_after": at, "failures": failures},
    )


_STATE = TypeAdapter(_State)
