"""The page itself: whole, small, the same every time, and made for every reader."""

import re
from dataclasses import replace
from datetime import date
from decimal import Decimal
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from tests.warehouse.report.conftest import HOSTILE
from warehouse.manifest import InputFacts
from warehouse.report import page as page_module
from warehouse.report.page import render_page
from warehouse.report.sections import draw_card
from warehouse.report.trust import history_runs, past_line
from warehouse.report.wording import verdict

CSS = Path(page_module.__file__).with_name("page.css").read_text()
_LIGHT, _DARK = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)[:2]
AA_TEXT, AA_GRAPHICS = 4.5, 3.0


class Outline(HTMLParser):
    """The tags of a page, with their attributes, and the levels of its headings."""

    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def all(self, *names):
        return [attributes for tag, attributes in self.tags if tag in names]


@pytest.fixture(scope="module")
def outline(told):
    return Outline(told.text)


def palette(block):
    return dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6});", block))


def luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    """Return the contrast ratio of WCAG 2, 1 to 21."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_the_contrast_is_worked_out_as_wcag_says():
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)  # its known example


@pytest.mark.parametrize("scheme", [_LIGHT, _DARK], ids=["light", "dark"])
@pytest.mark.parametrize("ground", ["paper", "card"])
@pytest.mark.parametrize("text", ["ink", "muted", "accent", "ok", "warning", "critical", "unknown"])
def test_every_text_can_be_read(scheme, ground, text):
    colours = palette(scheme)

    assert contrast(colours[text], colours[ground]) >= AA_TEXT


def test_both_schemes_have_every_colour_that_is_used():
    used = set(re.findall(r"var\(--([a-z]+)\)", CSS))

    assert set(palette(_LIGHT)) == set(palette(_DARK)) >= used


def test_a_chart_uses_the_colours_of_the_page_alone(told):
    drawn = re.findall(r'(?:fill|stroke)="([^"]+)"', "".join(_svgs(told.text)))

    variables = {f"var(--{name})" for name in palette(_LIGHT)}
    assert set(drawn) <= {*variables, "none", "transparent"}
    assert {"var(--accent)", "var(--warning)", "var(--critical)"} <= set(drawn)


def _svgs(text):
    return re.findall(r"<svg .*?</svg>", text, re.DOTALL)


def test_the_same_run_gives_the_same_bytes(told):
    assert render_page(told.facts) == told.page


def test_three_years_fit_in_a_tenth_of_what_is_allowed(told):
    assert len(told.page) < 200_000  # allowed are 2 MB


def test_nothing_is_loaded_from_anywhere(told, outline):
    assert outline.all("script", "img", "link", "iframe", "object", "form") == []
    (policy,) = [m["content"] for m in outline.all("meta") if "http-equiv" in m]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    hrefs = [a["href"] for a in outline.all("a")]
    assert hrefs
    assert all(href.startswith("#") for href in hrefs)
    assert "url(" not in CSS
    assert "@import" not in CSS
    assert not [name for _, attributes in outline.tags for name in attributes if name == "style"]
    assert not [n for _, attributes in outline.tags for n in attributes if n.startswith("on")]


def test_no_heading_skips_a_level(outline):
    levels = [int(tag[1]) for tag, _ in outline.tags if re.fullmatch("h[1-6]", tag)]

    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_every_header_of_a_table_says_what_it_heads(outline):
    headers = outline.all("th")

    assert headers
    assert {header.get("scope") for header in headers} == {"col", "row", "rowgroup"}


def test_every_id_is_one_and_every_reference_leads_to_one(outline):
    ids = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
    wanted = [a["href"][1:] for a in outline.all("a")]
    for _, attributes in outline.tags:
        wanted += attributes.get("aria-labelledby", "").split()

    assert len(ids) == len(set(ids))
    assert set(wanted) <= set(ids)


def test_every_kpi_is_told_with_value_and_definition(told):
    text = told.text.replace("\N{NO-BREAK SPACE}", " ")

    for told_kpi in told.facts.kpis:
        assert told_kpi.kpi.format(told_kpi.value.value) in text
        assert told_kpi.kpi.formula in text


def test_lineage_tells_every_hash(told):
    manifest = told.facts.run.manifest

    hashes = [*manifest.identity.input_sha256s, manifest.identity.sql_sha256]
    hashes += [manifest.run_id, told.facts.run.manifest_sha256(), manifest.prev_manifest_sha256]
    assert [one for one in hashes if one not in told.text] == []


def test_the_figures_of_the_charts_stand_in_one_table(told):
    text = told.text.replace("\N{NO-BREAK SPACE}", " ")
    table = text.partition('aria-label="The figures of these charts"')[2].partition("</table>")[0]
    rdr_90 = told.facts.find("rdr_90").trend

    assert table.count("<tr>") == 1 + len(rdr_90)  # below the head a row a day, newest first
    assert table.index(str(rdr_90[-1].as_of)) < table.index(str(rdr_90[0].as_of))
    unknown = sum(point.value is None for point in rdr_90)
    assert unknown
    first = next(point.reason for point in rdr_90 if point.reason)
    assert "Recovered default rate 90 is unknown on" in text
    assert f"of these days: {first}." in text


def test_lineage_tells_who_told_the_past_and_what_proves_it(told):
    text = told.text

    # 36 month ends; of YESTERDAY, of the month of the run itself, no point is shown
    run = told.facts.run.name
    assert f"36 days: 36 worked out from run {run}" in text
    assert f"<code>tapewatch verify {run}</code> works the backfilled days out again" in text
    assert "alone" not in text.partition("<footer")[2]


def test_a_past_that_runs_told_is_told_as_theirs(told):
    [point] = [p for p in told.facts.find("par_90").trend if p.as_of == date(2025, 11, 30)]
    sealed = replace(point, source="run", run="2025-11-30-0badcafe")
    kpis = tuple(replace(kpi, trend=(sealed,)) for kpi in told.facts.kpis)
    alone = replace(told.facts, kpis=kpis)

    assert past_line(alone) == "1 day: 1 as sealed runs told them"
    assert history_runs(alone) == []
    assert past_line(replace(told.facts, kpis=())) == "none is known"


def test_an_unknown_kpi_tells_its_reason_and_never_a_zero(told):
    unknown = [
        replace(kpi, value=replace(kpi.value, value=None, status="unknown", reason="because of it"))
        for kpi in told.facts.kpis
        if kpi.value.name == "par_90"
    ]

    text = render_page(replace(told.facts, kpis=tuple(unknown))).decode()

    assert '<p class="value">unknown</p>' in text
    assert "Unknown: because of it" in text
    assert "Unknown: PAR 90. 0 of 1 main KPIs are within their thresholds." in text


def test_the_first_sentence_names_every_kpi_beyond_its_lines(told):
    statuses = {"par_90": "ok", "portfolio_health": "critical", "par_7": "unknown"}
    statuses["collection_efficiency_30d"] = "warning"
    kpis = tuple(
        replace(kpi, value=replace(kpi.value, status=statuses[kpi.value.name]))
        for kpi in told.facts.kpis
        if kpi.value.name in statuses
    )

    assert verdict(replace(told.facts, kpis=kpis)) == (
        "Critical: Portfolio health. Warning: Collection efficiency, 30 days. "
        "1 of 2 main KPIs are within their thresholds."
    )


@pytest.mark.parametrize("name", ["par_90", "written_off"])  # a card, and a row of the table
def test_an_unusual_value_is_told_although_it_is_within_its_thresholds(told, name):
    odd = unusual_kpi(told, name)

    text = render_page(replace(told.facts, kpis=(odd,))).decode()

    assert "Worse than usual: median 1" in text


def test_the_card_of_par_90_tells_what_is_written_off_beside_it(told):
    par_90, written_off = (told.facts.find(name) for name in ("par_90", "written_off"))
    value = replace(written_off.value, value=Decimal("1234.5"))
    before = replace(value, value=Decimal(1200), as_of=date(2025, 12, 26))
    change = replace(written_off.change, move=Decimal("34.5"), before=before)
    new = replace(written_off, value=value, change=replace(change, move=None, before=None))

    card, first = (
        draw_card(par_90, replace(told.facts, kpis=(par_90, beside)))
        for beside in (replace(new, change=change), new)
    )
    alone = draw_card(par_90, replace(told.facts, kpis=(par_90,)))

    moved = "Beside it, written off: 1,234.50 USD, +34.50 USD since 2025-12-26."
    assert moved in card.notes
    assert "Beside it, written off: 1,234.50 USD." in first.notes
    assert "eside it" not in "".join(alone.notes)


@pytest.mark.parametrize("name", ["par_90", "written_off"])
def test_prefect_is_told_of_an_unusual_value_too(told, name):
    from tasks.report import changes_page  # Prefect: a second, for this test alone

    odd = unusual_kpi(told, name)

    page = changes_page(replace(told.facts, kpis=(odd,)))

    assert f"- **{odd.title}** Worse than usual: median 1" in page


def unusual_kpi(told, name):
    kpi = told.facts.find(name)
    median, spread = Decimal("1.23"), Decimal("0.1")
    odd = replace(kpi.anomaly, is_unusual=True, side="worse", median=median, spread=spread)
    return replace(kpi, anomaly=odd)


def test_a_name_that_is_no_unicode_does_not_stop_the_page(told):
    manifest = replace(told.facts.run.manifest, inputs=(InputFacts("tape\udcff.zip", "0" * 64, 1),))

    page = render_page(replace(told.facts, run=replace(told.facts.run, manifest=manifest)))

    assert b"tape?.zip" in page


def test_text_is_escaped_wherever_it_comes_from(told):
    manifest = replace(told.facts.run.manifest, inputs=(InputFacts(HOSTILE, "0" * 64, 1),))

    page = render_page(replace(told.facts, run=replace(told.facts.run, manifest=manifest)))

    assert b"<script>" not in page
    assert b"&lt;script&gt;" in page
