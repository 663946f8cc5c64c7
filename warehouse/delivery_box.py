"""What a receiver has got so far: receipts, refusals, and when it may be tried again.

All of it are small files in delivery/<environment>/<receiver>/: received/<item>.json,
refused/<item>.json, and state.json. What is sent lies in the run folders and attempts.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from settings.connections import DeliverySettings
from settings.errors import (
    ConfigError,
    DataRejectedError,
    SourceUnavailableError,
    TapewatchError,
)
from warehouse.attempt_folder import utc_text
from warehouse.durable import durable_write, make_folder
from warehouse.json_text import pretty_json
from warehouse.layout import Layout
from warehouse.storage_errors import typed_storage


class RefusedError(DataRejectedError):
    """The receiver will never take this item: trying again cannot help."""

    code = "DELIVERY_REFUSED"


class NotYetError(ConfigError):
    """The receiver cannot take this item yet; it waits, and holds no other back."""

    code = "DELIVERY_NOT_YET"


class AskedToWaitError(SourceUnavailableError):
    """The receiver is asked too often, and says how long it wants to be left alone."""

    code = "RATE_LIMITED"

    def __init__(self, message: str, *, fix: str, seconds: float) -> None:
        super().__init__(message, fix=fix)
        self.seconds = seconds


@dataclass(frozen=True)
class Parcel:
    """One thing to send; `since` is when it could first be sent: the oldest goes first."""

    name: str
    since: datetime

    @property
    def items(self) -> int:
        """How many items this is."""
        return 1


@dataclass(frozen=True)
class State:
    """How a receiver does: failures in a row, and when it may be tried again."""

    failures: int = 0
    not_before: AwareDatetime | None = None
    code: str | None = None
    message: str | None = None
    noted_at: AwareDatetime | None = None
    is_asked: bool = False  # the receiver named the time: a person who asks does not shorten it

    def is_resting(
        self, now: datetime, settings: DeliverySettings, *, is_now: bool = False
    ) -> bool:
        """Return whether it is too early to try again; a clock set back makes nobody wait."""
        if self.not_before is None or (is_now and not self.is_asked):
            return False
        if self.noted_at is not None:
            return self.noted_at <= now < self.not_before
        longest = now + timedelta(seconds=settings.retry_max_seconds)
        return now < self.not_before <= longest


@dataclass(frozen=True)
class Backlog:
    """How far a receiver is behind; `oldest` is since when the oldest pending item waits."""

    pending: int
    oldest: datetime | None
    refused: tuple[str, ...]
    state: State


ANNOUNCED = "announced.jsonl"  # beside the boxes: what people said themselves, and who
_STATE = TypeAdapter(State)
_ASKED_SECONDS_MAX = 3600.0  # a Retry-After beyond it is a mistake, and would silence for ever
ParcelT = TypeVar("ParcelT", bound=Parcel)
AnswerT = TypeVar("AnswerT")


class Box(ABC, Generic[ParcelT, AnswerT]):
    """The items of one environment for one receiver, and what became of each."""

    def __init__(self, layout: Layout, receiver: str, environment: str) -> None:
        """Know the folders; nothing is made before the first receipt."""
        self._layout = layout
        self._environment = environment
        self._receiver = receiver
        self._root = delivery_folder(layout, environment) / receiver

    @abstractmethod
    def pending(self, store: str | None = None) -> list[ParcelT]:
        """Return what has neither receipt nor refusal, oldest first.

        Args:
            store: Only receipts of this one count; without it those of any.

        Raises:
            StorageError: A folder cannot be read.
        """

    @abstractmethod
    def keep_receipt(self, item: ParcelT, answer: AnswerT, store: str, now: datetime) -> None:
        """Write down that the item has arrived; an older refusal of it is forgotten.

        Raises:
            StorageError: The disk refused: it will be sent again.
        """

    def due(
        self, store: str, now: datetime, settings: DeliverySettings
    ) -> tuple[Sequence[ParcelT], int]:
        """Return what may be sent now, in its order, and how many items are pending in all.

        Raises:
            StorageError: A folder cannot be read.
        """
        del now, settings  # an item of the audit store may be sent at any time
        pending = self.pending(store)
        return pending, len(pending)

    def take_place(self, item: ParcelT, now: datetime) -> bool:
        """Return whether the day has room for one more item; it always has, as a rule."""
        del item, now
        return True

    def give_place_back(self) -> None:
        """Learn that an item which took a place was not sent; nothing as a rule."""

    def in_short(self, held: Sequence[ParcelT], now: datetime) -> Iterable[ParcelT]:
        """Return what stands for the items that the day had no room for; nothing as a rule."""
        del held, now
        return ()

    def expired(
        self, now: datetime, settings: DeliverySettings
    ) -> Iterable[tuple[ParcelT, RefusedError]]:
        """Return what has become too old to be sent, with why; nothing as a rule."""
        del now, settings
        return ()

    def begin(self, now: datetime) -> None:
        """Learn that deliveries begin; nothing as a rule.

        Raises:
            StorageError: The disk refused.
        """

    @abstractmethod
    def set_receipts_aside(self) -> None:
        """Count nothing as received, where the receiver may have lost it.

        Raises:
            StorageError: The disk refused.
        """

    def backlog(self) -> Backlog:
        """Return how many items are pending and refused, and how old the oldest is.

        Raises:
            StorageError: A folder cannot be read.
        """
        pending = self.pending()
        oldest = min((item.since for item in pending), default=None)
        return Backlog(len(pending), oldest, tuple(sorted(self.refused())), self.state())

    def refused(self) -> dict[str, Path]:
        """Return the files that tell why an item was refused, by the name of the item."""
        return {path.stem: path for path in (self._root / "refused").glob("*.json")}

    def keep_refusal(self, item: ParcelT, error: TapewatchError, now: datetime) -> None:
        """Write down that the item will never be taken.

        Raises:
            StorageError: The disk refused.
        """
        folder = make_folder(self._root / "refused")
        told = {
            "item": item.name,
            "refused_at": utc_text(now),
            "code": error.code,
            "message": error.message,
        }
        durable_write(folder / f"{item.name}.json", pretty_json(told))

    def retry_refused(self, now: datetime) -> None:
        """Let every refused item be tried again.

        Raises:
            StorageError: The disk refused.
        """
        del now  # an item of the audit store is never too old
        for name in self.refused():
            self._forget_refusal(name)

    def state(self) -> State:
        """Return how the receiver does; a damaged file counts as no failure."""
        with suppress(OSError, ValidationError):
            return _STATE.validate_json((self._root / "state.json").read_bytes())
        return State()

    def note_success(self) -> None:
        """Forget the failures, if there were any.

        Raises:
            StorageError: The disk refused.
        """
        path = self._root / "state.json"
        with typed_storage(path):
            path.unlink(missing_ok=True)

    def note_failure(
        self, error: TapewatchError, settings: DeliverySettings, now: datetime
    ) -> None:
        """Count one more failure in a row, and wait twice as long as after the last.

        A receiver that named a time gets that time.

        Raises:
            StorageError: The disk refused.
        """
        failures = self.state().failures + 1
        doubled = settings.retry_seconds * 2 ** min(failures - 1, 16)
        seconds = float(min(doubled, settings.retry_max_seconds))
        is_asked = isinstance(error, AskedToWaitError)
        if isinstance(error, AskedToWaitError):
            seconds = min(error.seconds, _ASKED_SECONDS_MAX)
        until = now + timedelta(seconds=seconds)
        state = State(failures, until, error.code, error.message, now, is_asked)
        told = {**asdict(state), "not_before": utc_text(until), "noted_at": utc_text(now)}
        durable_write(make_folder(self._root) / "state.json", pretty_json(told))

    def _forget_refusal(self, name: str) -> None:
        path = self._root / "refused" / f"{name}.json"
        with typed_storage(path):
            path.unlink(missing_ok=True)


def delivery_folder(layout: Layout, environment: str) -> Path:
    """Return where everything about the deliveries of one environment lies."""
    return layout.delivery / environment
