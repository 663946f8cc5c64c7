"""The pages that tell a whole day: the daily summary and the week's briefing."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import cast

from slack_sdk.models.blocks import Block

from blocks.clients.slack_figures import (
    ICONS,
    Facts,
    beside_line,
    move_since_yesterday,
    moves,
    parts_line,
    title_of,
    value_of,
)
from blocks.clients.slack_kit import code, escape, table, words
from blocks.clients.slack_pages import Page, restated_lines
from warehouse.messages import Message

_NAMES_SHOWN = 2
_FIRST_DAY = "There is nothing earlier to compare with."
_WORST_FIRST = ("critical", "unknown", "warning")


def daily_summary(message: Message) -> Page:
    """Return the page of a day: every KPI, what changed, and how far it can be trusted."""
    facts = message.facts
    again = ", restated" if facts["is_restatement"] else ""
    title = f"Summary of {facts['as_of']}{again}: {_verdict(facts)}"
    return Page(_icon(facts), title, tuple(_summary_blocks(facts)))


def executive_briefing(message: Message) -> Page:
    """Return the page of a week: the KPIs that have thresholds."""
    facts: Facts = message.facts
    blocks = [*_kpi_blocks(facts)]
    blocks.append(words([f"Figures of {facts['as_of']}, {_hours(facts)} h old when sealed."]))
    return Page("📈", f"Week's briefing: {_verdict(facts)}", tuple(blocks))


def _kpis(facts: Facts) -> Sequence[Facts]:
    return cast("Sequence[Facts]", facts["kpis"])


def _icon(facts: Facts) -> str:
    """Return the light of the worst: a KPI, how old the figures are, or what they rest on."""
    found = {str(kpi["status"]) for kpi in _kpis(facts)} | {status for status, _ in _doubts(facts)}
    return ICONS[next((status for status in _WORST_FIRST if status in found), "ok")]


def _verdict(facts: Facts) -> str:
    """Return how the KPIs stand and, after them, what speaks against relying on them."""
    told = [_named(facts, status) for status in ("critical", "warning", "unknown")]
    kpis = ", ".join(each for each in told if each) or "all inside their lines"
    return "; ".join([kpis, *(doubt for _, doubt in _doubts(facts))])


def _named(facts: Facts, status: str) -> str:
    """Return how many KPIs have a status, and which where that is short: "1 critical (PAR 90)"."""
    names = [title_of(kpi["kpi"]) for kpi in _kpis(facts) if kpi["status"] == status]
    if not names:
        return ""
    shown = f" ({', '.join(names)})" if len(names) <= _NAMES_SHOWN else ""
    return f"{len(names)} {status}{shown}"


def _doubts(facts: Facts) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a day beside its KPIs: how grave, and in words."""
    fresh = facts["freshness"]["status"]
    if fresh != "ok":
        yield fresh, f"{_hours(facts)} h old"
    told = facts.get("reconciliation")
    if told is not None and told["matched"] != told["compared"]:
        off = told["compared"] - told["matched"]
        yield "critical", f"{off:,} of {told['compared']:,} snapshot rows unreconciled"
    status = _quarantine_status(facts)
    if status != "ok":
        yield status, _set_apart(facts["quarantine"])


def _quarantine_status(facts: Facts) -> str:
    told = facts.get("quarantine")
    if told is None or not (told["loans"] or told["bad_rows"]):
        return "ok"
    status = str(facts.get("quarantine_status") or "ok")
    return "warning" if status == "ok" else status  # a book that lacks loans is never all green


def _set_apart(told: Facts) -> str:
    if not (told["loans"] or told["bad_rows"]):
        return "nothing set apart"
    count, what = (told["loans"], "loan") if told["loans"] else (told["bad_rows"], "row")
    return f"{count:,} {what}{'' if count == 1 else 's'} set apart"


def _hours(facts: Facts) -> str:
    return f"{Decimal(facts['freshness']['hours']):,.1f}"


def _kpi_blocks(facts: Facts) -> Iterator[Block]:
    kpis = _kpis(facts)
    if kpis and not any(kpi["earlier"] for kpi in kpis):
        yield words([_FIRST_DAY])
    for kpi in kpis:
        yield words(_kpi_lines(kpi))


def _summary_blocks(facts: Facts) -> Iterator[Block]:
    yield from _kpi_blocks(facts)
    rows = [
        (title_of(kpi["kpi"]), value_of(kpi), move_since_yesterday(kpi)) for kpi in facts["others"]
    ]
    if rows:
        yield table([("beside them", "value", _since(facts["others"])), *rows])
    yield words(list(_trust_lines(facts)))


def _since(kpis: Sequence[Facts]) -> str:
    """Return the day that the run before is of, as the name of a column."""
    days = {str(kpi["earlier"]["day"]["as_of"]) for kpi in kpis if "day" in kpi["earlier"]}
    return f"since {days.pop()}" if len(days) == 1 else "since the run before"


def _kpi_lines(kpi: Facts) -> list[str]:
    name = escape(title_of(kpi["kpi"]))
    first = f"{ICONS[kpi['status']]} *{name}*  {value_of(kpi)}  _{kpi['status']}_"
    if kpi["value"] is None:
        return [first, code(str(kpi["reason"]))]
    parts = parts_line(kpi)
    moved = f"since {kpi['since']}: {parts}" if parts else None
    told = ["; ".join(moves(kpi)), moved, beside_line(kpi)]
    return [first, *(line for line in told if line)]


def _trust_lines(facts: Facts) -> Iterator[str]:
    fresh = facts["freshness"]["status"]
    yield f"{ICONS[fresh]} *Freshness* {_hours(facts)} h after the end of the day, {fresh}"
    yield _reconciliation_line(facts["reconciliation"])
    yield _checks_line(facts)
    if facts["restated"]:
        yield from restated_lines(facts)
    if facts["ledger_seen"]:
        seen = facts["ledger_seen"]
        yield f"*Ledger* link {seen['seq']:,} {code(seen['hash'])}"


def _reconciliation_line(told: Facts | None) -> str:
    if told is None:
        return "⚪ *Reconciliation* none: this kind of tape has no ledger"
    icon = ICONS["ok" if told["matched"] == told["compared"] else "critical"]
    return f"{icon} *Reconciliation* {told['matched']:,} of {told['compared']:,} snapshot rows"


def _checks_line(facts: Facts) -> str:
    found = f"{facts['failed_checks']} of {facts['checks']} checks found rows"
    return f"{ICONS[_quarantine_status(facts)]} *Tape* {_set_apart(facts['quarantine'])}; {found}"
