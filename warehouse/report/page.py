"""Make the report's one page: HTML that loads nothing, and in which every text is escaped."""

import hashlib
import re
from base64 import b64encode
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from warehouse.report import wording
from warehouse.report.facts import ReportFacts
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

_HERE = Path(__file__).parent
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
    templates = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_unbroken,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update({name: getattr(wording, name) for name in _FILTERS})
    page = templates.get_template("page.html").render(_context(facts))
    return page.encode("utf-8", "replace")  # a name from a file system may be no Unicode


def _unbroken(told: object) -> object:
    """Keep a figure and its unit on one line."""
    return _UNIT.sub("\N{NO-BREAK SPACE}", told) if type(told) is str else told


def _context(facts: ReportFacts) -> dict[str, object]:
    css = (_HERE / "page.css").read_text(encoding="utf-8")
    return {
        "facts": facts,
        "css": Markup(css),  # noqa: S704 - ours
        "css_hash": f"sha256-{b64encode(hashlib.sha256(css.encode()).digest()).decode()}",
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
