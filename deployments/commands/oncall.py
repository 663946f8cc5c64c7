"""`tapewatch oncall`: who has duty, until when, and whom it goes to after that."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime

from pydantic import JsonValue
from rich.console import Console
from rich.table import Table

from deployments.bare_table import bare_table
from deployments.documents import print_json
from deployments.render import open_console, print_facts
from settings.errors import UsageError
from settings.model import Settings
from settings.oncall import CONTACT_ROLES, TBD, Contact, Duty, duty_at
from settings.severity import severity_matrix


class BadMomentError(UsageError):
    """A text is no date and no time."""

    code = "BAD_MOMENT"


def moment_of(text: str | None) -> datetime:
    """Return the moment that a person means, in UTC unless it says otherwise; now without one.

    Raises:
        BadMomentError: It is no date and no time.
    """
    if text is None:
        return datetime.now(UTC)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise BadMomentError(f"{text!r} is no time", fix="write 2025-12-29T09:00, in UTC") from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def show_duty(settings: Settings, at: datetime, *, is_json: bool) -> None:
    """Show who has duty at a moment, and the escalation with its contacts."""
    duty = duty_at(settings.oncall, at)
    contacts = [settings.oncall.contact(role) for role in CONTACT_ROLES]
    if is_json:
        print_json(_document(duty, contacts))
        return
    console = open_console()
    console.print(
        f"{duty.person} has duty as {duty.part} ({duty.why}), until {utc_day(duty.until)}",
        style="bold",
        markup=False,
        soft_wrap=True,
    )
    print_facts(console, dict(_facts(settings, duty)))
    console.print()
    console.print(_levels_table())
    console.print()
    console.print(_contacts_table(contacts))
    _print_missing(console, settings, contacts)


def utc_day(at: datetime) -> str:
    """Return a moment as Sat 2026-01-03 00:00 UTC."""
    return f"{at.astimezone(UTC):%a %Y-%m-%d %H:%M} UTC"


def _facts(settings: Settings, duty: Duty) -> Iterator[tuple[str, str]]:
    contact = settings.oncall.contact("on_call_engineer")
    yield "reached by", f"{contact.slack}, phone {contact.phone}"
    yield "at", utc_day(duty.at)
    yield "week", f"{utc_day(duty.week_from)} to {utc_day(duty.week_until)}"
    yield "primary", f"{duty.primary}, Monday to Friday"
    yield "secondary", f"{duty.secondary}, weekend and holidays"


def _levels_table() -> Table:
    table = bare_table("level", "impact", "answer within", "after that")
    for level, row in severity_matrix().items():
        table.add_row(f"{level} ({row.title})", row.impact, row.response, row.escalation)
    return table


def _contacts_table(contacts: list[Contact]) -> Table:
    table = bare_table("role", "name", "phone", "Slack")
    for one in contacts:
        table.add_row(one.title, one.name, one.phone, one.slack)
    return table


def _print_missing(console: Console, settings: Settings, contacts: list[Contact]) -> None:
    missing = [one.title for one in contacts if TBD in (one.name, one.phone)]
    if missing:
        told = (
            f"\nTBD: {', '.join(missing)}. Set TAPEWATCH_ONCALL__CONTACTS__<ROLE>__NAME and __PHONE"
        )
        console.print(told, style="yellow", markup=False, soft_wrap=True)
    if not settings.oncall.people():
        told = 'no rotation is set: TAPEWATCH_ONCALL__ROTATION="NAME, NAME"'
        console.print(told, style="yellow", markup=False, soft_wrap=True)


def _document(duty: Duty, contacts: list[Contact]) -> dict[str, JsonValue]:
    told: dict[str, JsonValue] = {
        name: value.isoformat() if isinstance(value, datetime) else str(value)
        for name, value in asdict(duty).items()
    }
    levels: dict[str, JsonValue] = {
        level: {
            "title": row.title,
            "impact": row.impact,
            "respond_minutes": row.respond_minutes,
            "pages": row.pages,
            "after_that": [*row.after_that],
        }
        for level, row in severity_matrix().items()
    }
    listed: list[JsonValue] = [asdict(one) for one in contacts]
    return {**told, "levels": levels, "contacts": listed}
