"""`tapewatch history`: the course of one KPI, or of each in a line."""

from collections import Counter
from collections.abc import Mapping, Sequence

from pydantic import JsonValue
from rich.console import Console
from rich.table import Table

from deployments.bare_table import bare_table
from deployments.documents import print_json
from deployments.render import COLOURS, open_console, status_text
from deployments.unusual import anomaly_document
from settings.kpis import Kpi, find_kpi, kpis_by_name
from settings.model import Settings
from warehouse.anomaly import Anomaly, judge_run, unusual_line
from warehouse.kinds import TapeFacts
from warehouse.layout import Layout
from warehouse.run_folder import SealedRun
from warehouse.served import served_run
from warehouse.trend import Point, read_trend

_HINT = "nothing is backfilled for this run: tapewatch backfill works out every month end"


def show_all(settings: Settings, *, is_json: bool) -> None:
    """Show for each KPI since when it is known, where it stands, and what is usual.

    Raises:
        NothingPublishedError: Nothing is published yet.
    """
    run, trend, judged = _read(settings, tuple(kpis_by_name()))
    if is_json:
        print_json(_document(run, trend, judged))
        return
    console = open_console()
    console.print(_summary(trend, judged))
    _hint(console, run, trend)


def show_one(name: str, settings: Settings, *, is_json: bool) -> None:
    """Show every point of one KPI up to the day of the served run.

    Raises:
        UnknownKpiError: No KPI has this name.
        NothingPublishedError: Nothing is published yet.
    """
    kpi = find_kpi(name)
    run, trend, judged = _read(settings, (name,))
    if is_json:
        print_json(_document(run, trend, judged))
        return
    console = open_console()
    console.print(_points(kpi, trend[name]))
    for reason, days in Counter(p.reason for p in trend[name] if p.reason is not None).items():
        told = f"unknown on {days:,} days: {reason}"
        console.print(told, style=COLOURS["unknown"], markup=False, soft_wrap=True)
    if line := unusual_line(kpi, judged[name]):
        console.print(f"unusual: {line}", markup=False, soft_wrap=True)
    _hint(console, run, trend)


def _read(
    settings: Settings, names: Sequence[str]
) -> tuple[SealedRun, dict[str, tuple[Point, ...]], dict[str, Anomaly]]:
    layout = Layout.of(settings)
    run = served_run(layout)
    trend = read_trend(layout, run, names)
    return run, trend, judge_run(layout, run, settings.anomaly)


def _hint(console: Console, run: SealedRun, trend: Mapping[str, Sequence[Point]]) -> None:
    """Say how to get a past, where there is a ledger to work it out from."""
    has_ledger = TapeFacts.from_json(run.manifest.ingestion).kind.has_ledger
    if has_ledger and all(point.source == "run" for points in trend.values() for point in points):
        console.print(_HINT, style="dim", soft_wrap=True)


def _points(kpi: Kpi, points: Sequence[Point]) -> Table:
    table = bare_table()
    table.add_column("day", no_wrap=True)
    table.add_column(kpi.title, justify="right", no_wrap=True)
    for column in ("status", "basis", "from"):
        table.add_column(column)
    for point in points:
        told = (status_text(point.status), point.basis, point.source)
        table.add_row(point.as_of.isoformat(), kpi.format(point.value), *told)
    return table


def _summary(trend: Mapping[str, Sequence[Point]], judged: Mapping[str, Anomaly]) -> Table:
    table = bare_table()
    table.add_column("KPI", no_wrap=True)
    for column in ("days", "since", "last", "usual"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for name, kpi in kpis_by_name().items():
        points = trend[name]
        last = points[-1].value if points else None
        since = points[0].as_of.isoformat() if points else "-"
        told = judged[name]
        usual = "-" if told.median is None else kpi.format(told.median)
        row = (kpi.title, f"{len(points):,}", since, kpi.format(last), usual)
        table.add_row(*row, "unusual" if told.is_unusual else "")
    return table


def _document(
    run: SealedRun, trend: Mapping[str, Sequence[Point]], judged: Mapping[str, Anomaly]
) -> dict[str, JsonValue]:
    kpis: list[JsonValue] = [
        {
            "name": name,
            "anomaly": anomaly_document(judged[name]),
            "points": [_point(point) for point in points],
        }
        for name, points in trend.items()
    ]
    return {"run": run.name, "until": run.manifest.identity.as_of.isoformat(), "kpis": kpis}


def _point(point: Point) -> dict[str, JsonValue]:
    return {
        "as_of": point.as_of.isoformat(),
        "value": None if point.value is None else f"{point.value:f}",
        "status": point.status,
        "basis": point.basis,
        "source": point.source,
        "reason": point.reason,
    }
