"""`tapewatch oncall handover`: what the next one on call must know, as one Markdown sheet."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from pydantic import JsonValue

from blocks.clients.receivers import receiver_names
from deployments.attempts import attempts_of
from deployments.commands.oncall import utc_day
from deployments.diagnosis import (
    Breach,
    breaches_of,
    served_of,
    standing_alerts,
)
from deployments.documents import print_json
from deployments.incidents import Incident, incidents_folder, list_incidents
from deployments.render import open_console, short_path
from prometheus.raised import Raised
from settings.model import Settings
from settings.oncall import Duty, duty_at
from warehouse.attempt_state import AttemptRecord
from warehouse.delivery_box import Backlog
from warehouse.delivery_boxes import open_box
from warehouse.layout import Layout

_WEEK = timedelta(days=7)
_SHOWN = 20


@dataclass(frozen=True)
class Sheet:
    """What a week of on-call leaves behind."""

    at: datetime
    duty: Duty
    attempts: tuple[AttemptRecord, ...]
    breaches: tuple[tuple[str, str, Breach], ...]  # portfolio and run of each
    alerts: tuple[Raised, ...]
    waiting: tuple[tuple[str, Backlog], ...]
    incidents: tuple[Incident, ...]

    @property
    def failures(self) -> tuple[AttemptRecord, ...]:
        """The attempts that ended badly and nobody had asked for that."""
        return tuple(one for one in self.attempts if one.status in ("failed", "abandoned"))


def hand_over(settings: Settings, at: datetime, *, is_json: bool) -> None:
    """Print the sheet of the seven days before `at`; what stands is what stands now.

    Raises:
        StorageError: A folder cannot be read.
    """
    sheet = _collect(settings, at)
    if is_json:
        print_json(_document(sheet))
        return
    for line in _lines(sheet):
        open_console().print(line, markup=False, soft_wrap=True)


def _collect(settings: Settings, at: datetime) -> Sheet:
    attempts = attempts_of(settings)
    week = [one for one in attempts if at - _WEEK <= datetime.fromisoformat(one.started_at) <= at]
    books = dict.fromkeys(one.portfolio for one in attempts)
    served = [(book, run) for book in books if (run := served_of(settings, book)) is not None]
    layout = Layout.of(settings)
    boxes = [
        (name, open_box(layout, name, settings.environment).backlog())
        for name in receiver_names(settings)
    ]
    return Sheet(
        at=at,
        duty=duty_at(settings.oncall, at),
        attempts=tuple(week),
        breaches=tuple((book, run.name, one) for book, run in served for one in breaches_of(run)),
        alerts=tuple(standing_alerts(settings, at)),
        waiting=tuple((name, box) for name, box in boxes if box.pending or box.refused),
        incidents=tuple(i for i in list_incidents(incidents_folder(settings)) if i.is_open),
    )


def _lines(sheet: Sheet) -> Iterator[str]:
    duty = sheet.duty
    yield f"# Hand-over of on-call, {utc_day(sheet.at)}\n"
    week = f"Until {utc_day(duty.week_until)}: primary {duty.primary}, secondary {duty.secondary}"
    yield f"{week}. Now: {duty.person}, until {utc_day(duty.until)}.\n"
    yield from _section("Runs of the last seven days", list(_runs(sheet)))
    yield from _section("Failures", [_failure(one) for one in reversed(sheet.failures)])
    yield from _section(
        "Beyond a line in what is served", [_breach(*one) for one in sheet.breaches]
    )
    yield from _section("Alerts that stand", [_alert(one) for one in sheet.alerts])
    yield from _section("Deliveries that wait", [_box(*one) for one in sheet.waiting])
    told = [f"{one.level} {one.title}: {short_path(one.path)}" for one in sheet.incidents]
    yield from _section("Open incidents", told)


def _section(title: str, items: list[str]) -> Iterator[str]:
    yield f"## {title}\n"
    for item in items[:_SHOWN] or ["none"]:
        yield f"- {item}"
    if len(items) > _SHOWN:
        yield f"- and {len(items) - _SHOWN:,} more: tapewatch runs"
    yield ""


def _runs(sheet: Sheet) -> Iterator[str]:
    counts = Counter((one.portfolio, one.outcome or one.status) for one in sheet.attempts)
    for (portfolio, outcome), count in sorted(counts.items()):
        yield f"{portfolio}: {count:,} {outcome.replace('_', ' ')}"


def _failure(one: AttemptRecord) -> str:
    told = one.status if one.error is None else one.error.told
    return f"{one.started_at[:16]}Z {one.portfolio}: {told} (`tapewatch explain {one.log_folder}`)"


def _breach(portfolio: str, run: str, breach: Breach) -> str:
    return (
        f"{portfolio}, run {run}: {breach.title} {breach.shown}, {breach.status} ({breach.lines})"
    )


def _alert(one: Raised) -> str:
    about = ", ".join(filter(None, [one.portfolio, one.about]))
    return f"{one.level} {one.alert}{f' ({about})' if about else ''}"


def _box(name: str, box: Backlog) -> str:
    since = "" if box.oldest is None else f", the oldest since {utc_day(box.oldest)}"
    refused = f", {len(box.refused):,} refused" if box.refused else ""
    return f"{name}: {box.pending:,} pending{since}{refused}"


def _document(sheet: Sheet) -> dict[str, JsonValue]:
    duty = sheet.duty
    return {
        "at": sheet.at.isoformat(),
        "person": duty.person,
        "primary": duty.primary,
        "secondary": duty.secondary,
        "until": duty.until.isoformat(),
        "attempts": len(sheet.attempts),
        "failures": [
            {
                "attempt": one.attempt_id,
                "portfolio": one.portfolio,
                "started_at": one.started_at,
                "error": None if one.error is None else asdict(one.error),
            }
            for one in sheet.failures
        ],
        "breaches": [
            {"portfolio": book, "run": run, **asdict(one)} for book, run, one in sheet.breaches
        ],
        "alerts": [asdict(one) for one in sheet.alerts],
        "waiting": [
            {"receiver": name, "pending": box.pending, "refused": [*box.refused]}
            for name, box in sheet.waiting
        ],
        "open_incidents": [str(one.path) for one in sheet.incidents],
    }
