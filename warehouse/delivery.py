"""Send what is pending: every receiver in its own thread, none can hold up a run or another."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import JsonValue

from settings.connections import DeliverySettings
from settings.errors import (
    InternalError,
    SourceUnavailableError,
    StorageError,
    TapewatchError,
)
from warehouse.attempt_folder import describe_error
from warehouse.delivery_box import (
    AskedToWaitError,
    Box,
    NotYetError,
    Parcel,
    RefusedError,
    delivery_folder,
)
from warehouse.delivery_boxes import is_fallback, open_boxes
from warehouse.layout import Layout
from warehouse.lock import LockHeldError, hold_lock
from warehouse.manifest import HashMismatchError
from warehouse.storage_errors import typed_storage
from warehouse.tracing import tell_step

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


_SLOWER = 2  # than the slowest before it an item may be: one cut short would be sent twice
_LAST_WORDS_SECONDS = 0.5  # for a receiver that gives up exactly when its time is over


class ReceiverHangsError(SourceUnavailableError):
    """A receiver did not answer in the time that a run can give."""

    code = "RECEIVER_HANGS"


class Receiver(Protocol):
    """Takes the items of its box: the audit store runs and attempts, a channel messages."""

    @property
    def name(self) -> str:
        """A short name that is safe as a folder's."""
        ...

    @property
    def store(self) -> str:
        """Where it is, for people: what another one there has received counts for nothing."""
        ...

    def send(self, item: Any, seconds: float, /) -> Any:  # noqa: ANN401 - its box's two types
        """Deliver one item within `seconds` and return the answer that its receipt keeps.

        Raises:
            RefusedError: It will never be taken.
            TapewatchError: It was not taken now.
        """
        ...


class Deliver(Protocol):
    """Send what is pending; what a run is given to tell others that it has ended."""

    def __call__(self, layout: Layout, log: FilteringBoundLogger, /) -> Sequence[Delivered]:
        """Return how it went for each receiver; never raises for a receiver's sake."""
        ...


@dataclass(frozen=True)
class Delivered:
    """How it went for one receiver: items by what became of them, and what stopped it."""

    receiver: str
    sent: int = 0
    refused: int = 0
    pending: int = 0
    error: TapewatchError | None = None
    is_waiting: bool = False  # after a failure: not tried before its time has come

    def facts(self) -> dict[str, JsonValue]:
        """Return what the summary and the log tell."""
        told: dict[str, JsonValue] = {"sent": self.sent, "refused": self.refused}
        told["pending"] = self.pending
        if self.error is not None:
            told |= {"code": self.error.code, "message": self.error.message}
        return told


def facts_by_receiver(delivered: Sequence[Delivered]) -> dict[str, JsonValue]:
    """Return what the summary tells of all receivers."""
    return {result.receiver: result.facts() for result in delivered}


def failures(delivered: Sequence[Delivered]) -> list[TapewatchError]:
    """Return what kept items from receivers; one that asked to wait gets them later by itself."""
    errors = [result.error for result in delivered if result.error is not None]
    return [error for error in errors if not isinstance(error, AskedToWaitError)]


@dataclass(frozen=True)
class Order:
    """What is asked of a delivery: how long it may take, and whether failures are waited out."""

    seconds: float
    is_now: bool = False  # a person asked: receivers that failed a moment ago are tried too
    is_again: bool = False  # also what has a receipt: the store was restored


def deliver(
    layout: Layout,
    receivers: Sequence[Receiver],
    environment: str,
    settings: DeliverySettings,
    order: Order,
) -> tuple[Delivered, ...]:
    """Send every receiver what it lacks, oldest first, until all is sent or the time is over.

    What one of them refuses is then told in the fallback channel, if there is one.

    Raises:
        LockHeldError: Another delivery is at work.
        StorageError: The disk refused.
    """
    folder = delivery_folder(layout, environment)
    with hold_lock(folder / "lock", "delivery", datetime.now(UTC)):
        _sweep(folder)
        until = time.monotonic() + max(0.0, order.seconds - _LAST_WORDS_SECONDS)
        slowest = 0.0

        def send_to(some: Sequence[Receiver]) -> list[Delivered]:
            nonlocal slowest
            boxes = open_boxes(layout, [each.name for each in some], environment, settings)
            works = [_Work(each, box, settings) for each, box in zip(some, boxes, strict=True)]
            for work in works:
                work.start(order, until, slowest)
            results = [work.wait(until) for work in works]
            slowest = max([slowest, *(work.slowest for work in works)])
            return results

        told = send_to(receivers)
        fallback = [each for each in receivers if is_fallback(each.name)]
        if any(result.refused for result in told) and time.monotonic() < until:
            more = {result.receiver: result for result in send_to(fallback)}
            told = [_both(result, more.get(result.receiver)) for result in told]
        return tuple(told)


def _both(first: Delivered, then: Delivered | None) -> Delivered:
    """Return how two deliveries to one receiver went together."""
    if then is None:
        return first
    sent, refused = first.sent + then.sent, first.refused + then.refused
    return replace(then, sent=sent, refused=refused, error=first.error or then.error)


def try_to_deliver(
    layout: Layout,
    receivers: Sequence[Receiver],
    environment: str,
    settings: DeliverySettings,
    log: FilteringBoundLogger,
) -> tuple[Delivered, ...]:
    """Deliver at the end of a run: within its seconds, and whatever happens the run stays good."""
    order = Order(float(settings.run_seconds))
    try:
        delivered = deliver(layout, receivers, environment, settings, order)
    except LockHeldError:
        log.info("another delivery is at work")
        return ()
    except TapewatchError as error:
        log.error("nothing delivered", code=error.code, message=error.message)
        return ()
    for result in delivered:
        level = log.error if result.error or result.refused else log.info
        level("delivered", receiver=result.receiver, **result.facts())
    return delivered


