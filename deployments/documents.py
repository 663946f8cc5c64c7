"""What `--json` prints, and the figures that it shares with the tables for people."""

import sys
from collections.abc import Mapping
from dataclasses import asdict
from decimal import Decimal

from pydantic import JsonValue

from settings.kpis import Kpi, kpis_by_name
from warehouse.change import KpiChange
from warehouse.change_parts import MovedLoan
from warehouse.json_text import JsonObject, pretty_json
from warehouse.kinds import TapeFacts
from warehouse.kpis import KpiValue, change_of, contribution
from warehouse.run_folder import SealedRun
from warehouse.sealed_kpis import read_health, read_kpis


def print_json(document: JsonObject) -> None:
    """Print one document on stdout, and nothing else."""
    sys.stdout.write(pretty_json(document).decode())


def title_of(name: str) -> str:
    """Return the title of a KPI, its name once it left the catalogue."""
    kpi = kpis_by_name().get(name)
    return name if kpi is None else kpi.title


def values_by_name(run: SealedRun | None) -> dict[str, KpiValue]:
    """Return the KPI values of a run by name; none without a run."""
    return {} if run is None else {value.name: value for value in read_kpis(run)}


def kpi_document(value: KpiValue, before: KpiValue | None) -> dict[str, JsonValue]:
    """Return one KPI; figures are strings, as exact as they were sealed."""
    kpi = kpis_by_name().get(value.name)
    return {
        "name": value.name,
        "title": title_of(value.name),
        "unit": value.unit,
        "value": _text(value.value),
        "status": value.status,
        "reason": value.reason,
        "basis": value.basis,
        "numerator": _text(value.numerator),
        "denominator": _text(value.denominator),
        "thresholds": _thresholds(kpi),
        "previous_value": before and _text(before.value),
        "change": _text(change_of(value, before)),
        "definition_sha256": value.definition_sha256,
    }


def change_document(change: KpiChange) -> dict[str, JsonValue]:
    """Return what moved one KPI; figures are strings, exact: the parts add up to the move."""
    before = change.before
    return {
        "kpi": change.kpi,
        "title": title_of(change.kpi),
        "unit": change.unit,
        "basis": change.now.basis,
        "before": _text(before and before.value),
        "now": _text(change.now.value),
        "status_before": before and before.status,
        "status_now": change.now.status,
        "move": _text(change.move),
        "parts": [
            {
                "name": part.name,
                "title": part.title,
                "amount": _text(part.amount),
                "loans": part.loans,
                "numerator": _text(part.numerator),
                "denominator": _text(part.denominator),
                "by_numerator": _text(part.by_numerator),
                "by_denominator": _text(part.by_denominator),
                "largest": [_loan_document(loan) for loan in part.largest],
            }
            for part in change.parts
        ],
        "reason": change.reason,
    }


def _loan_document(loan: MovedLoan) -> dict[str, JsonValue]:
    return {
        name: f"{told:f}" if isinstance(told, Decimal) else told
        for name, told in asdict(loan).items()
    }


def run_document(run: SealedRun, before: SealedRun | None, served: str | None) -> JsonObject:
    """Return a run with its KPIs; `served` is the name of the run folder that is served."""
    manifest = run.manifest
    earlier = values_by_name(before)
    parts = read_health(run)
    return {
        "run": run.name,
        "run_id": manifest.run_id,
        "tape_kind": TapeFacts.from_json(manifest.ingestion).kind.name,
        "as_of": manifest.identity.as_of.isoformat(),
        "environment": manifest.identity.environment,
        "portfolio": manifest.identity.portfolio,
        "is_served": run.name == served,
        "previous_run": before and before.name,
        "sealed_at": manifest.created_at.isoformat(timespec="seconds"),
        "code": manifest.code,
        "inputs": [
            {"name": kept.name, "sha256": kept.sha256, "bytes": kept.bytes}
            for kept in manifest.inputs
        ],
        "kpis": [kpi_document(value, earlier.get(value.name)) for value in read_kpis(run)],
        "health": [
            {
                "kpi": part.kpi,
                "value": _text(part.value),
                "weight": _text(part.weight),
                "score": _text(part.score),
                "contribution": _text(contribution(part, parts)),
            }
            for part in parts
        ],
        "quality": dict(manifest.quality),
    }


def _thresholds(kpi: Kpi | None) -> dict[str, JsonValue] | None:
    if kpi is None or kpi.thresholds is None:
        return None
    lines: Mapping[str, Decimal | None] = vars(kpi.thresholds)
    return {name: _text(line) for name, line in lines.items()}


def _text(number: Decimal | None) -> str | None:
    return None if number is None else f"{number:f}"
