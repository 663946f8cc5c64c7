"""What became of the attempts of one environment, portfolio by portfolio."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import get_args

from prometheus.index import FileIndex, file_paths
from settings.errors import DataRejectedError
from warehouse.attempt_state import AttemptRecord, read_attempt
from warehouse.job import Outcome
from warehouse.layout import Layout

OUTCOMES: tuple[str, ...] = (*get_args(Outcome), "failed", "canceled", "abandoned")
_RUNNING = "running"
_FAILURES = ("failed", "abandoned")  # who stops a run knows it


class DamagedAttemptError(DataRejectedError):
    """A record of attempts/ is no record, so that no count of attempts is right."""

    code = "DAMAGED_ATTEMPT"


@dataclass(frozen=True, slots=True)
class PastAttempt:
    """What is kept of one attempt; moments are seconds since 1970."""

    portfolio: str
    status: str
    outcome: str  # that of an attempt that ended well, else its status
    code: str
    started: float
    ended: float | None  # nobody knows when an abandoned one died
    phase_seconds: Mapping[str, float]
    trace_id: str | None

    @property
    def seconds(self) -> float | None:
        """How long it took, if that is known."""
        return None if self.ended is None else self.ended - self.started

    @property
    def is_good(self) -> bool:
        """Whether it ended well."""
        return self.status == "success"

    @property
    def is_failure(self) -> bool:
        """Whether it ended badly and nobody had asked for that."""
        return self.status in _FAILURES


@dataclass(frozen=True)
class History:
    """The attempts of one portfolio in the order they ended; one at most is in progress."""

    ended: tuple[PastAttempt, ...]
    running: PastAttempt | None

    @property
    def good(self) -> tuple[PastAttempt, ...]:
        """Those that ended well."""
        return tuple(attempt for attempt in self.ended if attempt.is_good)

    @property
    def last_success(self) -> float | None:
        """When the newest attempt that ended well did so."""
        return max((a.ended for a in self.good if a.ended is not None), default=None)

    @property
    def last_failures(self) -> dict[str, float]:
        """When each code was last the end of an attempt; an abandoned one counts as it began."""
        failed = [attempt for attempt in self.ended if attempt.is_failure]
        # in the order they ended: the last one of a code is the one that stays
        return {a.code: a.started if a.ended is None else a.ended for a in failed}

    @property
    def failures_since_success(self) -> int:
        """How many have failed since then, all if none ever ended well."""
        count = 0
        for attempt in reversed(self.ended):
            if attempt.is_good:
                break
            count += attempt.is_failure
        return count


class AttemptIndex:
    """Every attempt of one environment, read once each."""

    def __init__(self, layout: Layout, environment: str) -> None:
        """Know where they lie; nothing is read yet."""
        self._folder = layout.attempts
        self._environment = environment
        self._files = FileIndex(self._load)

    def read(self) -> dict[str, History]:
        """Return the history of each portfolio as it is now.

        Raises:
            DamagedAttemptError: A record cannot be understood.
            StorageError: A record cannot be read.
            OSError: The folder cannot be read.
        """
        paths = file_paths(self._folder, ".json")
        attempts = [self._files.read(path) for path in paths]
        self._files.keep_only(paths)
        by_portfolio: dict[str, list[PastAttempt]] = {}
        for attempt in attempts:
            if attempt is not None:
                by_portfolio.setdefault(attempt.portfolio, []).append(attempt)
        return {name: _history(found) for name, found in sorted(by_portfolio.items())}

    def _load(self, path: Path) -> PastAttempt | None:
        record = read_attempt(path)
        if record is None:
            raise _damaged(path)
        if record.environment != self._environment:
            return None
        try:
            return _past(record)
        except ValueError:
            raise _damaged(path) from None


def _past(record: AttemptRecord) -> PastAttempt:
    is_good = record.status == "success"
    return PastAttempt(
        portfolio=record.portfolio,
        status=record.status,
        outcome=record.outcome or record.status if is_good else record.status,
        code=record.error.code if record.error else "",
        started=_seconds(record.started_at),
        ended=None if record.ended_at is None else _seconds(record.ended_at),
        phase_seconds=record.phase_seconds,
        trace_id=record.trace_id,
    )


def _history(attempts: list[PastAttempt]) -> History:
    # attempts follow one another under one lock: an unknown end lies before the next beginning
    ended = (attempt for attempt in attempts if attempt.status != _RUNNING)
    running = (attempt for attempt in attempts if attempt.status == _RUNNING)
    return History(
        tuple(sorted(ended, key=lambda a: (a.started if a.ended is None else a.ended, a.started))),
        max(running, key=lambda attempt: attempt.started, default=None),
    )


def _seconds(text: str) -> float:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment.timestamp()


def _damaged(path: Path) -> DamagedAttemptError:
    return DamagedAttemptError(
        f"{path} is no attempt record, so the attempts cannot be counted",
        fix="restore the file from a backup, or move it out of attempts/",
        evidence={"file": str(path)},
    )