class _Work:
    """The delivery to one receiver, in a thread that may be left behind hanging."""

    def __init__(self, receiver: Receiver, box: Box[Any, Any], settings: DeliverySettings) -> None:
        self._receiver = receiver
        self._box = box
        self._settings = settings
        self._result = Delivered(receiver.name)
        self._thread: Thread | None = None
        self._lock = Lock()
        self.slowest = 0.0  # seconds of one item
        self._is_left = False  # the time was over: what the thread still does is told nobody
        self._began = 0

    def start(self, order: Order, until: float, slowest: float) -> None:
        """Begin to send; an item takes `slowest` seconds as far as others have shown."""
        self.slowest = slowest
        self._began = time.time_ns()
        # a daemon: the process ends without a thread that waits for a dead server
        self._thread = Thread(
            target=self._run, args=(order, until), name=self._receiver.name, daemon=True
        )
        self._thread.start()

    def wait(self, until: float) -> Delivered:
        assert self._thread is not None  # noqa: S101 - `start` made it
        # one end for all: as many receivers as hang would each have last words of their own
        self._thread.join(max(0.0, until + _LAST_WORDS_SECONDS - time.monotonic()))
        result = self._leave() if self._thread.is_alive() else self._result
        sent, pending = result.sent, result.pending
        facts = {"receiver": result.receiver, "sent": sent, "pending": pending}
        tell_step("deliver", self._began, result.error, **facts, refused=result.refused)
        return result

    def _leave(self) -> Delivered:
        """Count one failure of a receiver that hangs; its thread counts none after this."""
        name = self._receiver.name
        error = ReceiverHangsError(
            f"{name} did not answer in time", fix=f"see whether {name} is up"
        )
        with self._lock:
            self._is_left = True
            self._box.note_failure(error, self._settings, datetime.now(UTC))
        return replace(self._result, error=error)

    def _note(self, error: TapewatchError | None) -> None:
        with self._lock:
            if self._is_left:
                return
            if error is None:
                self._box.note_success()
            else:
                self._box.note_failure(error, self._settings, datetime.now(UTC))

    def _run(self, order: Order, until: float) -> None:
        try:
            self._send_pending(order, until)
        except TapewatchError as error:
            self._result = replace(self._result, error=error)
        except Exception as error:  # noqa: BLE001 - the edge of the thread: all must be told
            told = describe_error(error)
            broken = InternalError(f"{self._receiver.name}: {told.message}", fix=told.fix)
            self._result = replace(self._result, error=broken)

    def _send_pending(self, order: Order, until: float) -> None:
        now = datetime.now(UTC)
        self._prepare(order, now)
        items, pending = self._box.due(self._receiver.store, now, self._settings)
        self._result = replace(self._result, pending=pending)
        if self._box.state().is_resting(now, self._settings, is_now=order.is_now):
            self._result = replace(self._result, is_waiting=bool(items))
            return
        with closing(self._turns(items, now)) as turns:
            for item in turns:
                if self._is_too_late(until) or not self._try(item, until):
                    return
        if items:
            self._note(None)

    def _turns(self, items: Sequence[Parcel], now: datetime) -> Generator[Parcel, None, None]:
        """Yield what the day has room for, and then what stands for the rest.

        An item takes its place when it is its turn, and keeps it once it was sent: what a channel
        that rests or fails has to say takes none from the others.
        """
        held: list[Parcel] = []
        for item in items:
            if not self._box.take_place(item, now):
                held.append(item)
                continue
            sent = self._result.sent
            try:
                yield item
            finally:
                if self._result.sent == sent:
                    self._box.give_place_back()
        yield from self._box.in_short(held, now)

    def _try(self, item: Parcel, until: float) -> bool:
        """Send one item; return whether there may be time for another."""
        began = time.monotonic()
        try:
            self._send(item, until)
        except TapewatchError as error:
            if self._result.sent and time.monotonic() >= until:
                return False  # it took what came before: the time was over, not its strength
            self._note(error)
            raise
        self.slowest = max(self.slowest, time.monotonic() - began)
        return True

    def _is_too_late(self, until: float) -> bool:
        """Whether an item that is begun now may arrive with nobody left to hear the answer."""
        return until - time.monotonic() <= _SLOWER * self.slowest

    def _prepare(self, order: Order, now: datetime) -> None:
        if order.is_again:
            self._box.set_receipts_aside()
        self._box.begin(now)
        for item, error in self._box.expired(now, self._settings):
            self._refuse(item, error)

    def _send(self, item: Parcel, until: float) -> None:
        try:
            answer = self._receiver.send(item, until - time.monotonic())
        except (RefusedError, HashMismatchError) as error:
            return self._refuse(item, error)
        except (StorageError, NotYetError) as error:  # this item's own trouble: the others can go
            self._result = replace(self._result, error=error)
            return None
        self._box.keep_receipt(item, answer, self._receiver.store, datetime.now(UTC))
        self._count(sent=item.items)
        return None

    def _refuse(self, item: Parcel, error: TapewatchError) -> None:
        self._box.keep_refusal(item, error, datetime.now(UTC))
        self._count(refused=item.items)
        self._result = replace(self._result, error=error)

    def _count(self, sent: int = 0, refused: int = 0) -> None:
        result = self._result
        self._result = replace(
            result,
            sent=result.sent + sent,
            refused=result.refused + refused,
            pending=max(0, result.pending - sent - refused),
        )


def _sweep(folder: Path) -> None:
    """Remove half-written files of deliveries that were killed; holding the lock allows it."""
    for path in folder.glob("**/*.tmp"):
        with typed_storage(path):
            path.unlink()
