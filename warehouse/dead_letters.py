"""Messages that no run has sealed: what a receiver refused for good, and a full day in short."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
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
class Refusal:
    """What refused/<item>.json says, and who refused."""

    item: str
    refused_at: AwareDatetime
    code: str
    message: str
    receiver: str = ""


_REFUSAL = TypeAdapter(Refusal)


def read_refusals(folder: Path) -> tuple[Refusal, ...]:
    """Return all that receivers refused; `folder` is where the deliveries of an environment lie."""
    found: list[Refusal] = []
    for path in sorted(folder.glob("*/refused/*.json")):
        with suppress(OSError, ValidationError):
            told = _REFUSAL.validate_json(path.read_bytes())
            found.append(replace(told, receiver=path.parent.parent.name))
    return tuple(found)


def refusal_notices(
    refusals: Iterable[Refusal], environment: str, teller: str
) -> Iterator[tuple[datetime, Message]]:
    """Yield one message for all that a receiver refused on one day for one reason.

    One more refusal makes another message, so that it is told as well.

    Args:
        refusals: Of every receiver.
        environment: Whose they are.
        teller: The channel that tells. What it refuses itself cannot be told in it; what it
            missed for too long can.
    """
    found: dict[tuple[str, str, str], list[Refusal]] = {}
    for told in refusals:
        if told.receiver != teller or told.code == MessageExpiredError.code:
            key = told.receiver, told.code, told.refused_at.date().isoformat()
            found.setdefault(key, []).append(told)
    for (receiver, code, day), letters in found.items():
        first, last = (
            pick(letters, key=lambda letter: (letter.refused_at, letter.item))
            for pick in (min, max)
        )
        facts: dict[str, JsonValue] = {
            "environment": environment,
            "receiver": receiver,
            "code": code,
            "message": last.message,
            "items": len(letters),
        }
        told = f"{environment}/{receiver}/{code}/{day}/{len(letters)}/{first.item}"
        source = str(uuid5(_SOURCE, told))
        yield (
            last.refused_at,
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


def forwarded(message: Message, receiver: str) -> Message:
    """Return a message that `receiver` did not take as the fallback channel tells it."""
    return replace(
        message,
        id=message_id(message.id, message.kind, message.subject, FALLBACK),
        route=FALLBACK,
        facts={**message.facts, "meant_for": receiver},
        not_before=None,
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
