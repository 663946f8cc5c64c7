"""The committed JSON is what the catalogue gives, and keeps the rules of well-known mixins."""

import json
import re
from dataclasses import replace
from itertools import combinations, pairwise

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins

from grafana.dashboards import FOLDER, dashboards, write
from grafana.frame import DATASOURCE_UID, TAG, dashboard, runbooks
from grafana.queries import select
from prometheus.metrics import METRICS
from settings.kpis import load_catalogue
from settings.load import load_settings
from tests.grafana.committed import (
    METRIC,
    NAMES,
    annotation_targets,
    panel_targets,
    panels,
    read,
)
from tests.prometheus.data_folder import KEY

ROOT = FOLDER.parents[1]
REFRESH = {"executive": "1h", "kpi": "30m", "pipeline": "5m", "risk": "15m"}
OWN_PAST = r"- \(max by \([^)]*\) \({}\S* offset \$__range\)"
SERIES = {
    f"tapewatch_{name}{suffix}": metric
    for name, metric in METRICS.items()
    for suffix in {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(
        metric.kind, [""]
    )
}
each = pytest.mark.parametrize("name", NAMES)


def test_the_committed_files_are_byte_for_byte_what_is_generated(tmp_path):
    (tmp_path / "of_yesterday.json").write_text("{}")

    write(tmp_path)

    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert made == {path.name: path.read_bytes() for path in FOLDER.iterdir()}
    assert all(text.endswith(b"}\n") for text in made.values())


@each
def test_a_dashboard_reads_back_as_what_it_is(name):
    register_default_plugins()
    told = read(name)

    again = json.loads(json.dumps(dashboard.Dashboard.from_json(told), cls=JSONEncoder))

    for link in (*told["links"], *again["links"]):
        del link["placement"]  # the one word that is not the builder's own
    assert again == told


@each
def test_nobody_edits_a_dashboard_and_it_refreshes_as_often_as_its_readers_need(name):
    told = read(name)

    assert told["editable"] is False
    assert told["refresh"] == REFRESH[name]
    assert told["uid"] == f"tapewatch-{name}"
    assert told["description"]


@each
def test_every_panel_says_what_it_is_and_in_which_unit(name):
    for panel in panels(read(name)):
        assert panel["title"] and panel["description"], panel
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert [target["refId"] for target in panel["targets"]], panel["title"]
        assert all(target["expr"] for target in panel["targets"]), panel["title"]


@each
def test_titles_and_numbers_of_panels_are_unique(name):
    every = read(name)["panels"]

    assert len({panel["id"] for panel in every}) == len(every)
    assert len({panel["title"] for panel in panels(read(name))}) == len(panels(read(name)))


@each
def test_every_query_goes_to_the_datasource_that_is_chosen(name):
    told = read(name)
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    asked = [panel["datasource"] for panel in panels(told)]
    asked += [target["datasource"] for panel in panels(told) for target in panel["targets"]]
    asked += [mark["datasource"] for mark in told["annotations"]["list"]]

    assert all(source == chosen for source in asked)


@each
def test_source_portfolio_and_place_of_the_runbooks_are_variables(name):
    source, portfolio, place = read(name)["templating"]["list"]

    assert (source["name"], source["type"], source["query"]) == (
        "datasource",
        "datasource",
        "prometheus",
    )
    assert (portfolio["name"], portfolio["multi"], portfolio["includeAll"]) == (
        "portfolio",
        True,
        True,
    )
    assert portfolio["datasource"]["uid"] == "${datasource}"
    assert (place["name"], place["query"], place["hide"]) == ("runbooks", runbooks(), 2)


@each
def test_panels_neither_overlap_nor_leave_the_page(name):
    places = [panel["gridPos"] for panel in read(name)["panels"]]

    assert all(place["w"] > 0 and place["x"] + place["w"] <= 24 for place in places)
    assert not [pair for pair in combinations(places, 2) if overlaps(*pair)]


def overlaps(one, other):
    return (
        one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    )


def test_every_metric_on_a_dashboard_is_exported_and_every_exported_one_is_on_a_dashboard():
    used = {name for each in panel_targets() for name in METRIC.findall(each.expr)}
    marks = {name for each in annotation_targets() for name in METRIC.findall(each.expr)}

    assert used | marks <= set(SERIES)
    assert {SERIES[name].help for name in used} == {metric.help for metric in METRICS.values()}


def test_a_series_that_no_metric_has_cannot_be_written():
    with pytest.raises(KeyError, match="kpi_valeu"):
        select("kpi_valeu")


@pytest.mark.parametrize("target", panel_targets(), ids=str)
def test_a_counter_is_only_read_as_what_it_gained(target):
    for name in METRIC.findall(target.expr):
        if SERIES[name].kind != "gauge":
            rising = re.search(rf"\b(?:rate|increase)\({name}\W", target.expr)
            assert rising or re.search(OWN_PAST.format(name), target.expr), target.expr


@each
def test_dashboards_lead_to_each_other_and_to_the_runbooks(name):
    others, pages = read(name)["links"]

    assert (others["type"], others["tags"], others["includeVars"]) == ("dashboards", [TAG], True)
    assert TAG in read(name)["tags"]
    assert pages["url"] == "${runbooks:raw}"


@each
def test_every_runbook_that_a_panel_leads_to_is_there(name):
    links = [link["url"] for panel in panels(read(name)) for link in panel.get("links", ())]

    assert links
    for url in links:
        page = url.removeprefix("${runbooks:raw}/")
        assert (ROOT / "docs" / "runbooks" / page).is_file(), url


def test_a_new_kpi_is_on_the_dashboards_without_an_edit():
    catalogue = load_catalogue()
    par_60, par_90 = (kpi for kpi in catalogue if kpi.name in ("par_60", "par_90"))
    new = (replace(par_90, name="par_120", title="PAR 120"), replace(par_60, name="new", title="N"))

    made = dashboards((*catalogue, *new))

    kpi = [panel["title"] for panel in json.loads(made["kpi.json"])["panels"]]
    assert [title for title in kpi if title.startswith(("PAR 120", "N:"))] == [
        "PAR 120",
        "PAR 120: status",
        "PAR 120",
        "PAR 120: trend",
        "N: status",
        "N: trend",
    ]
    assert "{{portfolio}}: 90 to 119 days" in made["risk.json"]
    assert "{{portfolio}}: 120 to 180 days" in made["risk.json"]


@each
def test_lines_of_a_panel_come_from_the_exporter_and_not_from_the_file(name):
    for panel in panels(read(name)):
        assert "thresholds" not in panel["fieldConfig"]["defaults"], panel["title"]


def test_the_ten_minutes_of_the_error_budget_are_the_target_of_the_settings():
    settings = load_settings({"TAPEWATCH_PII_KEY": KEY})
    [budget] = [each.expr for each in panel_targets() if each.panel == "Runs within 10 minutes"]

    assert settings.operations.latency_minutes.target == 10
    assert 'le="600.0"' in budget  # 10 * 60


def test_a_status_that_is_missing_has_the_colour_of_unknown_and_not_of_ok():
    words = [panel for panel in panels(read("executive")) if panel["title"].endswith(": status")]

    assert len(words) == 4
    for panel in words:
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults["color"] == {"mode": "fixed", "fixedColor": "purple"}
        assert defaults["noValue"] == "unknown"
        told = {each["text"]: each["color"] for each in defaults["mappings"][0]["options"].values()}
        assert told == {"ok": "green", "warning": "yellow", "critical": "red", "unknown": "purple"}


def test_rows_stand_in_order():
    for name in NAMES:
        tops = [panel["gridPos"]["y"] for panel in read(name)["panels"]]
        assert all(above <= below for above, below in pairwise(tops))


def test_what_is_provisioned_is_what_the_dashboards_ask_for_and_cannot_be_changed_in_the_browser():
    folder = ROOT / "grafana" / "provisioning"
    source = yaml.safe_load((folder / "datasources" / "prometheus.yml").read_bytes())
    provider = yaml.safe_load((folder / "dashboards" / "tapewatch.yml").read_bytes())

    [source] = source["datasources"]
    [provider] = provider["providers"]
    assert (source["uid"], source["type"], source["editable"]) == (
        DATASOURCE_UID,
        "prometheus",
        False,
    )
    assert (provider["type"], provider["allowUiUpdates"]) == ("file", False)
    for name in NAMES:
        assert read(name)["templating"]["list"][0]["current"]["value"] == source["uid"]
