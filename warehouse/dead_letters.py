"""Messages that no run has sealed: what a receiver refused for good, and a full day in short."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID, uuid5

from pydantic import AwareDatetime, JsonValue, TypeAdapter, ValidationError

from settings.alerting import Route
from warehouse.delivery_box import RefusedError
from warehouse.messages import Message, message_id

FALLBACK: Route = "pipeline_failures"
_SOURCE = UUID("6a2a5e0e-8f0f-4f0a-9f43-2f8a1f8d3a77")
_SHOWN = ("kind", "severity", "portfolio", "subject", "facts")


class MessageExpiredError(RefusedError):
    """A message was not taken for so long that it is no news any more."""

    code = "MESSAGE_EXPIRED"


@dataclass(frozen=True)
class _Refusal:
    """What refused/<item>.json says."""

    item: str
    refused_at: AwareDatetime
    code: str
    message: str


_REFUSAL = TypeAdapter(_Refusal)


def dead_letters(folder: Path, environment: str, teller: str) -> Iterator[tuple[datetime, Message]]:
    """Yield one message for all that a receiver refused on one day for one reason.

    Args:
        folder: Where the deliveries of the environment lie.
        environment: Whose they are.
        teller: The channel that tells. What it refuses itself cannot be told in it; what it
            missed for too long can.
    """
    found: dict[tuple[str, str, str], list[_Refusal]] = {}
    for path in folder.glob("*/refused/*.json"):
        with suppress(OSError, ValidationError):
            told = _REFUSAL.validate_json(path.read_bytes())
            receiver = path.parent.parent.name
            if receiver != teller or told.code == MessageExpiredError.code:
                key = receiver, told.code, told.refused_at.date().isoformat()
                found.setdefault(key, []).append(told)
    for (receiver, code, day), letters in found.items():
        first = min(letters, key=lambda letter: letter.refused_at)
        facts: dict[str, JsonValue] = {
            "environment": environment,
            "receiver": receiver,
            "code": code,
            "message": first.message,
            "items": len(letters),
        }
        source = str(uuid5(_SOURCE, f"{environment}/{receiver}/{code}/{day}"))
        yield (
            first.refused_at,
            Message(
                id=message_id(source, "delivery_refused", receiver, FALLBACK),
                kind="delivery_refused",
                route=FALLBACK,
                severity="critical",
                portfolio="",
                subject=receiver,
                facts=facts,
            ),
        )


def digest_message(environment: str, route: Route, day: str, told: Sequence[Message]) -> Message:
    """Return the one message that stands for the rest of a full day in one channel."""
    shown = [asdict(message) for message in told]
    facts: dict[str, JsonValue] = {
        "environment": environment,
        "day": day,
        "kinds": dict(Counter(message.kind for message in told)),
        "messages": [{name: message[name] for name in _SHOWN} for message in shown],
    }
    source = str(uuid5(_SOURCE, f"{environment}/{route}/{day}"))
    return Message(
        id=message_id(source, "digest", "", route),
        kind="digest",
        route=route,
        severity="info",
        portfolio="",
        subject="",
        facts=facts,
    )
