"""Decide what a run says to whom: once per change of state, a daily reminder while it lasts.

Each audience is compared with what it was told last, which every run seals with its messages: a
run that answers the same question again says nothing, and a stored backfill says nothing at all.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Any, Literal, cast

from pydantic import JsonValue

from settings.alerting import Route
from settings.kpis import Kpi
from warehouse.kpis import KpiValue
from warehouse.message_facts import (
    News,
    briefing_facts,
    kpi_facts,
    quarantine_status,
    run_facts,
    summary_facts,
    values_of,
    watched,
)
from warehouse.messages import (
    Kind,
    Message,
    SealedMessages,
    Severity,
    Standing,
    message_id,
    read_messages,
)

State = Literal["ok", "warning", "critical", "escalation", "unknown"]
EXECUTIVE: Route = "executive_briefing"
_COMPLIANCE: tuple[Route, ...] = ("compliance_updates",)
_SUMMARY: Route = "daily_summary"
_BRIEFING_HOUR = 8
_WEEK, _BRIEFING_ID = "week", "id"  # what the briefing keeps in the standing
_RESTATED = "restated_"  # these checks have a message of their own
_GRAVE = ("critical", "escalation")


@dataclass(frozen=True)
class Subject:
    """One thing that has a state: a KPI, the quarantine, the reconciliation."""

    name: str
    state: State
    routes: tuple[Route, ...]
    facts: dict[str, JsonValue]
    is_kpi: bool = True


def kpi_state(kpi: Kpi, value: KpiValue) -> State:
    """Return the sealed status, or `escalation` where somebody higher up is told as well."""
    lines = kpi.thresholds
    if value.status != "critical" or lines is None or kpi.direction == "none":
        return value.status
    return "escalation" if lines.is_escalated(value.value, kpi.direction) else "critical"


def transition(
    route: Route, told: str, now: State, *, is_kpi: bool, is_new_day: bool
) -> tuple[Kind | None, str]:
    """Return what an audience is told, and what it has then been told last.

    Executives hear of critical states alone. An unknown KPI is no news to them and no recovery
    either: they keep what they were told until it is known again.
    """
    heard: str = now
    if route == EXECUTIVE:
        if now == "unknown":
            return None, told
        heard = "ok" if now == "warning" else now
    if heard == told:
        return ("reminder" if heard != "ok" and is_new_day else None), told
    if heard == "ok":
        return "recovered", heard
    if is_kpi:
        return "kpi_alert", heard
    return ("compliance_alert" if heard in _GRAVE else "data_quality_notice"), heard


def decide_messages(news: News) -> SealedMessages:
    """Return all that a run says which is about to be served."""
    before = standing_of(news)
    # a KPI that this tape does not tell keeps what was told of it
    standing = {name: dict(routes) for name, routes in before.items()}
    messages: list[Message] = []
    for subject in _subjects(news):
        for route in subject.routes:
            told = before.get(subject.name, {}).get(route)
            kind, heard = transition(
                route,
                told or "ok",
                subject.state,
                is_kpi=subject.is_kpi,
                is_new_day=news.is_new_day,
            )
            standing.setdefault(subject.name, {})[route] = heard
            if kind is not None:
                facts = {**run_facts(news), **subject.facts, "state": heard, "told": told}
                messages.append(_message(news, kind, route, subject.name, facts, _severity(heard)))
    messages += _events(news)
    messages.append(_message(news, "daily_summary", _SUMMARY, "", summary_facts(news), "info"))
    week, monday = _week_of(news.local_time)
    told_week = before.get(_WEEK, {})
    standing[_WEEK] = {**told_week, EXECUTIVE: week}
    if told_week.get(EXECUTIVE) != week or told_week.get(_BRIEFING_ID) in news.lost_briefings:
        briefing = _message(news, "executive_briefing", EXECUTIVE, "", briefing_facts(news), "info")
        messages.append(replace(briefing, not_before=monday))
        standing[_WEEK][_BRIEFING_ID] = briefing.id
    return SealedMessages(
        news.manifest.identity.environment, news.manifest.created_at, standing, tuple(messages)
    )


def standing_of(news: News) -> Standing:
    """Return what each audience was told by the run that was served until now.

    A run that was sealed before there were messages has told nothing: its states count as told,
    so that the first run with messages does not repeat what is old.
    """
    run = news.served
    if run is None:
        return {}
    sealed = read_messages(run.folder)
    if sealed is not None:
        return sealed.standing
    values = values_of(run)
    return {
        kpi.name: {
            route: transition(route, "ok", kpi_state(kpi, value), is_kpi=True, is_new_day=True)[1]
            for route in _routes(kpi)
        }
        for kpi, value in watched(tuple(values.values()))
    }


def _routes(kpi: Kpi) -> tuple[Route, ...]:
    return tuple(cast("Route", route) for route in kpi.audience if route != _SUMMARY)


def _subjects(news: News) -> Iterator[Subject]:
    for kpi, value in watched(news.kpis):
        facts = kpi_facts(news, value)
        yield Subject(kpi.name, kpi_state(kpi, value), _routes(kpi), facts)
    quality = cast("dict[str, Any]", news.manifest.quality)
    line = str(news.settings.operations.quarantined_ratio.warning)
    facts: dict[str, JsonValue] = {"quarantine": quality["quarantine"], "line": line}
    yield Subject("quarantine", quarantine_status(news), _COMPLIANCE, facts, is_kpi=False)
    told = cast("Mapping[str, int] | None", quality["reconciliation"])
    if told is not None:
        state: State = "ok" if told["matched"] == told["compared"] else "critical"
        facts = {"reconciliation": dict(told)}
        yield Subject("reconciliation", state, _COMPLIANCE, facts, is_kpi=False)


def _events(news: News) -> Iterator[Message]:
    """Yield what happened in this run and has no state: a changed past, checks that newly fail."""
    quality = cast("dict[str, Any]", news.manifest.quality)
    [route] = _COMPLIANCE
    if quality.get("restated"):
        facts = {**run_facts(news), "restated": quality["restated"]}
        yield _message(news, "data_quality_notice", route, "restated", facts, "warning")
    if news.served is None:
        return
    before = cast("list[str]", news.served.manifest.quality["failed"])
    failed = {
        name: quality["checks"][name]
        for name in quality["failed"]
        if name not in before and not name.startswith(_RESTATED)
    }
    if failed:
        facts = {**run_facts(news), "checks": cast("JsonValue", failed)}
        yield _message(news, "data_quality_notice", route, "checks", facts, "warning")


def _message(
    news: News,
    kind: Kind,
    route: Route,
    subject: str,
    facts: dict[str, JsonValue],
    severity: Severity,
) -> Message:
    return Message(
        id=message_id(news.manifest.run_id, kind, subject, route),
        kind=kind,
        route=route,
        severity=severity,
        portfolio=news.manifest.identity.portfolio,
        subject=subject,
        facts=facts,
    )


def _severity(state: str) -> Severity:
    if state in _GRAVE:
        return "critical"
    return "info" if state == "ok" else "warning"


def _week_of(local: datetime) -> tuple[str, datetime]:
    """Return the ISO week of a moment, and its Monday at eight, in the portfolio's time zone."""
    year, week, weekday = local.isocalendar()
    monday = local.date() - timedelta(days=weekday - 1)
    at_eight = datetime.combine(monday, time(_BRIEFING_HOUR), local.tzinfo)
    return f"{year}-W{week:02}", at_eight
