"""The kinds of panel there are: a figure, a word, lines over time and a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import prometheus, stat, table, timeseries
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from grafana.queries import STATUS_CODES

DATASOURCE = common.DataSourceRef(type_val="prometheus", uid="${datasource}")
RUNBOOKS = "${runbooks:raw}"
COLORS = {"ok": "green", "warning": "yellow", "critical": "red", "unknown": "purple"}
_LINES = {"target": "green", "warning": "yellow", "critical": "red", "escalation": "dark-red"}
P = TypeVar("P", stat.Panel, table.Panel, timeseries.Panel)
Panel = stat.Panel | table.Panel | timeseries.Panel


@dataclass(frozen=True)
class Query:
    """One expression and how its series are called."""

    expr: str
    legend: str = "{{portfolio}}"


@dataclass(frozen=True)
class Words:
    """What a person reads of a panel: never empty, and the pages that say what to do."""

    title: str
    description: str
    unit: str
    runbooks: Sequence[str] = ()


def figure(words: Words, *queries: Query, width: int = 6, no_value: str = "unknown") -> stat.Panel:
    """Return the newest value of each series; without one it says so, and never 0."""
    panel = _panel(stat.Panel(), words, queries, width, 4, is_instant=True)
    reduced = common_builders.ReduceDataOptions().calcs(["lastNotNull"])
    return (
        panel.reduce_options(reduced)
        .graph_mode(common.BigValueGraphMode.NONE)
        .color_mode(common.BigValueColorMode.NONE)
        .text_mode(common.BigValueTextMode.VALUE_AND_NAME)
        .no_value(no_value)
    )


def word(words: Words, *queries: Query, width: int = 6) -> stat.Panel:
    """Return a status of `status_code` as its word on its colour."""
    missing = builders.FieldColor().mode(dashboard.FieldColorModeId.FIXED)  # else it would be green
    return (
        figure(words, *queries, width=width)
        .mappings([status_words()])
        .color_scheme(missing.fixed_color(COLORS["unknown"]))
        .color_mode(common.BigValueColorMode.BACKGROUND)
    )


def lines(
    words: Words,
    *queries: Query,
    thresholds: str | None = None,
    width: int = 12,
    height: int = 8,
    is_stacked: bool = False,
) -> timeseries.Panel:
    """Return series over time; `thresholds` is an expression of lines by their severity."""
    drawn = (*queries, Query(thresholds, "{{severity}}")) if thresholds else queries
    panel = _panel(timeseries.Panel(), words, drawn, width, height, is_instant=False)
    panel.line_interpolation(common.LineInterpolation.STEP_AFTER)  # a value holds till the next run
    panel.legend(
        common_builders.VizLegendOptions()
        .show_legend(True)
        .display_mode(common.LegendDisplayMode.LIST)
        .placement(common.LegendPlacement.BOTTOM)
    )
    if is_stacked:
        panel.stacking(common_builders.StackingConfig().mode(common.StackingMode.NORMAL))
        panel.fill_opacity(40)
    for severity, color in _LINES.items() if thresholds else ():
        panel.override_by_name(severity, _dashed(color))
    return panel


def rows(
    words: Words,
    query: Query,
    columns: Mapping[str, str],
    width: int = 12,
    height: int = 8,
) -> table.Panel:
    """Return one row a series; `columns` says what each label, and Value, is called, in order."""
    panel = _panel(table.Panel(), words, (query,), width, height, is_instant=True, is_table=True)
    order = {name: place for place, name in enumerate(columns)}
    panel.with_transformation(
        dashboard.DataTransformerConfig(
            id_val="organize",
            options={
                "excludeByName": {"Time": True, "kpi": "kpi" not in columns},
                "indexByName": order,
                "renameByName": dict(columns),
            },
        )
    )
    return panel.show_header(True).cell_height(common.TableCellHeight.SM).no_value("none")


def coded(panel: table.Panel, column: str) -> table.Panel:
    """Show a column of `status_code` as words on their colours."""
    return panel.override_by_name(
        column,
        [
            dashboard.DynamicConfigValue("mappings", [status_words()]),
            dashboard.DynamicConfigValue("custom.cellOptions", {"type": "color-background"}),
        ],
    )


def status_words() -> dashboard.ValueMap:
    """Return which word and colour each number of `status_code` has."""
    return dashboard.ValueMap(
        {
            str(code): dashboard.ValueMappingResult(text=status, color=COLORS[status], index=code)
            for status, code in STATUS_CODES.items()
        }
    )


def _panel(
    panel: P,
    words: Words,
    queries: Sequence[Query],
    width: int,
    height: int,
    *,
    is_instant: bool,
    is_table: bool = False,
) -> P:
    panel.title(words.title).description(words.description).unit(words.unit)
    panel.datasource(DATASOURCE).span(width).height(height)
    for place, query in enumerate(queries):
        panel.with_target(_target(query, "ABCDEFGHIJ"[place], is_instant, is_table))
    panel.links(
        [
            builders.DashboardLink(f"What to do: {name}")
            .type(dashboard.DashboardLinkType.LINK)
            .url(f"{RUNBOOKS}/{name}.md")
            .target_blank(True)
            for name in words.runbooks
        ]
    )
    return panel


def _target(query: Query, ref: str, is_instant: bool, is_table: bool) -> prometheus.Dataquery:
    made = prometheus.Dataquery().ref_id(ref).expr(query.expr).legend_format(query.legend)
    made.datasource(DATASOURCE)
    made.format(PromQueryFormat.TABLE if is_table else PromQueryFormat.TIME_SERIES)
    return made.instant() if is_instant else made.range()


def _dashed(color: str) -> list[dashboard.DynamicConfigValue]:
    return [
        dashboard.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": color}),
        dashboard.DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [10, 10]}),
        dashboard.DynamicConfigValue("custom.lineWidth", 1),
    ]
