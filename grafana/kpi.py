"""The KPI dashboard: value, status, lines, trend and basis of every KPI of the catalogue."""

from collections.abc import Iterator

from grafana.frame import Page
from grafana.kpi_panels import UNITS, status_panel, trend_panel, value_panel
from grafana.panels import Panel, Query, Words, coded, figure, rows
from grafana.queries import gauge, kpi_values, select, status_code, titled
from settings.kpis import Kpi

_UNIT_TITLES = {
    "ratio": "Ratios",
    "usd": "Money",
    "count": "Counts",
    "score_0_10": "Scores to 10",
    "score_0_100": "Scores to 100",
}


def kpi_page(catalogue: tuple[Kpi, ...]) -> Page:
    """Return the dashboard for those who answer for a KPI."""
    return Page(
        uid="tapewatch-kpi",
        title="Tapewatch: KPIs",
        description="Every KPI of the served runs: its value, status, lines, trend and basis.",
        refresh="30m",
        since="now-30d",
        rows=(
            ("Where each KPI stands", _overview()),
            ("Every KPI by its unit", _tables(catalogue)),
            *((kpi.title, _of_one(kpi)) for kpi in catalogue),
        ),
    )


def _of_one(kpi: Kpi) -> list[Panel]:
    return [status_panel(kpi), value_panel(kpi), trend_panel(kpi)]


def _overview() -> Iterator[Panel]:
    counted = "Number of KPIs of the chosen portfolios whose status is {}."
    for status in ("unknown", "warning", "critical", "ok"):
        matcher = f'status="{status}"'
        total = f"sum by (status) ({select('kpi_status', matcher)})"
        words = Words(f"KPIs: {status}", counted.format(status), "none")
        yield figure(words, Query(total, "{{status}}"))
    yield coded(
        rows(
            Words(
                "Status of every KPI",
                "The status that each KPI was sealed with; a KPI that is newer than the served run "
                "is unknown.",
                "none",
                ("KpiBeyondWarning", "KpiBeyondCritical"),
            ),
            Query(titled(f"({status_code(by='kpi, portfolio')})", labels="title, owner")),
            {"title": "KPI", "portfolio": "portfolio", "Value": "status", "owner": "owner"},
            height=10,
        ),
        "status",
    )
    unknown = gauge("kpi_status", 'status="unknown"', by="kpi, portfolio")
    yield rows(
        Words(
            "Unknown KPIs",
            'KPIs that the served run cannot tell; "tapewatch kpi" has the reason of each. Empty '
            "is well.",
            "none",
            ("KpiUnknown", "KpiMissing"),
        ),
        Query(titled(f"({unknown} == 1)")),
        {"title": "KPI", "portfolio": "portfolio", "kpi": "name", "Value": "unknown"},
        height=10,
    )


def _tables(catalogue: tuple[Kpi, ...]) -> Iterator[Panel]:
    """Yield a table for each unit: a column of a table has only one."""
    used = [unit for unit in UNITS if any(kpi.unit == unit for kpi in catalogue)]
    for unit in used:
        words = Words(
            f"{_UNIT_TITLES[unit]} now",
            "Value, basis and owner, also of KPIs that came after these dashboards were generated. "
            "Two rows of one KPI are two bases of it.",
            UNITS[unit],
        )
        query = Query(titled(f"({kpi_values()})", f'unit="{unit}"', labels="title, owner"))
        columns = {"title": "KPI", "portfolio": "portfolio", "Value": "value", "basis": "basis"}
        yield rows(words, query, {**columns, "owner": "owner"})
    yield rows(
        Words(
            "Who is told, and when",
            "The incident level and the team of each severity at which a KPI alerts.",
            "none",
            ("ThresholdsMissing",),
        ),
        Query(gauge("kpi_alert_info", by="kpi, severity, level, team")),
        {"kpi": "KPI", "severity": "severity", "level": "level", "team": "team"},
        width=24 if len(used) % 2 == 0 else 12,
    )
