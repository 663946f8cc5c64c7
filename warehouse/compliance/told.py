"""How much was said in each channel, and how much of it has arrived."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from warehouse.attempt_messages import attempt_messages
from warehouse.attempt_state import AttemptRecord
from warehouse.delivery_box import delivery_folder
from warehouse.layout import Layout
from warehouse.message_box import channel_name
from warehouse.messages import Message, read_messages
from warehouse.run_folder import SealedRun


@dataclass(frozen=True)
class Told:
    """The messages of one kind and severity for one channel; the rest was never taken."""

    channel: str
    kind: str
    severity: str
    messages: int = 0
    received: int = 0
    refused: int = 0


def count_told(
    layout: Layout, environment: str, runs: Sequence[SealedRun], attempts: Sequence[AttemptRecord]
) -> tuple[Told, ...]:
    """Return what these runs and attempts had to say, by channel, kind and severity."""
    root = delivery_folder(layout, environment)
    found: dict[tuple[str, str, str], Told] = {}
    for message in _messages(runs, attempts):
        channel = channel_name(message.route)
        key = (channel, message.kind, message.severity)
        told = found.get(key, Told(*key))
        file = f"{message.id}.json"
        found[key] = replace(
            told,
            messages=told.messages + 1,
            received=told.received + (root / channel / "received" / file).is_file(),
            refused=told.refused + (root / channel / "refused" / file).is_file(),
        )
    return tuple(found[key] for key in sorted(found))


def _messages(runs: Sequence[SealedRun], attempts: Sequence[AttemptRecord]) -> Iterator[Message]:
    for run in runs:
        sealed = read_messages(run.folder)
        yield from sealed.messages if sealed else ()
    for attempt in attempts:
        yield from (message for _, message in attempt_messages(attempt, served=None))
