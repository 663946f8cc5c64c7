"""Tell which KPIs of a run are unusual against their own past."""

from collections.abc import Mapping
from decimal import Decimal
from typing import cast

from pydantic import JsonValue
from rich.console import Console

from deployments.render import COLOURS
from settings.kpis import kpis_by_name
from warehouse.anomaly import Anomaly, unusual_line
from warehouse.json_text import JsonObject


def print_unusual(console: Console, judged: Mapping[str, Anomaly]) -> None:
    """Show one line for each unusual KPI."""
    for name, kpi in kpis_by_name().items():
        if line := unusual_line(kpi, judged.get(name)):
            told = f"unusual: {kpi.title}: {line}"
            console.print(told, style=COLOURS["warning"], markup=False, soft_wrap=True)


def add_anomalies(document: JsonObject, judged: Mapping[str, Anomaly]) -> JsonObject:
    """Return a run's document in which each KPI tells whether it is unusual."""
    kpis = cast("list[dict[str, JsonValue]]", document["kpis"])
    told: list[JsonValue] = [
        {**kpi, "anomaly": anomaly_document(judged.get(str(kpi["name"])))} for kpi in kpis
    ]
    return {**document, "kpis": told}


def anomaly_document(judged: Anomaly | None) -> dict[str, JsonValue] | None:
    """Return what `--json` tells of it; None of a KPI that left the catalogue."""
    if judged is None:
        return None
    return {
        "is_unusual": judged.is_unusual,
        "side": judged.side,
        "median": _text(judged.median),
        "spread": _text(judged.spread),
        "n": judged.n,
        "reason": judged.reason,
    }


def _text(number: Decimal | None) -> str | None:
    return None if number is None else f"{number:f}"
