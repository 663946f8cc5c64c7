"""Make the report's one page: HTML that loads nothing, and in which every text is escaped."""

import re
from pathlib import Path

from warehouse.report import wording
from warehouse.report.facts import ReportFacts
from warehouse.report.frame import draw_page
from warehouse.report.sections import (
    draw_card,
    tell_balances,
    tell_changes,
    tell_health,
    tell_lineage,
    tell_trends,
    tell_trust,
)
from warehouse.report.trust import history_runs

_FILTERS = (
    *("moment", "count", "money", "words", "figure", "shown", "before", "is_judged", "lines"),
    *("sums", "amount", "move", "unusual"),
)
_UNIT = re.compile(r"(?<=\d) (?=(%|pp|USD)(\W|$))")
_SECTIONS = (
    ("headlines", "The main KPIs"),
    ("kpis", "All other KPIs"),
    ("health", "Portfolio health"),
    ("buckets", "Days past due"),
    ("changed", "What changed"),
    ("quality", "Data quality"),
    ("lineage", "Lineage"),
    ("definitions", "Definitions"),
)


def render_page(facts: ReportFacts) -> bytes:
    """Return the page; the same facts give the same bytes."""
    filters = {name: getattr(wording, name) for name in _FILTERS}
    return draw_page(Path(__file__).parent, filters, _context(facts), _unbroken)


def _unbroken(told: object) -> object:
    """Keep a figure and its unit on one line."""
    return _UNIT.sub("\N{NO-BREAK SPACE}", told) if type(told) is str else told


def _context(facts: ReportFacts) -> dict[str, object]:
    return {
        "facts": facts,
        "sections": _SECTIONS,
        "verdict": wording.verdict(facts),
        "compared": facts.run.manifest.previous_run or "nothing: it is the first of its book",
        "cards": [draw_card(kpi, facts) for kpi in facts.headlines],
        **tell_trends(facts),
        **tell_health(facts),
        **tell_balances(facts),
        **tell_changes(facts),
        **tell_trust(facts),
        "lineage": tell_lineage(facts),
        "history_runs": history_runs(facts),
    }
