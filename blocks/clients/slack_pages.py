"""The pages of messages about one KPI: alert, reminder, recovery."""

from collections.abc import Iterator
from dataclasses import dataclass

from slack_sdk.models.blocks import Block

from blocks.clients.slack_figures import (
    ICONS,
    RECOVERED,
    WRITTEN_OFF,
    Facts,
    beside_line,
    kpi_of,
    line_crossed,
    loan_rows,
    moves,
    part_text,
    parts_line,
    shown,
    title_of,
    value_of,
    write_offs,
)
from blocks.clients.slack_kit import code, escape, table, words
from warehouse.messages import Message

_RUNBOOKS = {
    "critical": "KpiBeyondCritical",
    "warning": "KpiBeyondWarning",
    "escalation": "KpiBeyondEscalation",
    "unknown": "KpiUnknown",
}
_STATE_NAMES = {"escalation": "beyond the escalation line", "warning": "in warning"}


@dataclass(frozen=True)
class Page:
    """A message as people see it; `runbook` names a page of docs/runbooks.

    `notice` stands after the title where only the text is shown: in a notification.
    """

    icon: str
    title: str
    blocks: tuple[Block, ...] = ()
    runbook: str | None = None
    notice: str = ""


def kpi_alert(message: Message) -> Page:
    """Return the page of a KPI whose state has changed for the worse, or is still bad."""
    facts, state = message.facts, str(message.facts["state"])
    title = f"{title_of(message.subject)} is {state_name(state)}: {value_of(facts)}"
    if state == "unknown":
        title = f"{title_of(message.subject)} is unknown"
    lines = [_beyond(message.subject, state, facts)]
    if facts["told"] is not None:  # else nobody has been told anything of it yet
        lines.append(f"It was {state_name(str(facts['told']))} when last told.")
    return Page(ICONS[state], title, (words(lines), *_story(facts)), _RUNBOOKS[state])


def kpi_reminder(message: Message) -> Page:
    """Return the page of a KPI that is as it was told before, a day later."""
    facts, state = message.facts, str(message.facts["state"])
    title = f"{title_of(message.subject)} is still {state_name(state)}"
    title += "" if facts["value"] is None else f": {value_of(facts)}"
    blocks = (words([_beyond(message.subject, state, facts)]), *_story(facts))
    return Page(ICONS[state], title, blocks, _RUNBOOKS[state])


def kpi_recovered(message: Message) -> Page:
    """Return the page of a KPI that is inside its lines again, or less far beyond."""
    facts, told = message.facts, state_name(str(message.facts["told"]))
    name, value, written_off = title_of(message.subject), value_of(facts), write_offs(facts)
    lines = [f"*{value}* on {facts['as_of']}. It was {told} when last told."]
    better = "is inside its lines again" if facts["status"] == "ok" else f"is no longer {told}"
    if written_off is not None:
        lines.append(f"This is no recovery. It was {part_text(facts, written_off)} that did most.")
        title = f"{name} {better}, by write-offs: {value}"
        return Page(WRITTEN_OFF, title, (words(lines), *_story(facts)))
    title = f"{name} {'has recovered' if facts['status'] == 'ok' else better}: {value}"
    return Page(RECOVERED, title, (words(lines), *_story(facts)))


def _beyond(name: str, state: str, facts: Facts) -> str:
    """Return the first sentence of a KPI's message."""
    if facts["value"] is None:
        reason = code(str(facts["reason"]))
        return f"It cannot be known on {facts['as_of']}: {reason}. Unknown is not healthy."
    line = line_crossed(name, state)
    return f"*{value_of(facts)}* on {facts['as_of']}{line and f', {line}'}."


def _story(facts: Facts) -> Iterator[Block]:
    """Yield how a KPI moved, what moved it, and the loans that did most."""
    lines = [f"It moved: {'; '.join(moves(facts))}."] if any(moves(facts)) else []
    if parts := parts_line(facts):
        lines.append(f"What moved it since {facts['since']}: {parts}.")
    if beside := beside_line(facts):
        lines.append(f"{beside}.")
    if lines:
        yield words(lines)
    if rows := loan_rows(facts):
        yield table(rows)


def restated_lines(facts: Facts) -> Iterator[str]:
    """Yield what a changed past did to the KPIs of its day."""
    told = facts["restated"]
    yield f"{told['changed']:,} changes to {told['as_of']} as run {code(told['run'])} told it."
    for effect in told["kpis"]:
        before, after = (shown(effect["kpi"], effect[which]) for which in ("before", "after"))
        name = effect["kpi"]
        known = escape(title_of(name)) if kpi_of(name) else code(name)
        yield f"• {known}: {before} → {after}"


def state_name(state: str) -> str:
    """Return a state as it stands in a sentence."""
    return _STATE_NAMES.get(state, state)
