"""`tapewatch credentials`: which are in use, when each was set and when it ends; never a value."""

from datetime import UTC, datetime

from pydantic import JsonValue
from rich.text import Text

from deployments.bare_table import bare_table
from deployments.documents import print_json
from deployments.render import COLOURS, open_console
from settings.model import Settings
from settings.register import Credential, list_credentials
from warehouse.attempt_folder import utc_text

# that nobody said when a credential was set is a warning here, and no gap in a figure
_COLOURS = {**COLOURS, "unknown": COLOURS["warning"]}


def show_credentials(settings: Settings, *, is_json: bool) -> None:
    """Show the register of the credentials that these settings hold."""
    now = datetime.now(UTC)
    held = list_credentials(settings)
    if is_json:
        print_json({"credentials": [_document(one, settings, now) for one in held]})
        return
    console = open_console()
    if not held:
        console.print("no credential is in use")
        return
    table = bare_table()
    for heading in ("credential", "set on", "age", "ends on", "by", "left"):
        table.add_column(heading, no_wrap=True)
    for one in held:
        table.add_row(*_cells(one, settings, now))
    console.print(table)


def _document(one: Credential, settings: Settings, now: datetime) -> dict[str, JsonValue]:
    return {
        "name": one.name,
        "set_at": None if one.set_at is None else utc_text(one.set_at),
        "age_days": one.age_days(now),
        "expires_at": None if one.expires_at is None else utc_text(one.expires_at),
        "expires_by": one.expires_by,
        "days_left": one.days_left(now),
        "status": one.status(now, settings.operations.credential_days),
    }


def _cells(one: Credential, settings: Settings, now: datetime) -> list[Text]:
    status = one.status(now, settings.operations.credential_days)
    return [
        Text(one.name),
        _told(one.set_at and one.set_at.date()),
        _told(one.age_days(now), " days"),
        _told(one.expires_at and one.expires_at.date()),
        _told(one.expires_by),
        _told(one.days_left(now), " days", _COLOURS[status]),
    ]


def _told(value: object, ending: str = "", colour: str = "") -> Text:
    return Text("unknown" if value is None else f"{value}{ending}", colour)
