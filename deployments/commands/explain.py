"""`tapewatch explain`: what happened to an attempt, in plain words, and what to do first."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime

from pydantic import JsonValue
from rich.text import Text

from deployments.attempts import find_attempt
from deployments.diagnosis import Diagnosis, diagnose, told_outcome
from deployments.documents import print_json
from deployments.render import COLOURS, open_console, print_facts, short_path
from settings.model import Settings
from settings.severity import severity_matrix
from warehouse.attempt_folder import REPORT

_STYLES = {
    "good": "bold green",
    "breached": "bold yellow",
    "failed": "bold red",
    "died": "bold red",
    "stopped": "bold yellow",
    "running": "bold",
}
_HOURS_SHOWN = 72


def explain(settings: Settings, name: str, portfolio: str | None, *, is_json: bool) -> None:
    """Show what happened to the attempt that `name` means.

    Raises:
        NothingPublishedError: There was no attempt yet.
        NoSuchAttemptError: None is meant, or several are.
    """
    found = diagnose(settings, find_attempt(settings, name, portfolio), datetime.now(UTC))
    if is_json:
        print_json(_document(settings, found))
        return
    console = open_console()
    style = _STYLES[found.verdict]
    console.print(told_outcome(found), style=style, markup=False, soft_wrap=True)
    console.print()
    print_facts(console, _facts(settings, found))


def first_action(settings: Settings, found: Diagnosis) -> str | None:
    """Return what to do first: by the level, and at P1 by whether something was deployed."""
    if found.level is None:
        return None
    if found.error is None or found.level != "P1":
        page = found.alerts[0].page_at(settings.alerting.runbooks_url)
        return f"{severity_matrix()[found.level].first_action}; begin with {page}"
    if not found.is_newest:
        return "see tapewatch explain latest: a later attempt has ended since"
    if found.is_after_deployment and found.served is not None:
        told = f"the code is {found.code}, that of the served run was {found.served.code}"
        return f"{told}: roll back if that was deployed today, else do what the fix says"
    why = "nothing was deployed since the served run, so a rollback would not help"
    return f"do what the fix says, then run again; {why}"


def links_of(settings: Settings, found: Diagnosis) -> dict[str, str]:
    """Return where to read on; only what is there."""
    files = {"log": found.log, "error log": found.error_log, "report": found.folder / REPORT}
    links = {
        name: short_path(path) for name, path in files.items() if path is not None and path.exists()
    }
    reports = settings.alerting.reports_url
    if reports and "report" in links:
        links["report"] = f"{reports}/runs/{found.attempt.log_folder}/{REPORT}"
    if settings.alerting.grafana_url:
        links["dashboards"] = settings.alerting.grafana_url
    return links


def age_text(hours: float) -> str:
    """Return an age for people: in hours up to three days, then in days."""
    return f"{hours:,.1f} h" if hours <= _HOURS_SHOWN else f"{hours / 24:,.1f} days"


def _facts(settings: Settings, found: Diagnosis) -> dict[str, str | Text]:
    error, level, action = found.error, found.level, first_action(settings, found)
    facts: dict[str, str | Text] = {}
    if error is not None:
        facts["root error"] = Text(error.told, "bold")
        facts["fix"] = error.fix
    if level is not None:
        facts["severity"] = (
            f"{level} ({severity_matrix()[level].title}): {severity_matrix()[level].line}"
        )
    if action is not None:
        facts["first action"] = action
    if found.breaches:
        facts["beyond"] = _breach_text(found)
    facts["alerts"] = Text("\n").join(_alert_lines(settings, found)) if found.alerts else "none"
    facts["served"] = _served_text(settings, found)
    facts |= {"attempt": _attempt_line(found), "phases": _phase_line(found) or "none was begun"}
    links = {name: Text(told) for name, told in links_of(settings, found).items()}
    return facts | {"log folder": Text(short_path(found.folder))} | links


def _alert_lines(settings: Settings, found: Diagnosis) -> Iterator[Text]:
    root = settings.alerting.runbooks_url
    for alert in found.alerts:
        about = f" ({alert.about})" if alert.about else ""
        yield Text(f"{alert.level}  {alert.alert}{about}: {alert.page_at(root)}")


def _breach_text(found: Diagnosis) -> Text:
    text = Text()
    for breach in found.breaches:
        text.append("\n" if text else "").append(f"{breach.title} {breach.shown}  ")
        text.append(breach.status, COLOURS[breach.status]).append(f"  ({breach.lines})")
    return text


def _served_text(settings: Settings, found: Diagnosis) -> Text:
    served = found.served
    if served is None:
        told = "see tapewatch runs" if not found.is_newest else "nothing: no run is published yet"
        return Text(told)
    what = "this run" if served.is_this else f"still run {served.run}"
    text = Text(f"{what}, of {served.as_of}: its day ended {age_text(served.hours)} ago, ")
    text.append(served.status, COLOURS[served.status])
    lines = settings.operations.freshness_hours
    return text.append(f" (warning > {lines.warning} h, critical > {lines.critical} h)")


def _attempt_line(found: Diagnosis) -> str:
    attempt = found.attempt
    ended = "" if attempt.ended_at is None else f" to {attempt.ended_at[11:19]}"
    book = f"{attempt.portfolio} in {attempt.environment}"
    traced = f", trace {attempt.trace_id}" if attempt.trace_id else ""
    began = f"{attempt.started_at[:10]} {attempt.started_at[11:19]}"
    return f"{attempt.attempt_id} of {book}, {began}{ended} UTC{traced}"


def _phase_line(found: Diagnosis) -> str:
    told = [
        f"{name} {phase.get('status')} {phase.get('duration_seconds', 0)} s"
        for name, phase in found.phases.items()
    ]
    return ", ".join(told)


def _document(settings: Settings, found: Diagnosis) -> dict[str, JsonValue]:
    attempt, error, level = found.attempt, found.error, found.level
    root = settings.alerting.runbooks_url
    alerts: list[JsonValue] = [
        {**asdict(alert), "runbook": alert.page_at(root)} for alert in found.alerts
    ]
    return {
        "told": told_outcome(found),
        "verdict": found.verdict,
        "attempt": attempt.attempt_id,
        "environment": attempt.environment,
        "portfolio": attempt.portfolio,
        "is_newest": found.is_newest,
        "started_at": attempt.started_at,
        "ended_at": attempt.ended_at,
        "outcome": attempt.outcome,
        "as_of": attempt.as_of,
        "failed_phase": found.phase,
        "error": None if error is None else asdict(error),
        "level": level,
        "respond_within": None if level is None else severity_matrix()[level].response,
        "escalation": None if level is None else severity_matrix()[level].escalation,
        "first_action": first_action(settings, found),
        "alerts": alerts,
        "breaches": [asdict(breach) for breach in found.breaches],
        "served": None if found.served is None else asdict(found.served),
        "phases": {name: dict(phase) for name, phase in _plain(found)},
        "links": {**links_of(settings, found)},
    }


def _plain(found: Diagnosis) -> Iterator[tuple[str, dict[str, JsonValue]]]:
    for name, phase in found.phases.items():
        seconds = phase.get("duration_seconds")
        is_number = isinstance(seconds, int | float)
        yield name, {"status": str(phase.get("status")), "seconds": seconds if is_number else None}
