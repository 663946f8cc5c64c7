"""The pages of messages about the tape and the pipeline, and of what a person announces."""

from collections.abc import Callable, Iterator, Mapping

from slack_sdk.models.blocks import Block

from blocks.clients.slack_figures import ICONS, RECOVERED, Facts
from blocks.clients.slack_kit import code, quoted, words
from blocks.clients.slack_pages import Page, restated_lines, state_name
from warehouse.attempt_messages import DAMAGE_CODES
from warehouse.messages import Message

_NAMES = {"quarantine": "The quarantine", "reconciliation": "The reconciliation"}
_RUNBOOKS = {
    "quarantine": "QuarantineAboveLine",
    "reconciliation": "ReconciliationBroken",
    "restated": "RestatedPast",
}
_NOTICES = {
    "restated": "The tape tells another past",
    "checks": "New findings in the tape",
    "quarantine": "More of the tape was set apart than usual",
    "reconciliation": "The ledger does not give the snapshots",
}


def compliance_alert(message: Message) -> Page:
    """Return the page of what an auditor would ask about."""
    if "code" in message.facts:
        title = f"Refused: {message.facts['code']}"
        return Page("🛑", title, tuple(_failure_blocks(message.facts)), "ComplianceViolation")
    return _of_state(message, "🛑", f"{_NAMES[message.subject]} is critical")


def data_quality_notice(message: Message) -> Page:
    """Return the page of what is odd about a tape and stopped nothing."""
    return _of_state(message, "🔎", _NOTICES[message.subject])


def state_reminder(message: Message) -> Page:
    """Return the page of a thing, no KPI, that is as it was told before, a day later."""
    state = str(message.facts["state"])
    return _of_state(
        message, ICONS[state], f"{_NAMES[message.subject]} is still {state_name(state)}"
    )


def state_recovered(message: Message) -> Page:
    """Return the page of a thing, no KPI, that is in order again."""
    return _of_state(message, RECOVERED, f"{_NAMES[message.subject]} is in order again")


def _of_state(message: Message, icon: str, title: str) -> Page:
    lines = list(_LINES[message.subject](message.facts))
    return Page(icon, title, (words(lines),), _RUNBOOKS.get(message.subject))


def _quarantine_lines(facts: Facts) -> Iterator[str]:
    told = facts["quarantine"]
    share, line = float(told["row_ratio"]), float(facts["line"])
    yield (
        f"{told['loans']:,} loans were set apart for {told['bad_rows']:,} unusable rows: "
        f"{share:.3%} of the rows on {facts['as_of']}; the warning line is {line:.3%}."
    )


def _reconciliation_lines(facts: Facts) -> Iterator[str]:
    told = facts["reconciliation"]
    yield (
        f"The ledger gives {told['matched']:,} of {told['compared']:,} snapshot rows on "
        f"{facts['as_of']}. There should be no difference."
    )


def _check_lines(facts: Facts) -> Iterator[str]:
    yield f"These checks found rows on {facts['as_of']} and had found none before:"
    for name, count in facts["checks"].items():
        yield f"• {code(name)}: {count:,} rows"


def pipeline_failure(message: Message) -> Page:
    """Return the page of a run that failed: where, why, and what to do."""
    facts = message.facts
    if "healed_by" in facts:
        return _healed(facts)
    how = "was abandoned" if facts["status"] == "abandoned" else "failed"
    phase = f" in {facts['phase']}" if facts["phase"] else ""
    title = f"The run {how}{phase}: {facts['code']}"
    return Page("🔥", title, tuple(_failure_blocks(facts)), "RunFailed")


def _healed(facts: Facts) -> Page:
    """Return the page of failures that waited until a good run had followed them."""
    codes: Mapping[str, int] = facts["codes"]
    count = sum(codes.values())
    runs = "A run" if count == 1 else f"{count:,} runs"
    title = f"{runs} failed, and a good one has followed: {', '.join(codes)}"
    lines = [f"• {code(name)}: {times:,}" for name, times in codes.items()]
    lines.append(f"Run {code(facts['healed_by'])} has followed: nothing waits to be mended.")
    last = quoted(f"The last failure: {facts['code']}: {facts['message']}")
    return Page("🩹", title, (words(lines), last), "RunFailed")


def _failure_blocks(facts: Facts) -> Iterator[Block]:
    yield quoted(f"{facts['code']}: {facts['message']}")
    yield quoted(f"What to do: {facts['fix']}")
    yield words([_served_line(facts)])


def _served_line(facts: Facts) -> str:
    """Return what people read meanwhile, and whether they may rely on it."""
    served = facts["served"]
    if served is None:
        return "Nothing is served: there has been no good run yet."
    if facts["code"] in DAMAGE_CODES:
        return (
            f"Run {code(served)} is still served. Rely on no figure before `tapewatch verify` "
            "finds it sound."
        )
    return f"Run {code(served)} stays served: its figures are right, and they age."


def delivery_refused(message: Message) -> Page:
    """Return the page of what a receiver will never take."""
    facts = message.facts
    items, alone = f"{facts['items']:,} items", "themselves"
    if facts["items"] == 1:
        items, alone = "1 item", "itself"
    mend = "Once mended: `tapewatch deliver --retry-refused`."
    told = words([f"{items} will not be sent again by {alone}. {mend}"])
    title = f"{facts['receiver']} refused what it was sent: {facts['code']}"
    if facts["code"] == "MESSAGE_EXPIRED":  # it refused nothing: it took nothing
        title = f"{facts['receiver']} took too long: {items} given up"
    return Page("📪", title, (quoted(str(facts["message"])), told), "DeliveryRefused")


def announcement(message: Message) -> Page:
    """Return the page of what a person says."""
    facts = message.facts
    text = str(facts["text"])
    blocks = (quoted(text), words([f"by {code(str(facts['by']))}"]))
    return Page("📣", "Announcement", blocks, notice=f"{text} ({facts['by']})")


_LINES: Mapping[str, Callable[[Facts], Iterator[str]]] = {
    "quarantine": _quarantine_lines,
    "reconciliation": _reconciliation_lines,
    "restated": restated_lines,
    "checks": _check_lines,
}
