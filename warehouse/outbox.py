"""What the audit store has still to get: runs, ended attempts and rollbacks without a receipt.

The run folders are the outbox. Beside what `delivery_box` keeps lies earlier/: the receipts of a
store that was there before. A receipt that cannot be read is none: sending again costs nothing.
"""

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, Field, JsonValue, TypeAdapter, ValidationError

from settings.errors import TapewatchError
from warehouse.attempt_folder import utc_text
from warehouse.attempt_state import AttemptRecord, list_attempts
from warehouse.audit import AUDIT_FILE, attempt_payload, audit_payload
from warehouse.delivery_box import Box, Parcel
from warehouse.durable import durable_write, fsync_dir, make_folder
from warehouse.failpoints import fail_point
from warehouse.json_text import JsonObject, pretty_json
from warehouse.manifest import load_manifest
from warehouse.rollback_record import RollbackRecord, list_rollbacks
from warehouse.run_folder import SealedRun, run_folders
from warehouse.storage_errors import typed_storage

_PUBLISHED_NOTHING = ("failed", "canceled", "abandoned")


@dataclass(frozen=True)
class Link:
    """Where a run stands in the chain of the store that holds it."""

    ledger_seq: Annotated[int, Field(ge=1)]
    ledger_hash: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


@dataclass(frozen=True)
class Receipt(Link):
    """What a receiver answered: the item is stored there, at `store`."""

    item: str
    store: str
    received_at: AwareDatetime


@dataclass(frozen=True)
class Item(Parcel):
    """One thing to send: a sealed run, an attempt that published nothing, or a rollback."""

    source: SealedRun | AttemptRecord | RollbackRecord = field(repr=False)

    def payload(self) -> dict[str, JsonValue]:
        """Return its audit rows, the same at every try.

        Raises:
            HashMismatchError: The run is not what was sealed.
            StorageError: It cannot be read.
        """
        if isinstance(self.source, SealedRun):
            return audit_payload(self.source)
        if isinstance(self.source, RollbackRecord):
            return self.source.payload()
        return attempt_payload(self.source)


_RECEIPT = TypeAdapter(Receipt)
_MOMENT: TypeAdapter[datetime] = TypeAdapter(AwareDatetime)


class Outbox(Box[Item, Link]):
    """The items of one environment for the audit store, and what became of each."""

    def pending(self, store: str | None = None) -> list[Item]:
        """Return what has neither receipt nor refusal, oldest first.

        Args:
            store: Only receipts of this one count; without it those of any.

        Raises:
            StorageError: A folder cannot be read.
        """
        receipts = self.receipts()
        known = {name for name, r in receipts.items() if store in (None, r.store)}
        items = self._items({*known, *self.refused()})
        return sorted(items, key=lambda item: (item.since, item.name))

    def receipts(self) -> dict[str, Receipt]:
        """Return every readable receipt by the name of its item."""
        return {path.stem: receipt for path, receipt in self._read("received") if receipt}

    def damaged(self) -> list[str]:
        """Return the items whose receipt cannot be read."""
        return [path.stem for path, receipt in self._read("received") if receipt is None]

    def earlier(self) -> list[Receipt]:
        """Return the receipts of stores that were there before."""
        return [receipt for _, receipt in self._read("earlier") if receipt]

    def newest_link(self) -> Link | None:
        """Return the newest link of the store's chain that was received, None before the first."""
        return max(self.receipts().values(), key=lambda link: link.ledger_seq, default=None)

    def keep_receipt(self, item: Item, answer: Link, store: str, now: datetime) -> None:
        """Write down that the item has arrived; an older refusal of it is forgotten.

        Raises:
            StorageError: The disk refused: it will be sent again.
        """
        fail_point("item_sent")
        path = make_folder(self._root / "received") / f"{item.name}.json"
        before = _receipt_in(path)
        if before is not None and before.ledger_hash != answer.ledger_hash:
            self._set_aside(path)
        receipt = Receipt(answer.ledger_seq, answer.ledger_hash, item.name, store, now)
        told = {**asdict(receipt), "received_at": utc_text(now)}
        durable_write(path, pretty_json(told))
        self._forget_refusal(item.name)

    def set_receipts_aside(self) -> None:
        """Count nothing as received: the store was restored, or is another one.

        The receipts are kept: later runs have sealed their links.

        Raises:
            StorageError: The disk refused.
        """
        for path, _ in self._read("received"):
            self._set_aside(path)

    def _read(self, folder: str) -> Iterator[tuple[Path, Receipt | None]]:
        for path in sorted((self._root / folder).glob("*.json")):
            yield path, _receipt_in(path)

    def _set_aside(self, path: Path) -> None:
        folder = make_folder(self._root / "earlier")
        with typed_storage(path):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            path.replace(folder / f"{path.stem}.{digest[:12]}.json")
        fsync_dir(folder)
        fsync_dir(path.parent)

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
                with suppress(ValidationError):  # a hand has damaged the record
                    yield Item(name, _MOMENT.validate_python(attempt.started_at), attempt)
        for rollback in list_rollbacks(self._layout, self._environment):
            if rollback.name not in known:
                yield Item(rollback.name, rollback.at, rollback)


def _receipt_in(path: Path) -> Receipt | None:
    with suppress(OSError, ValidationError):
        return _RECEIPT.validate_json(path.read_bytes())
    return None


def link_facts(link: Link | None) -> JsonObject | None:
    """Return `seq` and `hash` of a link as later runs seal it."""
    return None if link is None else {"seq": link.ledger_seq, "hash": link.ledger_hash}
