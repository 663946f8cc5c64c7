"""The messages of one channel: those sealed with runs, of failed attempts, and of dead letters.

A receipt is there or not: it is never read to decide, since a message that is sent twice is seen
twice. `begun.json` is when the channel was first told anything; what is older is nobody's news.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock

from pydantic import AwareDatetime, JsonValue, TypeAdapter, ValidationError

from settings.alerting import ROUTES, Route
from settings.connections import DeliverySettings
from settings.errors import TapewatchError
from warehouse.attempt_folder import utc_text
from warehouse.attempt_messages import healed_message
from warehouse.dead_letters import MessageExpiredError, digest_message
from warehouse.delivery_box import Box, RefusedError, delivery_folder
from warehouse.durable import durable_write, make_folder
from warehouse.failpoints import fail_point
from warehouse.json_text import pretty_json
from warehouse.layout import Layout
from warehouse.mail import Mail, MessageItem
from warehouse.messages import Message
from warehouse.storage_errors import typed_storage

_PREFIX = "slack-"
_NEWS = timedelta(days=1)  # before a channel is first told anything


@dataclass(frozen=True)
class Posted:
    """What a channel answered: `ts` is Slack's name of the message, None by a webhook."""

    ref: str
    ts: str | None = None


_MOMENT: TypeAdapter[datetime] = TypeAdapter(AwareDatetime)


def channel_name(route: Route) -> str:
    """Return the name of the receiver that is a route's channel: slack-risk-alerts."""
    return _PREFIX + route.replace("_", "-")


def route_of(receiver: str) -> Route | None:
    """Return the route of a receiver that is a channel, None for any other."""
    return next((route for route in ROUTES if channel_name(route) == receiver), None)


class Allowance:
    """How many messages the day has left for all channels of an environment together."""

    def __init__(self, layout: Layout, environment: str, a_day: int) -> None:
        """Count nothing before it is asked."""
        self._folder = delivery_folder(layout, environment)
        self._a_day = a_day
        self._left: int | None = None
        self._lock = Lock()  # the channels are served side by side

    def take(self, now: datetime, message: Message) -> bool:
        """Count one more message; return whether it may be sent.

        A critical one always may, and so may the summary of the day, which is what stays readable
        of a busy one.
        """
        is_free = message.severity == "critical" or message.kind == "daily_summary"
        with self._lock:
            if self._left is None:
                self._left = self._a_day - self._sent(now)
            if self._left <= 0 and not is_free:
                return False
            self._left -= 1
            return True

    def give_back(self) -> None:
        """Count one less: it was not sent after all."""
        with self._lock:
            self._left = (self._left or 0) + 1

    def _sent(self, now: datetime) -> int:
        """Count the messages of the day: a digest was one, whatever it stood for."""
        begin = datetime.combine(now.astimezone(UTC).date(), datetime.min.time(), UTC)
        texts = (
            path.read_bytes()
            for path in self._folder.glob(f"{_PREFIX}*/received/*.json")
            if path.stat().st_mtime >= begin.timestamp()
        )
        return sum(b'"digest"' not in text for text in texts)


