"""Measure time and peak memory of each phase, and of each SQL file in it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar

from warehouse.engine import WATCH
from warehouse.watched import watched

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

T = TypeVar("T")
_MEGABYTE = 1 << 20
_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


@dataclass
class Cost:
    """Seconds and calls of one phase or one SQL file, and the process's peak meanwhile in MB.

    `peak_mb` is None where the system does not tell it (anywhere but on Linux).
    """

    phase: str
    name: str
    seconds: float = 0.0
    calls: int = 0
    peak_mb: float | None = None

    def add(self, seconds: float, peak_mb: float | None, calls: int = 1) -> None:
        """Count one more call in."""
        self.seconds += seconds
        self.calls += calls
        if peak_mb is not None:
            self.peak_mb = max(self.peak_mb or 0.0, peak_mb)


@dataclass
class Profile:
    """What a run cost: by phase in the order of the run, and by SQL file."""

    phases: dict[str, Cost] = field(default_factory=dict[str, Cost])
    files: dict[tuple[str, str], Cost] = field(default_factory=dict[tuple[str, str], Cost])
    phase: str = ""

    @contextmanager
    def of_phase(self, name: str) -> Generator[None, None, None]:
        """Measure one phase, and every statement that runs in it."""
        cost = self.phases.setdefault(name, Cost(name, name))
        token, self.phase = WATCH.set(self._watch), name
        started, _ = perf_counter(), _reset_peak()
        try:
            yield
        finally:
            cost.add(perf_counter() - started, _peak_mb())
            WATCH.reset(token)

    def measure(self, name: str, step: Callable[[], T], calls: int = 1) -> T:
        """Run one step of a statement of the SQL file `name`."""
        self.phases[self.phase].add(0.0, _peak_mb(), calls=0)  # the reset would lose it
        started, _ = perf_counter(), _reset_peak()
        try:
            return step()
        finally:
            cost = self.files.setdefault((self.phase, name), Cost(self.phase, name))
            cost.add(perf_counter() - started, _peak_mb(), calls)

    def _watch(self, db: DuckDBPyConnection) -> DuckDBPyConnection:
        return watched(db, self)


def _reset_peak() -> None:
    with suppress(OSError):  # without the right to, or the file: the peak is that of the process
        _CLEAR.write_text("5", encoding="ascii")


def _peak_mb() -> float | None:
    if not _STATUS.exists():
        return None
    for line in _STATUS.read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return round(int(line.split()[1]) * 1024 / _MEGABYTE, 1)
    return None
