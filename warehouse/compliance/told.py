"""How much was said in each channel, and how much of it has arrived."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from warehouse.attempt_messages import attempt_messages
from warehouse.attempt_state import AttemptRecord
from warehouse.layout import Layout
from warehouse.mail import Mail
from warehouse.message_box import MessageBox, channel_name
from warehouse.messages import Message, read_messages
from warehouse.run_folder import SealedRun


@dataclass(frozen=True)
class Told:
    """The messages of one kind and severity for one channel, and what became of each.

    `lapsed` are those that are told no more: their run was taken back, or another one of the day
    tells the same.
    """

    channel: str
    kind: str
    severity: str
    messages: int = 0
    received: int = 0
    refused: int = 0
    waiting: int = 0
    lapsed: int = 0


def count_told(
    layout: Layout, environment: str, runs: Sequence[SealedRun], attempts: Sequence[AttemptRecord]
) -> tuple[Told, ...]:
    """Return what these runs and attempts had to say, by channel, kind and severity."""
    found: dict[tuple[str, str, str], Counter[str]] = {}
    boxes = _Boxes(layout, environment)
    for message in _messages(runs, attempts):
        key = (channel_name(message.route), message.kind, message.severity)
        found.setdefault(key, Counter())[boxes.became(message)] += 1
    return tuple(Told(*key, found[key].total(), **found[key]) for key in sorted(found))


class _Boxes:
    """The channels of an environment, each looked into once."""

    def __init__(self, layout: Layout, environment: str) -> None:
        self._open = partial(
            MessageBox, layout, environment=environment, mail=Mail(layout, environment)
        )
        self._boxes: dict[str, tuple[MessageBox, frozenset[str], frozenset[str]]] = {}

    def became(self, message: Message) -> str:
        """Return what became of a message, as `Told` names it."""
        channel = channel_name(message.route)
        if channel not in self._boxes:
            box = self._open(receiver=channel)
            waiting = frozenset(item.name for item in box.pending())
            self._boxes[channel] = box, frozenset(box.refused()), waiting
        box, refused, waiting = self._boxes[channel]
        if box.has_received(message.id):
            return "received"
        if message.id in refused:
            return "refused"
        return "waiting" if message.id in waiting else "lapsed"


def _messages(runs: Sequence[SealedRun], attempts: Sequence[AttemptRecord]) -> Iterator[Message]:
    for run in runs:
        sealed = read_messages(run.folder)
        yield from sealed.messages if sealed else ()
    for attempt in attempts:
        yield from (message for _, message in attempt_messages(attempt, served=None))
