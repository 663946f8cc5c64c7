"""`tapewatch incident`: write one down, prefilled from a run, and list those that are open."""

from datetime import UTC, datetime

from pydantic import JsonValue

from deployments.bare_table import bare_table
from deployments.diagnosis import diagnose
from deployments.documents import print_json
from deployments.incidents import (
    Incident,
    incident_text,
    incidents_folder,
    list_incidents,
    write_incident,
)
from deployments.render import open_console, print_facts, short_path
from settings.kpis import Level
from settings.model import Settings
from settings.severity import severity_matrix
from warehouse.attempt_state import AttemptRecord

_LEAST: Level = "P4"  # where no alert stands and nobody has said otherwise


def new_incident(
    settings: Settings, attempt: AttemptRecord, level: Level | None, title: str, *, is_json: bool
) -> None:
    """Write an incident down, and show where and what is due.

    Raises:
        NoTitleError: The title is empty.
        StorageError: The disk refused.
    """
    now = datetime.now(UTC)
    found = diagnose(settings, attempt, now)
    level = level or found.level or _LEAST
    text = incident_text(settings, found, level, title, now)
    path = write_incident(incidents_folder(settings), title, text, now)
    row = severity_matrix()[level]
    if is_json:
        print_json({"incident": str(path), "level": level, "respond_within": row.response})
        return
    console = open_console()
    console.print(short_path(path), markup=False, soft_wrap=True)
    print_facts(
        console,
        {
            "severity": f"{level} ({row.title}): {row.line}",
            "first action": row.first_action,
            "call": "tapewatch oncall has names and phones",
        },
    )


def show_incidents(settings: Settings, *, is_json: bool) -> None:
    """List every incident, the open ones first."""
    found = list_incidents(incidents_folder(settings))
    found.sort(key=lambda one: not one.is_open)  # stable: oldest first within each
    if is_json:
        listed: list[JsonValue] = [_document(one) for one in found]
        print_json({"incidents": listed})
        return
    console = open_console()
    if not found:
        console.print("no incident was written down", markup=False)
        return
    table = bare_table("status", "level", "title", "file")
    for one in found:
        status = "open" if one.is_open else "closed"
        table.add_row(status, one.level, one.title, one.path.name)
    console.print(table)


def _document(one: Incident) -> dict[str, JsonValue]:
    return {
        "file": str(one.path),
        "level": one.level,
        "title": one.title,
        "is_open": one.is_open,
    }
