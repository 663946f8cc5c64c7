"""All that is told in Slack: sealed messages, failed attempts, dead letters; read once for all."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock

from settings.alerting import Route
from settings.errors import TapewatchError
from warehouse.attempt_messages import DAMAGE_CODES, attempt_messages
from warehouse.attempt_state import list_attempts
from warehouse.dead_letters import FALLBACK, forwarded, read_refusals, refusal_notices
from warehouse.delivery_box import Parcel, delivery_folder
from warehouse.layout import Layout
from warehouse.manifest import Manifest, load_manifest
from warehouse.messages import Message, read_messages
from warehouse.run_folder import served_name, standing_folders

_OF_A_WHOLE_RUN = ("daily_summary", "executive_briefing")
_DATE_LENGTH = len("2025-12-26")


@dataclass(frozen=True)
class MessageItem(Parcel):
    """One message; `run` is the folder it was sealed in, `covers` what a digest stands for.

    `healed_by` is the good run that has followed a failure by now.
    """

    message: Message = field(repr=False)
    run: Path | None = None
    place: int = 0  # among the messages of its run
    covers: tuple["MessageItem", ...] = ()
    healed_by: str | None = None

    @property
    def items(self) -> int:
        """How many messages this is."""
        return len(self.covers) or 1


class Mail:
    """The messages of one environment; what comes after the first look is of the next delivery."""

    def __init__(self, layout: Layout, environment: str) -> None:
        """Read what was refused until now; nothing else before it is asked."""
        self._layout = layout
        self._environment = environment
        # now, not when the fallback's turn has come: others are refused something meanwhile
        self._refusals = read_refusals(delivery_folder(layout, environment))
        self._superseded: dict[str, set[Path]] = {}  # by day, those that were asked for
        self._lock = Lock()  # the channels are served side by side

    def of(self, route: Route | None, receiver: str) -> list[MessageItem]:
        """Return what is told in the channel of a route; `receiver` is its name.

        Raises:
            StorageError: A folder cannot be read.
        """
        with self._lock:
            items = self._items
        told = [item for item in items if item.message.route == route]
        return [*told, *self._of_dead_letters(receiver)] if route == FALLBACK else told

    def has_say(self, item: MessageItem) -> bool:
        """Return whether what a message tells of a whole run is told by no later run of the day.

        Alerts are no such thing: the later run does not repeat what was sealed as told.
        """
        if item.run is None or item.message.kind not in _OF_A_WHOLE_RUN:
            return True
        with self._lock:
            day = item.run.name[:_DATE_LENGTH]
            if day not in self._superseded:
                self._superseded[day] = _superseded(self._layout, day)
            return item.run not in self._superseded[day]

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
        healed: dict[str, str | None] = {}  # by portfolio: the run of the next good attempt
        for attempt in reversed(list_attempts(self._layout)):
            if attempt.environment == self._environment:
                if attempt.status == "success":
                    healed[attempt.portfolio] = attempt.run_folder
                for since, message in attempt_messages(attempt, self._served(attempt.portfolio)):
                    is_damage = message.subject in DAMAGE_CODES
                    by = None if is_damage else healed.get(attempt.portfolio)
                    yield MessageItem(message.id, since, message, healed_by=by)

    def _served(self, portfolio: str) -> str | None:
        """Return the run that a portfolio serves by name; whether it is sound is not looked at."""
        layout = self._layout.of_book((self._environment, portfolio))
        return served_name(layout) if layout.current.is_file() else None

    def _of_dead_letters(self, receiver: str) -> Iterator[MessageItem]:
        """Yield what receivers refused: how much of it, and what was critical as it stands."""
        for since, message in refusal_notices(self._refusals, self._environment, receiver):
            yield MessageItem(message.id, since, message)
        known = {item.name: item for item in self._items}
        for refusal in self._refusals:
            item = known.get(refusal.item)
            if item is None or refusal.receiver == receiver:
                continue
            if item.message.severity == "critical":
                message = forwarded(item.message, refusal.receiver)
                yield MessageItem(message.id, refusal.refused_at, message, item.run)


def _superseded(layout: Layout, day: str) -> set[Path]:
    """Return the folders of a day whose run another one of the day names as superseded."""
    folders = [folder for folder in standing_folders(layout) if folder.name.startswith(day)]
    if len(folders) < 2:
        return set()
    runs: dict[Path, Manifest] = {}
    for folder in folders:
        with suppress(TapewatchError):  # one that cannot be read supersedes nothing
            runs[folder] = load_manifest(folder)
    named = {run_id for manifest in runs.values() for run_id in manifest.supersedes}
    return {folder for folder, manifest in runs.items() if manifest.run_id in named}
