"""What all dashboards have in common: variables, links, annotations, and that nobody edits them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import yaml
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import dashboard

from grafana.panels import DATASOURCE, RUNBOOKS, Panel
from grafana.queries import gauge, select

TAG = "tapewatch"
DATASOURCE_UID = "tapewatch-prometheus"
_PROMETHEUS = Path(__file__).parent.parent / "prometheus" / "prometheus.yml"


@dataclass(frozen=True)
class Page:
    """One dashboard: what it is called, for whom, and how often it asks anew."""

    uid: str
    title: str
    description: str
    refresh: str
    since: str
    rows: Iterable[tuple[str, Iterable[Panel]]]


def frame(page: Page) -> dashboard.Dashboard:
    """Return the dashboard of a page."""
    made = builders.Dashboard(page.title).uid(page.uid).description(page.description)
    made.tags([TAG]).readonly().refresh(page.refresh).time(page.since, "now").timezone("browser")
    made.tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
    made.variables([_datasource(), _portfolio(), _runbooks()])
    for link in _links():
        made.link(link)
    for annotation in _annotations():
        made.annotation(annotation)
    for title, panels in page.rows:
        made.with_row(builders.Row(title))
        for panel in panels:
            made.with_panel(panel)
    built = made.build()
    for place, panel in enumerate(built.panels or (), start=1):
        panel.id_val = place
    for link in built.links or ():
        link.placement = ""  # the builder's own choice hides links in a menu
    return built


def _datasource() -> builders.DatasourceVariable:
    chosen = dashboard.VariableOption(text="Tapewatch Prometheus", value=DATASOURCE_UID)
    return (
        builders.DatasourceVariable("datasource").label("Source").type("prometheus").current(chosen)
    )


def _portfolio() -> builders.QueryVariable:
    return (
        builders.QueryVariable("portfolio")
        .label("Portfolio")
        .datasource(DATASOURCE)
        .query("label_values(tapewatch_published_timestamp_seconds, portfolio)")
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .current(dashboard.VariableOption(text="All", value="$__all"))
    )


def _runbooks() -> builders.TextBoxVariable:
    where = runbooks()
    return (
        builders.TextBoxVariable("runbooks")
        .label("Runbooks")
        .default_value(where)
        .current(dashboard.VariableOption(text=where, value=where))
        .hide(dashboard.VariableHide.HIDE_VARIABLE)
    )


def runbooks() -> str:
    """Return what stands before the page of an alert, as `prometheus.yml` tells every alert."""
    read = cast("dict[str, dict[str, dict[str, str]]]", yaml.safe_load(_PROMETHEUS.read_bytes()))
    return read["global"]["external_labels"]["runbooks"]


def _links() -> list[builders.DashboardLink]:
    return [
        builders.DashboardLink("Tapewatch")
        .type(dashboard.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .include_vars(True)
        .keep_time(True),
        builders.DashboardLink("Runbooks")
        .type(dashboard.DashboardLinkType.LINK)
        .url(RUNBOOKS)
        .icon("doc")
        .target_blank(True),
    ]


def _annotations() -> list[builders.AnnotationQuery]:
    sealed = "published_timestamp_seconds"
    # The value is the moment itself, so a mark stands where the run was sealed, not at a scrape.
    published = _marks("Published runs", f"{gauge(sealed)} * 1000", "green").use_value_for_time(
        True
    )
    rolled_back = _marks(
        "Rollbacks", f"max by (portfolio) (resets({select(sealed)}[5m])) > 0", "red"
    )
    return [
        published.title_format("{{portfolio}}: published"),
        rolled_back.title_format("{{portfolio}}: an earlier run is served again"),
    ]


def _marks(name: str, expr: str, color: str) -> builders.AnnotationQuery:
    return (
        builders.AnnotationQuery()
        .name(name)
        .datasource(DATASOURCE)
        .enable(True)
        .icon_color(color)
        .expr(expr)
        .tag_keys("portfolio")
        .step("60s")
    )
