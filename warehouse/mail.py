"""All that is told in Slack: sealed messages, failed attempts, dead letters; read once for all."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock

from settings.alerting import Route
from warehouse.attempt_messages import attempt_messages
from warehouse.attempt_state import list_attempts
from warehouse.dead_letters import dead_letters
from warehouse.delivery_box import Parcel, delivery_folder
from warehouse.layout import Layout
from warehouse.messages import Message, read_messages
from warehouse.run_folder import standing_folders


@dataclass(frozen=True)
class MessageItem(Parcel):
    """One message; `run` is the folder it was sealed in, `covers` what a digest stands for."""

    message: Message = field(repr=False)
    run: Path | None = None
    place: int = 0  # among the messages of its run
    covers: tuple["MessageItem", ...] = ()

    @property
    def items(self) -> int:
        """How many messages this is."""
        return len(self.covers) or 1


class Mail:
    """The messages of one environment; what comes after the first look is of the next delivery."""

    def __init__(self, layout: Layout, environment: str) -> None:
        """Read nothing before it is asked."""
        self._layout = layout
        self._environment = environment
        self._lock = Lock()  # the channels are served side by side

    def of(self, route: Route | None, receiver: str) -> list[MessageItem]:
        """Return what is told in the channel of a route; `receiver` is its name.

        Raises:
            StorageError: A folder cannot be read.
        """
        with self._lock:
            items = self._items
        told = (*items, *self._of_dead_letters(receiver))
        return [item for item in told if item.message.route == route]

    @cached_property
    def _items(self) -> tuple[MessageItem, ...]:
        return (*self._sealed(), *self._of_attempts())

    def _sealed(self) -> Iterator[MessageItem]:
        for folder in standing_folders(self._layout):  # one that was taken back has no say
            sealed = read_messages(folder)
            if sealed is not None and sealed.environment == self._environment:
                for place, message in enumerate(sealed.messages):
                    since = max(sealed.created_at, message.not_before or sealed.created_at)
                    yield MessageItem(message.id, since, message, folder, place)

    def _of_attempts(self) -> Iterator[MessageItem]:
        for attempt in list_attempts(self._layout):
            if attempt.environment == self._environment:
                for since, message in attempt_messages(attempt):
                    yield MessageItem(message.id, since, message)

    def _of_dead_letters(self, receiver: str) -> Iterator[MessageItem]:
        folder = delivery_folder(self._layout, self._environment)
        for since, message in dead_letters(folder, self._environment, receiver):
            yield MessageItem(message.id, since, message)
