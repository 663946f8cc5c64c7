"""A message as Slack is sent it: its page, whom it calls, where it leads, and its ref.

A page is made when it is sent, from the facts that were sealed; links and mentions are the
settings' of that moment.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

from slack_sdk.models.blocks import Block

from blocks.clients.slack_figures import Facts
from blocks.clients.slack_kit import code, context, escape, header, link, payload, words
from blocks.clients.slack_notices import (
    announcement,
    compliance_alert,
    data_quality_notice,
    delivery_refused,
    pipeline_failure,
    state_recovered,
    state_reminder,
)
from blocks.clients.slack_pages import Page, kpi_alert, kpi_recovered, kpi_reminder
from blocks.clients.slack_summary import daily_summary, executive_briefing
from settings.alerting import ROLE_OF, AlertingSettings
from warehouse.messages import Message

_DIGEST_LINES = 15
_CALLING = ("kpi_alert", "compliance_alert", "pipeline_failure", "delivery_refused")


def render(
    message: Message, alerting: AlertingSettings, manifest_sha256: str | None = None
) -> dict[str, Any]:
    """Return the payload of a message for a webhook; chat.postMessage takes it as well."""
    page = page_of(message)
    title = _title(message, page)
    links = list(_links(message, page, alerting))
    blocks = [header(title), *_mention(message, alerting), *_detour(message), *page.blocks]
    blocks += [context(links)] if links else []
    is_whole = message.kind == "daily_summary"  # the others need no more than their run's name
    blocks.append(context(_small_print(message, manifest_sha256 if is_whole else None)))
    return payload(escape(f"{title}: {page.notice}" if page.notice else title), blocks)


def page_of(message: Message) -> Page:
    """Return the page of a message."""
    return _PAGES[message.kind](message)


def _title(message: Message, page: Page) -> str:
    """Return the title with whose it is: a phone shows no more of a message than this.

    The portfolio is always named; the environment where it is another than production, and first,
    so that nobody gets up for a rehearsal.
    """
    environment = str(message.facts["environment"])
    trial = "" if environment == "production" else f"[{environment}] "
    whose = f"{message.portfolio} · " if message.portfolio else ""
    return f"{page.icon} {trial}{whose}{page.title}"


def _mention(message: Message, alerting: AlertingSettings) -> Iterator[Block]:
    """Call whom the runbook names, where this side is the one that calls."""
    role = ROLE_OF.get(message.route)
    is_called = message.severity == "critical" and message.kind in _CALLING
    if role is None or not is_called or alerting.mentions_by != "flow" or _is_better(message):
        return
    if mention := alerting.mentions.mention(role):
        yield words([mention])


def _detour(message: Message) -> Iterator[Block]:
    """Say of a critical message for whom it was, where its own channel did not take it."""
    if meant_for := message.facts.get("meant_for"):
        yield words([f"{code(str(meant_for))} did not take this: whom it is for has not read it."])


def _is_better(message: Message) -> bool:
    """Whether a KPI that is still bad was told to be worse: nobody is called for that."""
    facts = message.facts
    return facts.get("told") == "escalation" and facts.get("state") == "critical"


def _links(message: Message, page: Page, alerting: AlertingSettings) -> Iterator[str]:
    folder = message.facts.get("log_folder")
    if alerting.reports_url and folder:
        root = f"{alerting.reports_url}/runs/{folder}/"
        is_run = message.facts.get("run") is not None
        yield link(f"{root}report.html", "Report") if is_run else link(root, "Log folder")
    if alerting.runbooks_url and page.runbook:
        yield link(f"{alerting.runbooks_url}/{page.runbook}.md", "Runbook")
    if alerting.grafana_url:
        yield link(alerting.grafana_url, "Dashboards")


def _small_print(message: Message, manifest_sha256: str | None) -> list[str]:
    facts = message.facts
    told = [f"{facts['environment']}, portfolio {code(message.portfolio)}"]
    if not message.portfolio:
        told = [str(facts["environment"])]
    told += [f"run {code(str(facts['run']))}"] if facts.get("run") else []
    told += [f"attempt {code(str(facts['attempt']))}"] if facts.get("attempt") else []
    told += [f"manifest sha256 {code(manifest_sha256)}"] if manifest_sha256 else []
    return [*told, f"ref {code(message.ref)}"]


def _reminder(message: Message) -> Page:
    return kpi_reminder(message) if "kpi" in message.facts else state_reminder(message)


def _recovered(message: Message) -> Page:
    return kpi_recovered(message) if "kpi" in message.facts else state_recovered(message)


def _digest(message: Message) -> Page:
    told = cast("Sequence[Facts]", message.facts["messages"])
    lines = [f"• {escape(_digest_line(entry), 150)}" for entry in told[:_DIGEST_LINES]]
    more = len(told) - len(lines)
    lines += [f"… and {more:,} more"] if more else []
    title = f"{len(told):,} more messages of a busy day"
    return Page("📚", title, (words(lines),))


def _digest_line(entry: Facts) -> str:
    told = Message(id="", route="daily_summary", **entry)
    return f"{_title(told, page_of(told))}, of {entry['facts'].get('as_of') or 'no day'}"


_PAGES: Mapping[str, Callable[[Message], Page]] = {
    "kpi_alert": kpi_alert,
    "reminder": _reminder,
    "recovered": _recovered,
    "compliance_alert": compliance_alert,
    "data_quality_notice": data_quality_notice,
    "daily_summary": daily_summary,
    "executive_briefing": executive_briefing,
    "pipeline_failure": pipeline_failure,
    "delivery_refused": delivery_refused,
    "digest": _digest,
    "announcement": announcement,
}
