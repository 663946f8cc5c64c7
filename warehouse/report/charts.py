"""Draw the charts of the report: Vega-Lite, compiled to SVG that needs no script.

Every colour is a variable of page.css, so that one drawing serves light, dark and print. The size
is fixed and dates are UTC: the same figures are the same bytes on every machine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import cast

from markupsafe import Markup

from settings.kpis import Kpi, Unit
from warehouse.trend import Point

Spec = dict[str, object]
Rows = list[dict[str, object]]

_FONT = "system-ui, sans-serif"
_INK, _MUTED, _GRID, _ACCENT = "var(--ink)", "var(--muted)", "var(--line)", "var(--accent)"
_LINES = {"warning": "var(--warning)", "critical": "var(--critical)"}
_AXIS_FORMAT: Mapping[Unit, str] = {"ratio": ".1~%", "score_0_10": "d", "usd": "~s"}
_LABELLED = 62  # pixels for the labels beside a trend: "critical"
_ROW = 30  # pixels a bar
_DAYS_APART = 120  # a shorter past has days below it, a longer one months


@dataclass(frozen=True)
class Chart:
    """One drawing: what is inside the svg element, and its size."""

    inside: Markup
    width: int
    height: int


@dataclass(frozen=True)
class Bar:
    """One bar, what stands before it, and what stands behind it."""

    label: str
    size: Decimal
    text: str
    colour: str = "accent"  # a variable of page.css


def draw_trend(kpi: Kpi, points: Sequence[Point]) -> Chart:
    """Draw the course of a KPI, with its warning and critical lines; an unknown day is a gap."""
    rows: Rows = [
        {"day": point.as_of.isoformat(), "value": _number(point.value)} for point in points
    ]
    day: Spec = {"field": "day", "type": "temporal", "scale": {"type": "utc"}, "title": None}
    day["axis"] = _day_axis(points)
    value: Spec = {"field": "value", "type": "quantitative", "title": None}
    value["axis"] = {"format": _AXIS_FORMAT.get(kpi.unit, "~g"), "tickCount": 5}
    value["scale"] = (
        {"domainMax": 10, "domainMin": 0} if kpi.unit == "score_0_10" else {"zero": True}
    )
    line: Spec = {
        "data": {"values": rows},
        "mark": {
            "type": "line",
            "color": _ACCENT,
            "strokeWidth": 2,
            "point": {"color": _ACCENT, "size": 18},
        },
        "encoding": {"x": day, "y": value},
    }
    return _draw({"layer": [*_threshold_layers(kpi), line]}, 250, 150, left=48, right=_LABELLED)


def draw_bars(bars: Sequence[Bar], *, left: int, right: int) -> Chart:
    """Draw bars from one zero, to the left where a size is below it.

    Args:
        bars: From top to bottom.
        left: Pixels for the labels.
        right: Pixels for the text behind the longest bar.
    """
    rows: Rows = [
        {
            "label": bar.label,
            "size": _number(bar.size),
            "text": bar.text,
            "nth": nth,
            "colour": f"var(--{bar.colour})",
        }
        for nth, bar in enumerate(bars)
    ]
    height = _ROW * len(bars)
    y: Spec = {"field": "nth", "type": "ordinal", "axis": None, "scale": {"padding": 0.35}}
    x: Spec = {"field": "size", "type": "quantitative", "axis": None}
    colour: Spec = {"field": "colour", "type": "nominal", "scale": None}
    label: Spec = {
        "mark": {"type": "text", "align": "right", "x": -8, "color": _INK},
        "encoding": {"text": {"field": "label"}},
    }
    text: Spec = {
        "mark": {"type": "text", "align": "left", "x": 250 + 8, "color": _MUTED},
        "encoding": {"text": {"field": "text"}},
    }
    bar: Spec = {"mark": "bar", "encoding": {"x": x, "color": colour}}
    zero: Spec = {"mark": {"type": "rule", "color": _MUTED}, "encoding": {"x": {"datum": 0}}}
    spec: Spec = {"data": {"values": rows}, "encoding": {"y": y}, "layer": [bar, zero, label, text]}
    return _draw(spec, 250, height, left=left, right=right)


def _day_axis(points: Sequence[Point]) -> Spec:
    days = (points[-1].as_of - points[0].as_of).days if points else 0
    if days < _DAYS_APART:
        return {"format": "%-d %b", "tickCount": 4, "grid": False}
    months = 6 if days > 2 * 365 else 3
    return {"format": "%b %y", "tickCount": {"interval": "month", "step": months}, "grid": False}


def _threshold_layers(kpi: Kpi) -> list[Spec]:
    if kpi.thresholds is None:
        return []
    layers: list[Spec] = []
    for name, colour in _LINES.items():
        y: Spec = {"datum": _number(cast("Decimal", getattr(kpi.thresholds, name)))}
        rule: Spec = {"type": "rule", "color": colour, "strokeDash": [4, 3], "strokeWidth": 1.5}
        label: Spec = {"type": "text", "text": name, "align": "left", "x": 250 + 6, "color": colour}
        once: Spec = {"values": [{}]}
        for mark in (rule, label):
            layers.append({"data": once, "mark": mark, "encoding": {"y": y}})
    return layers


def _draw(spec: Spec, width: int, height: int, *, left: int, right: int) -> Chart:
    import vl_convert  # half a second for the first chart of a process

    axis: Spec = {
        "labelColor": _MUTED,
        "gridColor": _GRID,
        "domainColor": _GRID,
        "tickColor": _GRID,
        "labelFontSize": 12,
    }
    bottom = 26 if left < 60 else 4  # only a trend has days below
    whole: Spec = {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "width": width,
        "height": height,
        "padding": {"left": left, "right": right, "top": 8, "bottom": bottom},
        "autosize": "none",
        "background": None,
        "config": {
            "font": _FONT,
            "aria": False,  # the element around it says what it shows
            "axis": axis,
            "view": {"stroke": None},
            "text": {"fontSize": 12},
        },
        **spec,
    }
    svg = vl_convert.vegalite_to_svg(whole, allowed_base_urls=[])
    _, _, inside = svg.partition(">")
    inside = inside.removesuffix("</svg>")
    size = (left + width + right, 8 + height + bottom)
    return Chart(Markup(inside), *size)  # noqa: S704 - drawn here: texts in it are escaped by Vega


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