class MessageBox(Box[MessageItem, Posted]):
    """The messages of one environment for one channel, and what became of each."""

    def __init__(
        self,
        layout: Layout,
        receiver: str,
        environment: str,
        mail: Mail | None = None,
        allowance: Allowance | None = None,
    ) -> None:
        """Know the folders; channels that are served together share the mail and the allowance."""
        super().__init__(layout, receiver, environment)
        self._mail = mail or Mail(layout, environment)
        self._allowance = allowance  # None: nothing is held back

    def pending(self, store: str | None = None) -> list[MessageItem]:
        """Return what has neither receipt nor refusal, oldest first; `store` makes no difference.

        Raises:
            StorageError: A folder cannot be read.
        """
        del store  # a channel that was renamed has still heard what it was told
        return self._unsettled(self._items)

    def due(
        self, store: str, now: datetime, settings: DeliverySettings
    ) -> tuple[Sequence[MessageItem], int]:
        """Return the messages whose time has come.

        Raises:
            StorageError: A folder cannot be read.
        """
        minutes = timedelta(minutes=settings.message_cooldown_minutes)
        pending = self._unsettled(_cooled(self._items, minutes))
        return _in_one([item for item in pending if item.since <= now]), len(pending)

    def take_place(self, item: MessageItem, now: datetime) -> bool:
        """Return whether the day has room for one more message."""
        return self._allowance is None or self._allowance.take(now, item.message)

    def give_place_back(self) -> None:
        """Count a message no longer that was not sent."""
        if self._allowance is not None:
            self._allowance.give_back()

    def in_short(self, held: Sequence[MessageItem], now: datetime) -> Iterator[MessageItem]:
        """Yield the digest of what a full day has no room for; once a day, then they wait."""
        route = route_of(self._receiver)
        if not held or route is None:
            return
        day = now.astimezone(UTC).date().isoformat()
        told = [item.message for item in held]
        covered = [each for item in held for each in item.covers or (item,)]
        message = digest_message(self._environment, route, day, told)
        if not self.has_received(message.id):
            yield MessageItem(message.id, held[-1].since, message, covers=tuple(covered))

    def expired(
        self, now: datetime, settings: DeliverySettings
    ) -> Iterable[tuple[MessageItem, RefusedError]]:
        """Return what was not taken in all the days that a message may wait.

        They count anew from the moment that somebody asks for it.
        """
        days = settings.message_days
        oldest = now - timedelta(days=days)
        for item in self.pending():
            if item.since < oldest and self._asked_for(item.name, item.since) < oldest:
                told = f"{self._receiver} did not take message {item.message.ref} in {days} days"
                fix = "mend the channel, then tapewatch deliver --retry-refused"
                yield item, MessageExpiredError(told, fix=fix)

    def retry_refused(self, now: datetime) -> None:
        """Let every refused message be tried again, for as many days as a new one.

        Raises:
            StorageError: The disk refused.
        """
        for name in self.refused():
            make_folder(self._asked_file(name).parent)
            durable_write(self._asked_file(name), pretty_json(utc_text(now)))
        super().retry_refused(now)

    def _asked_for(self, name: str, since: datetime) -> datetime:
        """Return when somebody last asked for a message that was refused, else `since`."""
        with suppress(OSError, ValidationError):
            return _MOMENT.validate_json(self._asked_file(name).read_bytes())
        return since

    def _asked_file(self, name: str) -> Path:
        return self._root / "asked_for" / f"{name}.json"

    def begin(self, now: datetime) -> None:
        """Write down, once, since when the channel is told anything.

        Raises:
            StorageError: The disk refused.
        """
        path = self._root / "begun.json"
        if not path.is_file():
            durable_write(make_folder(self._root) / path.name, pretty_json(utc_text(now)))

    def has_received(self, name: str) -> bool:
        """Return whether a message has arrived."""
        return self._receipt(name).is_file()

    def keep_receipt(self, item: MessageItem, answer: Posted, store: str, now: datetime) -> None:
        """Write down that the message has arrived, and all that a digest stands for.

        Raises:
            StorageError: The disk refused: it will be sent again.
        """
        fail_point("item_sent")
        for covered in item.covers:
            self._keep(covered, answer, store, now, {"digest": item.name})
        self._keep(item, answer, store, now, {})

    def keep_refusal(self, item: MessageItem, error: TapewatchError, now: datetime) -> None:
        """Write down that the message, or each that a digest stands for, will never be taken.

        Raises:
            StorageError: The disk refused.
        """
        for refused in item.covers or (item,):
            super().keep_refusal(refused, error, now)

    def set_receipts_aside(self) -> None:
        """Do nothing: a channel loses no message, and to say all again would help nobody."""

    def _keep(
        self,
        item: MessageItem,
        answer: Posted,
        store: str,
        now: datetime,
        more: dict[str, JsonValue],
    ) -> None:
        told = {"item": item.name, "store": store, "received_at": utc_text(now)}
        path = self._receipt(item.name)
        make_folder(path.parent)
        durable_write(path, pretty_json({**told, **asdict(answer), **more}))
        self._forget_refusal(item.name)
        asked = self._asked_file(item.name)
        with typed_storage(asked):
            asked.unlink(missing_ok=True)

    def _receipt(self, name: str) -> Path:
        return self._root / "received" / f"{name}.json"

    def _unsettled(self, items: Iterable[MessageItem]) -> list[MessageItem]:
        """Leave out what was received or refused, and what was before the channel's time."""
        known = {path.stem for path in (self._root / "received").glob("*.json")}
        known |= set(self.refused())
        since = self._begun()
        left = [item for item in items if item.name not in known]
        fresh = [item for item in left if since is None or item.since >= since - _NEWS]
        return sorted(filter(self._mail.has_say, fresh), key=_age)

    def _begun(self) -> datetime | None:
        with suppress(OSError, ValidationError):
            return _MOMENT.validate_json((self._root / "begun.json").read_bytes())
        return None

    @property
    def _items(self) -> list[MessageItem]:
        return self._mail.of(route_of(self._receiver), self._receiver)


def _in_one(ready: Sequence[MessageItem]) -> list[MessageItem]:
    """Return the items with the failures of a portfolio that a good run has followed as one.

    They waited: who reads them now has nothing to mend, and is told so once.
    """
    past: dict[tuple[str, str], list[MessageItem]] = {}
    rest: list[MessageItem] = []
    for item in ready:
        if item.message.kind == "pipeline_failure" and item.healed_by is not None:
            past.setdefault((item.message.portfolio, item.healed_by), []).append(item)
        else:
            rest.append(item)
    for (_, run), items in past.items():
        message = healed_message([item.message for item in items], run)
        rest.append(MessageItem(message.id, items[-1].since, message, covers=tuple(items)))
    return sorted(rest, key=_age)


def _age(item: MessageItem) -> tuple[datetime, int, str]:
    return item.since, item.place, item.name


def _cooled(items: Iterable[MessageItem], pause: timedelta) -> list[MessageItem]:
    """Return each item no sooner than `pause` after the last one about the same thing.

    A critical one waits for nothing, and what would be held beyond it goes before it: a quarter
    of an hour later it would be the last word.
    """
    cooled: dict[tuple[str, str], list[MessageItem]] = {}  # by what they are about
    given: dict[str, MessageItem] = {}
    for item in sorted(items, key=_age):
        given[item.name] = item
        before = cooled.setdefault(item.message.cooldown_key, [])
        if item.message.severity == "critical":
            for place in reversed(range(len(before))):
                if before[place].since <= item.since:
                    break  # their times only grow: no earlier one is held beyond it
                before[place] = given[before[place].name]
            before.append(item)
        else:
            since = max([item.since, *(one.since + pause for one in before[-1:])])
            before.append(replace(item, since=since))
    return [item for told in cooled.values() for item in told]
