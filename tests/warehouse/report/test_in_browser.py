"""The report opened in Chromium, from a file, as a reader opens it."""

import io
import time
from dataclasses import replace

import pytest
from PIL import Image

from tests.warehouse.report.conftest import HOSTILE
from warehouse.manifest import InputFacts
from warehouse.quality import Finding
from warehouse.report.facts import FailedCheck
from warehouse.report.page import render_page

pytestmark = pytest.mark.slow

A4 = (794, 1123)  # CSS pixels
BOX = "(({x, y, width, height}) => ({x, y, width, height}))(%s.getBoundingClientRect())"
OPEN_ALL = "document.querySelectorAll('details').forEach(one => { one.open = true })"
TOO_WIDE = (
    "[...document.querySelectorAll('main *')].filter(one => !one.closest('svg, .scroll') && "
    "one.getBoundingClientRect().right > innerWidth + 1).map(one => one.outerHTML.slice(0, 80))"
)


@pytest.fixture
def page(browser, told):
    """The report, open on a screen of 1,200 pixels."""
    browser.events.clear()
    browser.resize(1200)
    browser.show_as()
    return browser.open(told.path)


def colours(png):
    return Image.open(io.BytesIO(png)).convert("RGB").getcolors(1 << 24)


def test_nothing_is_complained_of_and_nothing_but_the_file_is_asked_for(page, told):
    page.run(OPEN_ALL)

    assert page.complaints() == []
    assert page.requests() == [told.path.as_uri()]


def test_a_script_that_got_into_it_would_not_run(browser, told, tmp_path):
    path = tmp_path / "altered.html"
    path.write_text(told.text.replace("<main", "<script>document.title='stolen'</script><main"))
    browser.events.clear()

    page = browser.open(path)

    assert page.run("document.title") != "stolen"
    assert "Content Security Policy" in str(page.complaints())


def test_every_chart_is_drawn_in_the_colours_of_the_page(page):
    drawn = page.run("document.querySelectorAll('svg[role=img]').length")

    assert drawn == 7  # four trends, health, buckets, and what moved PAR 90
    for nth in range(drawn):
        svg = f"document.querySelectorAll('svg[role=img]')[{nth}]"
        found = colours(page.photograph(page.run(BOX % svg)))
        most, _ = max(found)
        assert len(found) > 20, svg  # anti-aliased lines and letters
        assert most < 0.98 * sum(count for count, _ in found), svg


def test_a_trend_is_drawn_once_for_all_schemes(page):
    stroke = "getComputedStyle(document.querySelector('.mark-line path')).stroke"
    light = page.run(stroke)
    page.show_as(scheme="dark")

    assert (light, page.run(stroke)) == ("rgb(29, 95, 174)", "rgb(127, 179, 247)")


def test_dark_is_dark_and_print_is_not(page):
    corner = {"x": 0, "y": 0, "width": 4, "height": 4}
    page.show_as(scheme="dark")
    assert colours(page.photograph(corner)) == [(16, (0x12, 0x16, 0x1B))]

    page.show_as("print", "dark")
    assert colours(page.photograph(corner)) == [(16, (255, 255, 255))]


@pytest.mark.parametrize("width", [320, 360, 768, 1200])
def test_no_screen_has_to_be_scrolled_sideways(page, width):
    page.resize(width, is_mobile=True)
    page.run(OPEN_ALL)

    assert page.run("document.documentElement.scrollWidth") <= width
    assert page.run(TOO_WIDE) == []


def test_no_table_is_cut_on_paper(page):
    page.show_as("print")
    page.resize(A4[0] - 106)  # less two margins of 14 mm
    page.run(OPEN_ALL)

    too_wide = (
        "[...document.querySelectorAll('table')].filter(one => one.scrollWidth > innerWidth + 1 "
        "|| one.getBoundingClientRect().right > innerWidth + 1).map(one => one.textContent)"
    )
    assert page.run(too_wide) == []
    assert page.print().startswith(b"%PDF-")


FOLDED = (
    "[...document.querySelectorAll('details:not([open]) table')]"
    ".map(one => one.checkVisibility({contentVisibilityAuto: true}) "
    "&& one.getBoundingClientRect().height > 20)"
)


def test_what_is_folded_on_a_screen_is_printed(page):
    on_screen = page.run(FOLDED)
    page.show_as("print")

    assert len(on_screen) >= 2  # of the charts, and of a move
    assert not any(on_screen)
    until = time.monotonic() + 20  # the browser lays the page out again in its own time
    while not all(page.run(FOLDED)):
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_screen_reader_finds_its_way(page):
    nodes = [n for n in page.ask("Accessibility.getFullAXTree")["nodes"] if not n["ignored"]]
    roles = [node["role"]["value"] for node in nodes]
    images = [node for node in nodes if node["role"]["value"] == "image"]

    for landmark in ("banner", "navigation", "main", "contentinfo"):
        assert roles.count(landmark) == 1, landmark
    assert len(images) == 7
    assert all(node["name"]["value"] and node["description"]["value"] for node in images)
    assert page.run("document.documentElement.lang") == "en"


def test_text_of_a_tape_is_inert(browser, told, tmp_path):
    facts, path = told.facts, tmp_path / "hostile.html"
    manifest = replace(
        facts.run.manifest,
        inputs=(InputFacts(HOSTILE, "0" * 64, 1),),
        ingestion={**facts.run.manifest.ingestion, "unread_tables": [HOSTILE]},
        quality={
            **facts.run.manifest.quality,
            "accepted_anomaly": {"run": HOSTILE, "reason": HOSTILE},
            "kind_before": HOSTILE,
        },
    )
    check = FailedCheck(HOSTILE, "warning", 1, (Finding(HOSTILE, 1, HOSTILE, HOSTILE),))
    kpis = tuple(
        replace(kpi, value=replace(kpi.value, value=None, status="unknown", reason=HOSTILE))
        for kpi in facts.kpis
    )
    run = replace(facts.run, manifest=manifest)
    path.write_bytes(render_page(replace(facts, run=run, failed_checks=(check,), kpis=kpis)))
    browser.events.clear()

    page = browser.open(path)

    assert page.complaints() == []
    assert page.requests() == [path.as_uri()]
    assert page.run("document.title") == "default on 2025-12-27: portfolio report"
    assert page.run("document.querySelectorAll('script, img').length") == 0
    assert page.run("document.querySelectorAll('style').length") == 1
    assert page.run("document.body.textContent").count(HOSTILE) > 10  # told as it is
