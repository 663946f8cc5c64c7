"""The panels of one KPI, from its entry in the catalogue."""

from grafana_foundation_sdk.builders import stat, timeseries

from grafana.panels import Query, Words, figure, lines, word
from grafana.queries import gauge, kpi_values, status_code
from settings.kpis import Kpi

UNITS = {
    "ratio": "percentunit",
    "usd": "currencyUSD",
    "count": "locale",
    "score_0_10": "suffix: / 10",
    "score_0_100": "suffix: / 100",
}
_BEYOND = ("KpiBeyondWarning", "KpiBeyondCritical")
_WITH_BASIS = "{{portfolio}} ({{basis}})"


def value_panel(kpi: Kpi, width: int = 5) -> stat.Panel:
    """Return the value now and the basis on which it is known."""
    told = Words(
        kpi.title,
        f"{kpi.description} Of the served run; behind the portfolio stands the basis on which it "
        "is known. Without a value it is unknown, never 0.",
        UNITS[kpi.unit],
        ("KpiUnknown",) if kpi.thresholds else (),
    )
    return figure(told, Query(kpi_values(_named(kpi)), _WITH_BASIS), width=width)


def status_panel(kpi: Kpi, width: int = 4) -> stat.Panel:
    """Return the status in a word and its colour."""
    told = Words(
        f"{kpi.title}: status",
        f"How {kpi.title} stands, as the served run was sealed with it: ok, warning, critical or "
        f"unknown. {kpi.threshold_line() or 'It has no lines, so it is ok or unknown.'}",
        "none",
        _BEYOND if kpi.thresholds else (),
    )
    return word(told, Query(status_code(_named(kpi))), width=width)


def trend_panel(kpi: Kpi, width: int = 15, height: int = 4) -> timeseries.Panel:
    """Return the value over time with its lines, which the exporter tells."""
    told = Words(
        f"{kpi.title}: trend",
        f"{kpi.formula}. It steps when a run is published; the dashed lines are those that were in "
        "force at the time.",
        UNITS[kpi.unit],
        _BEYOND if kpi.thresholds else (),
    )
    drawn = gauge("kpi_threshold", _named(kpi), by="severity") if kpi.thresholds else None
    query = Query(kpi_values(_named(kpi)), _WITH_BASIS)
    return lines(told, query, thresholds=drawn, width=width, height=height)


def _named(kpi: Kpi) -> str:
    return f'kpi="{kpi.name}"'
