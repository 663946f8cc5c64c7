"""What the audit store is told of a rollback: one file, written before the pointer moves."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import cast
from uuid import uuid4

from pydantic import AwareDatetime, JsonValue, TypeAdapter, ValidationError

from settings.who import user_name
from warehouse.attempt_folder import utc_text
from warehouse.audit import SCHEMA_VERSION, facts_of_run
from warehouse.durable import durable_write, make_folder
from warehouse.json_text import pretty_json
from warehouse.layout import Layout
from warehouse.run_folder import SealedRun
from warehouse.storage_errors import typed_storage

ROLLBACK = "rollback"  # in the column pipeline: no run
_MOMENT: TypeAdapter[datetime] = TypeAdapter(AwareDatetime)


@dataclass(frozen=True)
class Decision:
    """Which run is to be served again, instead of which, why, when, and by which code."""

    target: SealedRun
    before: str | None
    withdrawn: tuple[str, ...]
    reason: str
    at: datetime
    code: str


@dataclass(frozen=True)
class RollbackRecord:
    """One rollback as it was written down."""

    name: str
    at: datetime
    path: Path

    def payload(self) -> dict[str, JsonValue]:
        """Return its audit row, the same at every try.

        Raises:
            StorageError: It cannot be read.
        """
        with typed_storage(self.path):
            return cast("dict[str, JsonValue]", json.loads(self.path.read_bytes()))


def keep_rollback(layout: Layout, decision: Decision) -> Path:
    """Write down for good who decides what, before it is done: no rollback is without a trace.

    One that is killed on the way is there as well; whoever repeats it writes the next.

    Raises:
        StorageError: The disk refused.
    """
    rollback, at = uuid4(), utc_text(decision.at)
    payload = {
        "schema_version": SCHEMA_VERSION,
        "run": {
            **facts_of_run(decision.target),
            "run_id": str(rollback),
            "pipeline": ROLLBACK,
            "attempt_id": rollback.hex,
            "started_at": at,
            "ended_at": at,
            "git_sha": decision.code,
            "previous_run": decision.before,
            "supersedes": list(decision.withdrawn),
            "decision": {"reason": decision.reason, "by": user_name()},
        },
    }
    path = make_folder(layout.rollbacks) / f"{ROLLBACK}-{rollback.hex}.json"
    durable_write(path, pretty_json(payload))
    return path


def list_rollbacks(layout: Layout, environment: str) -> Iterator[RollbackRecord]:
    """Yield the rollbacks of an environment; a file that a hand has damaged is none."""
    for path in sorted(layout.rollbacks.glob(f"{ROLLBACK}-*.json")):
        with suppress(OSError, ValueError, KeyError, TypeError, ValidationError):
            run = json.loads(path.read_bytes())["run"]
            if run["environment"] == environment:
                yield RollbackRecord(path.stem, _MOMENT.validate_python(run["started_at"]), path)
