"""The severity matrix is the runbook's, knows every level that an alert has, and is told alike."""

import re
from pathlib import Path

import pytest

from prometheus.levels import rule_levels
from settings.kpis import LEVELS, load_catalogue
from settings.severity import gravest, severity_matrix

PAGES = sorted((Path(__file__).parents[2] / "docs" / "runbooks").glob("*.md"))


@pytest.mark.parametrize(
    "row",
    [
        "P1 (Critical) | Complete outage, revenue impact | 15 minutes | VP Engineering and CEO",
        "P2 (High) | Partial functionality, data delayed | 1 hour | Engineering Lead and CFO",
        "P3 (Medium) | Degraded performance | 4 hours | Engineering Lead",
        "P4 (Low) | Minor issue, no impact | next business day | Engineer",
    ],
)
def test_the_matrix_is_that_of_the_runbook(row):
    told = severity_matrix()[row[:2]]

    name = f"{row[:2]} ({told.title})"
    assert " | ".join([name, told.impact, told.response, told.escalation]) == row
    assert told.pages == (row[:2] in ("P1", "P2"))


def test_every_level_of_an_alert_or_a_kpi_is_one_of_the_matrix():
    of_kpis = {level for kpi in load_catalogue() for level in (kpi.alert or {}).values()}

    assert tuple(severity_matrix()) == LEVELS
    assert set(rule_levels().values()) | of_kpis <= set(LEVELS)
    assert set(rule_levels().values()) | of_kpis == set(LEVELS)  # no level without an alert


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_page_of_an_alert_says_what_the_matrix_asks_of_its_level(page):
    told = re.findall(r"^(P\d): (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)

    assert told or page.stem == "Watchdog"
    for level, line in told:
        assert line.startswith(severity_matrix()[level].line)


def test_the_gravest_of_several_levels_counts():
    assert gravest({"P4", "P2", "P3"}) == "P2"
    assert gravest(set()) is None
