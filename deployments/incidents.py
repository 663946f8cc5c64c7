"""Incidents as people write them down: one Markdown file each, prefilled from an attempt."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from deployments.diagnosis import Diagnosis, told_outcome
from settings.errors import UsageError
from settings.kpis import Level, kpis_by_name
from settings.model import Settings
from settings.oncall import ContactRole
from settings.severity import severity_matrix
from warehouse.durable import create_private, make_folder, write_all
from warehouse.sealed_kpis import read_kpis
from warehouse.storage_errors import typed_storage

_HERE = Path(__file__).parent
_REVIEW = timedelta(hours=24)  # the post-mortem is written within a day
_STATUS = re.compile(r"^- Status: *(\S+)", re.MULTILINE)
_TITLE = re.compile(r"^# (P\d) [^:\n]*: (.*)$", re.MULTILINE)
_SLUG = re.compile(r"[^a-z0-9]+")
_SLUG_LENGTH = 60
_COPIES = 100
_COUNSEL = "ComplianceViolation"


class NoTitleError(UsageError):
    """An incident has no title."""

    code = "NO_TITLE"


@dataclass(frozen=True)
class Incident:
    """One file of the incidents folder."""

    path: Path
    level: str
    title: str
    is_open: bool


@dataclass(frozen=True)
class Call:
    """Whom to call, and when."""

    when: str
    title: str
    slack: str


def incidents_folder(settings: Settings) -> Path:
    """Return where the incidents of these settings lie: one Markdown file each."""
    return settings.paths.data_dir / "incidents"


def incident_text(
    settings: Settings, found: Diagnosis, level: Level, title: str, now: datetime
) -> str:
    """Return the file of an incident: all that is known, and room for what only people know."""
    templates = Environment(  # noqa: S701 - Markdown: `cell` keeps a table whole
        loader=FileSystemLoader(_HERE),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters.update({"moment": _moment, "cell": _cell})
    row, began = severity_matrix()[level], began_at(found)
    minutes = row.respond_minutes
    return templates.get_template("incident.md").render(
        found=found,
        level=level,
        row=row,
        title=" ".join(title.split()),
        told=told_outcome(found),
        began=began,
        now=now,
        due=None if minutes is None else began + timedelta(minutes=minutes),
        review=now + _REVIEW,
        folder=found.folder,
        calls=list(_calls(settings, found, level)),
        served=_served(found),
        timeline=[*timeline(found), (now, "this was written down")],
        pages=[alert.page_at(settings.alerting.runbooks_url) for alert in found.alerts],
        kpis=[] if found.run is None else list(_kpis(found)),
        first_action=row.first_action,
        error=None if found.error is None else found.error.told,
    )


def began_at(found: Diagnosis) -> datetime:
    """Return when the incident began: when the attempt ended, or began if it never did."""
    return datetime.fromisoformat(found.attempt.ended_at or found.attempt.started_at)


def timeline(found: Diagnosis) -> list[tuple[datetime, str]]:
    """Return what the attempt did, moment by moment, oldest first."""
    attempt = found.attempt
    events = [(datetime.fromisoformat(attempt.started_at), "the attempt began")]
    for name, phase in found.phases.items():
        began, done = phase.get("started_at"), phase.get("completed at")
        if isinstance(began, str):
            tries = f", try {phase['tries']}" if phase.get("tries", 1) != 1 else ""
            events.append((datetime.fromisoformat(began), f"{name} began{tries}"))
        if isinstance(done, str):
            events.append((datetime.fromisoformat(done), f"{name} was completed"))
    if attempt.ended_at is not None:
        why = "" if found.error is None else f": {found.error.code}, {found.error.message}"
        where = f" in {found.phase}" if found.phase else ""
        told = f"the attempt ended, {attempt.outcome or attempt.status}{where}{why}"
        events.append((datetime.fromisoformat(attempt.ended_at), told))
    return sorted(events, key=lambda event: event[0])


def write_incident(folder: Path, title: str, text: str, now: datetime) -> Path:
    """Write a new file into `folder`, never over another one, and return its path.

    Raises:
        NoTitleError: The title has no letter and no digit.
        StorageError: The disk refused.
    """
    slug = _SLUG.sub("-", title.lower())[:_SLUG_LENGTH].strip("-")
    if not slug:
        raise NoTitleError("the title is empty", fix='say what happened: --title "TEXT"')
    make_folder(folder)
    for number in range(_COPIES):
        more = f"-{number + 1}" if number else ""
        path = folder / f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{slug}{more}.md"
        with typed_storage(path):
            try:
                fd = create_private(path)
            except FileExistsError:
                continue
            try:
                write_all(fd, text.encode())
                os.fsync(fd)
            finally:
                os.close(fd)
            return path
    raise NoTitleError(f"{folder} has {_COPIES} incidents of this moment", fix="give another title")


def list_incidents(folder: Path) -> list[Incident]:
    """Return every incident, oldest first; one is open until its status says something else."""
    return [_read(path) for path in sorted(folder.glob("*.md"))]


def _read(path: Path) -> Incident:
    with typed_storage(path):
        text = path.read_text(encoding="utf-8", errors="replace")
    title, status = _TITLE.search(text), _STATUS.search(text)
    level, told = title.groups() if title else ("P?", path.stem)
    return Incident(path, level, told, status is None or status[1].lower() == "open")


def _calls(settings: Settings, found: Diagnosis, level: Level) -> Iterator[Call]:
    row = severity_matrix()[level]
    yield _call(settings, "at once" if row.pages else f"{row.response}", "on_call_engineer")
    for role in row.after_that:
        yield _call(settings, f"nobody has answered within {row.response}", role)
    if any(alert.alert == _COUNSEL for alert in found.alerts):
        yield _call(settings, "a compliance violation", "general_counsel")


def _call(settings: Settings, when: str, role: ContactRole) -> Call:
    contact = settings.oncall.contact(role)
    return Call(when, contact.title, contact.slack)


def _served(found: Diagnosis) -> str:
    if found.served is None:
        return "nothing that can be read"
    return f"run {found.served.run}, of {found.served.as_of}, freshness {found.served.status}"


def _kpis(found: Diagnosis) -> Iterator[dict[str, str]]:
    kpis = kpis_by_name()
    for value in read_kpis(found.run) if found.run else ():
        kpi = kpis.get(value.name)
        shown = str(value.value) if kpi is None else kpi.format(value.value)
        is_judged = value.status != "ok" or (kpi is not None and kpi.thresholds is not None)
        yield {
            "title": value.name if kpi is None else kpi.title,
            "shown": shown if value.reason is None else f"{shown}: {value.reason}",
            "status": value.status if is_judged else "",
        }


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _cell(text: object) -> str:
    """Return a text that ends no table cell and starts no HTML."""
    return " ".join(str(text).split()).replace("|", "\\|").replace("<", "&lt;")
