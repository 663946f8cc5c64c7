"""Draw the compliance report: one page that loads nothing, and in which every text is escaped."""

from pathlib import Path

from warehouse.compliance.facts import ComplianceFacts
from warehouse.report.frame import draw_page
from warehouse.report.wording import moment

_SECTIONS = (
    ("runs", "Runs"),
    ("quality", "Data quality"),
    ("breaches", "Breaches"),
    ("told", "Alerts and messages"),
    ("access", "Access and exceptions"),
    ("changes", "Configuration changes"),
    ("rotations", "Credentials"),
    ("proofs", "Verification"),
)
_TITLES = {
    "runs": "every run folder, and every figure again",
    "audit": "the audit store against the run folders",
    "drill": "an export of the audit store, restored",
}

_NAMES = {"runs": "all runs", "audit": "the audit store", "drill": "a restored export"}


def render_compliance(facts: ComplianceFacts) -> bytes:
    """Return the page; the same facts give the same bytes."""
    told = {
        "facts": facts,
        "sections": _SECTIONS,
        "titles": _TITLES,
        "verdict": verdict(facts),
        "attempts_line": attempts_line(facts),
    }
    return draw_page(Path(__file__).parent, {"moment": moment}, told)


def verdict(facts: ComplianceFacts) -> str:
    """Return what a reader must know first."""
    accepted = sum(one.what == "exception accepted" for one in facts.access)
    said = [
        _many(len(facts.runs), "run"),
        _many(sum(one.status != "canceled" for one in facts.failures), "failed attempt"),
        _many(len(facts.breaches), "breach", "breaches"),
        _many(accepted, "exception accepted", "exceptions accepted"),
    ]
    return f"{', '.join(said)}; {_proven(facts)}."


def _proven(facts: ComplianceFacts) -> str:
    broken = sum(not run.is_chain_sound for run in facts.runs)
    problems = sum(sum(proof.problems.values()) for proof in facts.proofs)
    problems += broken + len(facts.record_problems) + len(facts.unreadable)
    never = [proof.kind for proof in facts.proofs if proof.verified_at is None]
    if problems:
        return f"{_many(problems, 'problem')} of verification"
    if len(never) == len(facts.proofs):
        return "nothing has been verified yet"
    said = ["what was verified is sound"]
    said += [f"{_NAMES[kind]} never verified" for kind in never]
    return ", ".join(said)


def attempts_line(facts: ComplianceFacts) -> str:
    """Return how the attempts of the month ended."""
    if not facts.attempts:
        return "No attempt was made in this month."
    counts = sorted(facts.attempts.items())
    said = ", ".join(f"{count} {outcome.replace('_', ' ')}" for outcome, count in counts)
    longest = facts.longest_run_seconds
    took = "" if longest is None else f" The longest that ended well took {longest:,.0f} s."
    return f"Attempts: {said}.{took}"


def _many(number: int, one: str, more: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else more or one + 's'}"
