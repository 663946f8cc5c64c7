"""The Executive dashboard: how the book stands, in words, how fresh it is, and what changed."""

from collections.abc import Iterator

from grafana.frame import Page
from grafana.kpi_panels import UNITS, status_panel, trend_panel, value_panel
from grafana.panels import Panel, Query, Words, figure, lines, rows
from grafana.queries import change, gauge, select, titled
from settings.kpis import Kpi

_CHANGE = (
    "What it is now less what it was where the shown range begins; empty until the history is that "
    "long."
)


def executive_page(catalogue: tuple[Kpi, ...]) -> Page:
    """Return the dashboard for those who want to know whether all is well."""
    headlines = (kpi for kpi in catalogue if kpi.is_headline)
    four = sorted(headlines, key=lambda kpi: kpi.unit != "score_0_10")  # the sum of them first
    return Page(
        uid="tapewatch-executive",
        title="Tapewatch: executive",
        description="Health and the three KPIs that make it, how fresh they are, what changed.",
        refresh="1h",
        since="now-7d",
        rows=(
            ("In words", [status_panel(kpi, 6) for kpi in four]),
            ("In figures", [value_panel(kpi, 6) for kpi in four]),
            ("Portfolio health and what makes it", [_health()]),
            ("Freshness", _freshness()),
            ("What changed in the shown range", _changes(four)),
            ("Trend", [trend_panel(kpi, 12, 8) for kpi in four]),
        ),
    )


def _health() -> Panel:
    points = gauge("health_contribution", by="portfolio, kpi")
    return lines(
        Words(
            "Portfolio health: contributions",
            "The points that each of its KPIs adds, stacked: together they are the score of 0 to "
            "10. One that is unknown adds none, and the others share its weight.",
            "none",
            ("KpiBeyondWarning",),
        ),
        Query(titled(points), "{{title}} ({{portfolio}})"),
        is_stacked=True,
        width=24,
    )


def _freshness() -> Iterator[Panel]:
    yield figure(
        Words(
            "The served day ends",
            "End of the day that is served, a midnight: the figures are of the day before it.",
            "dateTimeAsIso",
            ("DataStale",),
        ),
        Query(f"{gauge('data_as_of_timestamp_seconds')} * 1000"),
    )
    yield figure(
        Words("Published", "When the served run was sealed.", "dateTimeAsIso", ("RunMissing",)),
        Query(f"{gauge('published_timestamp_seconds')} * 1000"),
    )
    yield figure(
        Words(
            "Since a run ended well",
            "How long ago an attempt last ended well, also one that found no new tape.",
            "s",
            ("RunMissing", "RunFailed"),
        ),
        Query(f"time() - {gauge('last_success_timestamp_seconds')}"),
    )
    yield figure(
        Words(
            "Runs published",
            "How often another run was served in the shown range, a rollback included.",
            "none",
        ),
        Query(f"max by (portfolio) (changes({select('published_timestamp_seconds')}[$__range]))"),
    )
    yield lines(
        Words(
            "Freshness of the data",
            "From the end of the served day to the newest attempt that ended well, against its "
            "lines.",
            "s",
            ("DataStale",),
        ),
        Query(gauge("data_freshness_seconds")),
        thresholds=gauge("pipeline_threshold", 'metric="data_freshness_seconds"', by="severity"),
        width=24,
        height=6,
    )


def _changes(four: list[Kpi]) -> Iterator[Panel]:
    for kpi in four:
        moved = change("kpi_value", f'kpi="{kpi.name}"', by="portfolio, basis")
        words = Words(f"{kpi.title}: change", _CHANGE, UNITS[kpi.unit])
        yield figure(words, Query(moved, "{{portfolio}} ({{basis}})"), no_value="no history")
    status = select("kpi_status", 'status="ok"')
    turned = f"max by (kpi, portfolio) (changes({status}[$__range])) > 0"
    yield rows(
        Words(
            "KPIs that stopped or began to be ok",
            "How often each KPI crossed into ok or out of it in the shown range. Empty: none did.",
            "none",
            ("KpiBeyondWarning",),
        ),
        Query(titled(f"({turned})")),
        {"title": "KPI", "portfolio": "portfolio", "Value": "times"},
    )
    moved = change("input_rows", by="portfolio, table")
    yield rows(
        Words("Rows of the tape: change", _CHANGE, "locale"),
        Query(moved),
        {"portfolio": "portfolio", "table": "table", "Value": "rows"},
    )
