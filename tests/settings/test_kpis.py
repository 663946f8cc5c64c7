"""The catalogue: its KPIs, their thresholds as the runbook has them, and what people read."""

from decimal import Decimal

import pytest

from settings.kpis import (
    KpiCatalogueError,
    UnknownKpiError,
    find_kpi,
    load_catalogue,
    move_text,
)

NAMES = [
    "par_7",
    "par_30",
    "par_60",
    "par_90",
    "collection_rate",
    "collection_efficiency_30d",
    "collection_rate_month",
    "rdr_90",
    "rdr90_12m_books",
    "portfolio_health",
    "outstanding",
    "written_off",
    "active_loans",
    "active_clients",
    "originations",
    "data_quality_score",
]

ENTRY = """
[par_90]
title = "PAR 90"
unit = "ratio"
direction = "lower"
owner = "risk"
audience = ["daily_summary"]
requires = ["book"]
description = "Share of the live principal that is late."
formula = "late / live"
source = "runbook"
thresholds = { target = 0.03, warning = 0.03, critical = 0.05 }
alert = { warning = "P4", critical = "P2" }
"""


@pytest.fixture
def catalogue(tmp_path):
    def write(text):
        path = tmp_path / "kpis.toml"
        path.write_text(text)
        return load_catalogue(path)

    return write


def test_the_catalogue_has_every_kpi_in_reading_order():
    assert [kpi.name for kpi in load_catalogue()] == NAMES


@pytest.mark.parametrize(
    ("name", "target", "warning", "critical", "escalation"),
    [
        ("par_90", "0.03", "0.03", "0.05", "0.10"),
        ("collection_rate", "0.015", "0.015", "0.010", None),
        ("collection_efficiency_30d", "0.90", "0.90", "0.80", None),
        ("rdr_90", "0.50", "0.50", "0.25", None),
        ("portfolio_health", "5", "5", "3", None),
    ],
)
def test_the_thresholds_are_those_of_the_runbook(name, target, warning, critical, escalation):
    found = find_kpi(name).thresholds

    assert (found.target, found.warning, found.critical) == tuple(
        map(Decimal, (target, warning, critical))
    )
    assert found.escalation == (escalation and Decimal(escalation))


def test_no_other_kpi_has_a_threshold():
    with_thresholds = {kpi.name for kpi in load_catalogue() if kpi.thresholds}

    assert with_thresholds == {
        "par_90",
        "collection_rate",
        "collection_efficiency_30d",
        "rdr_90",
        "portfolio_health",
    }


def test_only_par_90_pages():
    paging = {
        (kpi.name, severity)
        for kpi in load_catalogue()
        for severity, level in (kpi.alert or {}).items()
        if level in {"P1", "P2"}
    }

    assert paging == {("par_90", "critical"), ("par_90", "escalation")}


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("par_90", 0.03, "ok"),
        ("par_90", 0.05, "warning"),
        ("par_90", Decimal("0.050001"), "critical"),
        ("collection_rate", Decimal("0.010"), "warning"),
        ("portfolio_health", 2.999999, "critical"),
        ("outstanding", Decimal("2386301.85"), "ok"),
        ("outstanding", 0, "ok"),
        ("outstanding", None, "unknown"),
        ("par_7", 0.99, "ok"),
        ("par_7", float("nan"), "unknown"),
    ],
)
def test_the_status_follows_the_thresholds_and_needs_a_value(name, value, status):
    assert find_kpi(name).status(value) == status


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("par_90", "warning > 3.00 %, critical > 5.00 %"),
        ("collection_rate", "warning < 1.50 %, critical < 1.00 %"),
        ("portfolio_health", "warning < 5.0, critical < 3.0"),
        ("outstanding", ""),
    ],
)
def test_the_threshold_line_says_on_which_side_it_gets_bad(name, line):
    assert find_kpi(name).threshold_line() == line


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("par_90", 0.019062, "1.91 %"),
        ("par_90", Decimal(0), "0.00 %"),
        ("par_90", -0.000001, "0.00 %"),
        ("par_90", None, "unknown"),
        ("par_90", float("inf"), "unknown"),
        ("collection_efficiency_30d", Decimal("12.345678"), "1,234.57 %"),
        ("outstanding", Decimal("2386301.85"), "2,386,301.85 USD"),
        ("outstanding", Decimal("0.005"), "0.01 USD"),  # half away from zero
        ("outstanding", 10**30, f"{10**30:,}.00 USD"),
        ("active_loans", 17688, "17,688"),
        ("portfolio_health", 5.25, "5.3 / 10"),
        ("data_quality_score", Decimal("97.96"), "98.0 / 100"),
    ],
)
def test_a_value_is_written_for_people(name, value, text):
    assert find_kpi(name).format(value) == text


