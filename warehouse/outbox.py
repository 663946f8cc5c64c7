"""What each receiver has still to get: sealed runs and ended attempts without a receipt.

The run folders are the outbox. Here lie only the small files that tell how far each receiver is:
delivery/<receiver>/received/<item>.json, .../refused/<item>.json, and .../state.json.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

from pydantic import AwareDatetime, JsonValue, TypeAdapter, ValidationError

from settings.errors import DataRejectedError, TapewatchError
from settings.model import DeliverySettings
from warehouse.attempt_folder import utc_text
from warehouse.attempt_state import AttemptRecord, list_attempts
from warehouse.audit import AUDIT_FILE, attempt_payload, audit_payload
from warehouse.durable import durable_write, make_folder
from warehouse.failpoints import fail_point
from warehouse.json_text import JsonObject, pretty_json
from warehouse.layout import Layout
from warehouse.manifest import load_manifest
from warehouse.run_folder import SealedRun, run_folders
from warehouse.storage_errors import typed_storage

_PUBLISHED_NOTHING = ("failed", "canceled", "abandoned")


class RefusedError(DataRejectedError):
    """The receiver will never take this item: trying again cannot help."""

    code = "DELIVERY_REFUSED"


@dataclass(frozen=True)
class Item:
    """One thing to send: a sealed run, or an attempt that published nothing."""

    name: str
    since: datetime
    source: SealedRun | AttemptRecord = field(repr=False)

    def payload(self) -> dict[str, JsonValue]:
        """Return its audit rows, the same at every try.

        Raises:
            HashMismatchError: The run is not what was sealed.
            StorageError: It cannot be read.
        """
        if isinstance(self.source, SealedRun):
            return audit_payload(self.source)
        return attempt_payload(self.source)


@dataclass(frozen=True)
class State:
    """How a receiver does: failures in a row, and when it may be tried again."""

    failures: int = 0
    not_before: AwareDatetime | None = None
    code: str | None = None
    message: str | None = None


_STATE = TypeAdapter(State)


@dataclass(frozen=True)
class Backlog:
    """How far a receiver is behind; `oldest` is when the oldest pending item was sealed."""

    pending: int
    oldest: datetime | None
    refused: int
    state: State


class Outbox:
    """The items of one environment for one receiver, and what became of each."""

    def __init__(self, layout: Layout, receiver: str, environment: str) -> None:
        """Know the folders; nothing is made before the first receipt."""
        self._layout = layout
        self._environment = environment
        self._root = layout.delivery / receiver

    def pending(self, *, is_again: bool = False) -> list[Item]:
        """Return what has neither receipt nor refusal, oldest first; all there is with `is_again`.

        Raises:
            StorageError: A folder cannot be read.
        """
        known = set[str]() if is_again else {*self.received(), *self.refused()}
        return sorted(self._items(known), key=lambda item: (item.since, item.name))

    def backlog(self) -> Backlog:
        """Return how many items are pending and refused, and how old the oldest is.

        Raises:
            StorageError: A folder cannot be read.
        """
        pending = self.pending()
        oldest = pending[0].since if pending else None
        return Backlog(len(pending), oldest, len(self.refused()), self.state())

    def received(self) -> dict[str, Path]:
        """Return the receipt files by the name of their item."""
        return {path.stem: path for path in (self._root / "received").glob("*.json")}

    def refused(self) -> dict[str, Path]:
        """Return the files that tell why an item was refused, by the name of the item."""
        return {path.stem: path for path in (self._root / "refused").glob("*.json")}

    def receipts(self) -> Iterator[tuple[str, JsonObject]]:
        """Yield every readable receipt with the name of its item."""
        for name, path in sorted(self.received().items()):
            with suppress(OSError, ValueError):
                yield name, cast("JsonObject", json.loads(path.read_bytes()))

    def newest_link(self) -> JsonObject | None:
        """Return `seq` and `hash` of the newest ledger link that was received, None before."""
        links = [receipt for _, receipt in self.receipts() if "ledger_seq" in receipt]
        if not links:
            return None
        newest = max(links, key=lambda receipt: cast("str", receipt["received_at"]))
        return {"seq": newest["ledger_seq"], "hash": newest["ledger_hash"]}

    def keep_receipt(self, item: Item, receipt: JsonObject, now: datetime) -> None:
        """Write down that the item has arrived; an older refusal of it is forgotten.

        Raises:
            StorageError: The disk refused: it will be sent again.
        """
        fail_point("item_sent")
        folder = make_folder(self._root / "received")
        told = {"item": item.name, "received_at": utc_text(now), **receipt}
        durable_write(folder / f"{item.name}.json", pretty_json(told))
        self._forget_refusal(item.name)

    def keep_refusal(self, item: Item, error: TapewatchError, now: datetime) -> None:
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

    def retry_refused(self) -> None:
        """Let every refused item be tried again.

        Raises:
            StorageError: The disk refused.
        """
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

        Raises:
            StorageError: The disk refused.
        """
        failures = self.state().failures + 1
        doubled = settings.retry_seconds * 2 ** min(failures - 1, 16)
        wait = timedelta(seconds=min(doubled, settings.retry_max_seconds))
        state = State(failures, now + wait, error.code, error.message)
        told = {**asdict(state), "not_before": utc_text(now + wait)}
        durable_write(make_folder(self._root) / "state.json", pretty_json(told))

    def _forget_refusal(self, name: str) -> None:
        path = self._root / "refused" / f"{name}.json"
        with typed_storage(path):
            path.unlink(missing_ok=True)

    def _items(self, known: set[str]) -> Iterator[Item]:
        for folder in run_folders(self._layout):
            if folder.name not in known:
                with suppress(TapewatchError):  # `verify` names what cannot be read
                    run = SealedRun(folder, load_manifest(folder))
                    is_ours = run.manifest.identity.environment == self._environment
                    if is_ours and AUDIT_FILE in run.manifest.files:
                        yield Item(folder.name, run.manifest.created_at, run)
        for attempt in list_attempts(self._layout):
            name = f"attempt-{attempt.attempt_id}"
            is_ours = attempt.environment == self._environment
            if is_ours and attempt.status in _PUBLISHED_NOTHING and name not in known:
                yield Item(name, datetime.fromisoformat(attempt.started_at), attempt)
