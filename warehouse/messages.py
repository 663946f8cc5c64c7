"""The messages of a run: facts for people, sealed with it as messages.json, never rendered there.

What is said is decided once, when the run is sealed. How it looks, whom it calls and where it
leads is decided when it is sent.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal
from uuid import UUID, uuid5

from pydantic import AwareDatetime, TypeAdapter

from settings.alerting import Route
from warehouse.durable import replace_file, sha256_file
from warehouse.json_text import JsonObject, pretty_json
from warehouse.manifest import load_manifest
from warehouse.storage_errors import typed_storage
from warehouse.verify import check_file

MESSAGES_FILE = "messages.json"
Kind = Literal[
    "kpi_alert",
    "reminder",
    "recovered",
    "compliance_alert",
    "data_quality_notice",
    "daily_summary",
    "executive_briefing",
    "pipeline_failure",
    "delivery_refused",
    "digest",
    "announcement",
]
Severity = Literal["info", "warning", "critical"]
_REF_LENGTH = 8


@dataclass(frozen=True)
class Message:
    """What is to be said to one channel; `subject` is the KPI or check it is about, if any."""

    id: str
    kind: Kind
    route: Route
    severity: Severity
    portfolio: str
    subject: str
    facts: JsonObject
    not_before: AwareDatetime | None = None

    @property
    def ref(self) -> str:
        """What people see of the id: the same message, sent twice, shows the same."""
        return self.id[:_REF_LENGTH]

    @property
    def cooldown_key(self) -> tuple[str, str]:
        """What two messages of one channel have in common that are about the same thing."""
        return self.portfolio, self.subject


# What each audience was told last: subject -> route -> state. The next run compares with it.
Standing = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class SealedMessages:
    """messages.json."""

    environment: str
    created_at: AwareDatetime
    standing: Standing = field(default_factory=dict[str, Mapping[str, str]])
    messages: tuple[Message, ...] = ()
    schema_version: int = 1


_SEALED = TypeAdapter(SealedMessages)


def message_id(source: str, kind: Kind, subject: str, route: Route) -> str:
    """Return the id of a message: the same run (or attempt), kind and route give the same one.

    Args:
        source: The run's id, or another UUID of what is told.
        kind: Of the message.
        subject: The KPI or check it is about, "" for none.
        route: Where it goes.
    """
    return str(uuid5(UUID(source), f"{kind}/{subject}/{route}"))


def write_messages(folder: Path, sealed: SealedMessages) -> None:
    """Write messages.json into the run that is being built.

    Raises:
        StorageError: The disk refused.
    """
    replace_file(folder / MESSAGES_FILE, pretty_json(_SEALED.dump_python(sealed, mode="json")))


def read_messages(folder: Path) -> SealedMessages | None:
    """Return the messages of a run folder; None where it has none that can be read."""
    try:
        told = json.loads((folder / MESSAGES_FILE).read_bytes())
        return SealedMessages(
            environment=told["environment"],
            created_at=datetime.fromisoformat(told["created_at"]),
            standing=told["standing"],
            # not validated: two years of runs are read at each delivery, and `check_messages`
            # holds what is sent to the hash it was sealed with
            messages=tuple(_message(message) for message in told["messages"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # sealed before there were any; `verify` names a damage


def _message(told: dict[str, Any]) -> Message:
    fields = dict(told)
    at = fields.pop("not_before")
    return Message(**fields, not_before=at and datetime.fromisoformat(at))


def check_messages(folder: Path) -> str:
    """Prove that messages.json is what was sealed; return the sha256 of the run's manifest.

    Raises:
        HashMismatchError: It is not, or its run is damaged.
        StorageError: It cannot be read.
    """
    check_file(folder, load_manifest(folder), MESSAGES_FILE)
    with typed_storage(folder):
        return sha256_file(folder / "manifest.json")


def text_of(value: date | datetime | object | None) -> str | None:
    """Return a figure or a moment as messages keep it: as text, exact; None when unknown."""
    if value is None:
        return None
    return value.isoformat() if isinstance(value, date) else f"{value:f}"