def test_an_unknown_name_is_answered_with_the_nearest_one():
    with pytest.raises(UnknownKpiError, match="PAR90") as raised:
        find_kpi("PAR90")

    assert raised.value.fix == "did you mean par_90?"
    assert raised.value.exit_code == 64


def test_a_name_like_no_other_is_answered_with_the_choices():
    with pytest.raises(UnknownKpiError) as raised:
        find_kpi("zzz")

    assert raised.value.fix == f"choose one of {', '.join(NAMES)}"


def test_an_entry_that_agrees_with_itself_is_taken(catalogue):
    (kpi,) = catalogue(ENTRY)

    assert (kpi.name, kpi.thresholds.critical) == ("par_90", Decimal("0.05"))


@pytest.mark.parametrize(
    ("was", "becomes", "problem"),
    [
        ('owner = "risk"', "", "owner"),
        ('owner = "risk"', 'owner = "risk"\ncolour = "red"', "colour"),
        ('unit = "ratio"', 'unit = "percent"', "unit"),
        ('title = "PAR 90"', 'title = "two\\nlines"', "title"),
        ('title = "PAR 90"', 'title = ""', "title"),
        ("[par_90]", '["PAR 90"]', "name"),
        ("critical = 0.05", "critical = 0.02", "critical must not be better than warning"),
        ("critical = 0.05", "critical = nan", "critical"),
        ('direction = "lower"', 'direction = "higher"', "critical must not be better than warning"),
        ('direction = "lower"', 'direction = "none"', "thresholds need a direction"),
        ('warning = "P4", ', "", "alert must give a level for each threshold"),
        ('warning = "P4", ', 'warning = "P4", escalation = "P2", ', "alert must give a level"),
        ('"P2"', '"P5"', "alert"),
        ('owner = "risk"', 'owner = "risk"\nbeside = "lost"', "beside: no KPI is called lost"),
    ],
)
def test_a_wrong_entry_is_refused_by_its_name(was, becomes, problem, catalogue):
    assert was in ENTRY

    with pytest.raises(KpiCatalogueError, match=r"kpis\.toml, \[(par_90|PAR 90)\]: ") as raised:
        catalogue(ENTRY.replace(was, becomes))

    assert problem in raised.value.message


@pytest.mark.parametrize(
    "more",
    [
        'requires = ["book", "payment"]',
        'requires = ["book.customer_id"]\nother_bases = { snapshot_delta = ["book"] }',
    ],
)
def test_parts_are_for_a_kpi_of_the_book_alone(more, catalogue):
    with pytest.raises(KpiCatalogueError, match="has_parts is for a KPI that requires the book"):
        catalogue(ENTRY.replace('requires = ["book"]', f"has_parts = true\n{more}"))

    [kpi] = catalogue(ENTRY.replace('requires = ["book"]', 'requires = ["book"]\nhas_parts = true'))
    assert kpi.has_parts


@pytest.mark.parametrize("text", ["par_90 = 3", "[par_90", ENTRY + ENTRY])
def test_a_catalogue_that_is_no_list_of_entries_is_refused(text, catalogue):
    with pytest.raises(KpiCatalogueError, match=r"kpis\.toml"):
        catalogue(text)


@pytest.mark.parametrize(
    ("unit", "move", "rounded", "exact"),
    [
        ("ratio", "0.001234", "+0.12 pp", "+0.1234 pp"),
        ("ratio", "-0.000049", "-0.0049 pp", "-0.0049 pp"),  # two decimals would say nothing
        ("ratio", "0.000060", "+0.01 pp", "+0.0060 pp"),
        ("usd", "-1200", "-1,200.00 USD", "-1,200.00 USD"),
        ("count", "3", "+3", "+3"),
        ("score_0_10", "-0.26", "-0.3", "-0.26"),
        ("usd", "0.000000", "unchanged", "unchanged"),
    ],
)
def test_a_move_is_told_in_its_unit_rounded_or_so_that_parts_add_up(unit, move, rounded, exact):
    assert move_text(unit, Decimal(move)) == rounded
    assert move_text(unit, Decimal(move), is_exact=True) == exact
