"""What messages say of a run: its KPIs against earlier runs, what moved them, how sound it is."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, cast
from zoneinfo import ZoneInfo

from pydantic import JsonValue

from settings.kpis import Kpi, kpis_by_name, load_catalogue
from settings.model import Settings
from settings.thresholds import Status
from warehouse.freshness import judge_freshness
from warehouse.json_text import JsonObject
from warehouse.kpis import KpiValue
from warehouse.manifest import Manifest
from warehouse.messages import text_of
from warehouse.near_runs import PastDay
from warehouse.run_folder import SealedRun
from warehouse.sealed_kpis import read_kpis


@dataclass(frozen=True)
class News:
    """A run that is about to be served, and all that it is told beside."""

    settings: Settings
    manifest: Manifest
    kpis: tuple[KpiValue, ...]
    served: SealedRun | None  # until now
    near: Mapping[str, SealedRun | None]  # by "day", "week" and "month"
    log_folder: str  # of the attempt: where its report will be
    ledger_seen: JsonObject | None
    changes: Mapping[str, JsonObject]  # by KPI: `parts` and `loans` of its move, where known
    lost_briefings: frozenset[str] = frozenset()  # ids: unsent, of runs that have no say now
    near_past: Mapping[str, PastDay] = field(default_factory=dict[str, PastDay])

    @property
    def is_new_day(self) -> bool:
        """Whether no run of this day has been served yet."""
        return self.served is None or (
            self.served.manifest.identity.as_of < self.manifest.identity.as_of
        )

    @property
    def local_time(self) -> datetime:
        """When it was sealed, in the portfolio's time zone."""
        return self.manifest.created_at.astimezone(ZoneInfo(self.settings.portfolio.time_zone))


def values_of(run: SealedRun | None) -> dict[str, KpiValue]:
    """Return the KPI values of a run by name, none without a run."""
    if run is None:
        return {}
    return {kpi.name: kpi for kpi in read_kpis(run)}


def watched(kpis: Sequence[KpiValue]) -> Iterator[tuple[Kpi, KpiValue]]:
    """Yield the KPIs that have thresholds, each with its value, in the catalogue's order."""
    values = {value.name: value for value in kpis}
    for kpi in load_catalogue():
        if kpi.thresholds is not None and kpi.name in values:
            yield kpi, values[kpi.name]


def run_facts(news: News) -> dict[str, JsonValue]:
    """Return what every message of a run says of it."""
    identity = news.manifest.identity
    return {
        "environment": identity.environment,
        "as_of": identity.as_of.isoformat(),
        "run": identity.folder_name,
        "log_folder": news.log_folder,
    }


def kpi_facts(news: News, value: KpiValue) -> dict[str, JsonValue]:
    """Return one KPI beside its earlier values, what moved it, and the loans that did most."""
    change = news.changes.get(value.name, {})
    return {
        "kpi": value.name,
        "as_of": value.as_of.isoformat(),
        "value": text_of(value.value),
        "status": value.status,
        "reason": value.reason,
        "earlier": _earlier(news, value),
        "beside": _beside(news, value.name),
        "since": change.get("since"),
        "parts": change.get("parts"),
        "loans": change.get("loans"),
    }


def _beside(news: News, name: str) -> JsonValue:
    told = kpis_by_name().get(name)
    beside = None if told is None else told.beside
    found = next((kpi for kpi in news.kpis if kpi.name == beside), None)
    if found is None:
        return None
    return {
        "kpi": found.name,
        "as_of": found.as_of.isoformat(),
        "value": text_of(found.value),
        "earlier": _earlier(news, found),
    }


def _earlier(news: News, value: KpiValue) -> dict[str, JsonValue]:
    """Return the value a day, a week and a month ago; bases are never compared.

    A run's own word goes first; `worked_out_from` names the run whose tape gave another.
    """
    told: dict[str, JsonValue] = {}
    days: set[date] = set()
    for name in dict.fromkeys([*news.near, *news.near_past]):
        before, source = _earlier_value(news, name, value)
        if before is not None and before.as_of not in days:  # one may be nearest to two days
            days.add(before.as_of)
            told[name] = {
                "as_of": before.as_of.isoformat(),
                "value": text_of(before.value),
                **({} if source is None else {"worked_out_from": source}),
            }
    return told


def _earlier_value(news: News, name: str, value: KpiValue) -> tuple[KpiValue | None, str | None]:
    sealed = values_of(news.near.get(name)).get(value.name)
    if sealed is not None and sealed.basis == value.basis:
        return sealed, None
    past = news.near_past.get(name)
    before = None if past is None else past.values.get(value.name)
    if past is None or before is None or before.basis != value.basis:
        return None, None
    return before, past.run


def summary_facts(news: News) -> dict[str, JsonValue]:
    """Return what the daily summary says: every KPI, and how far the run can be trusted."""
    shown = {kpi.name for kpi in load_catalogue() if "daily_summary" in kpi.audience}
    headline = {kpi.name for kpi, _ in watched(news.kpis)}
    quality = cast("dict[str, Any]", news.manifest.quality)
    return {
        **run_facts(news),
        "kpis": _all_facts(news, shown & headline),
        "others": _all_facts(news, shown - headline),
        **_trust_facts(news),
        "is_restatement": not news.is_new_day,
        "checks": len(quality["checks"]),
        "failed_checks": len(quality["failed"]),
        "restated": quality.get("restated"),
        "ledger_seen": None if news.ledger_seen is None else dict(news.ledger_seen),
    }


def briefing_facts(news: News) -> dict[str, JsonValue]:
    """Return what the weekly briefing says: the KPIs with thresholds."""
    names = {kpi.name for kpi, _ in watched(news.kpis)}
    return {**run_facts(news), **_trust_facts(news), "kpis": _all_facts(news, names)}


def quarantine_status(news: News) -> Status:
    """Return how the share of rows that were set apart stands against its lines."""
    told = cast("dict[str, Any]", news.manifest.quality["quarantine"])
    lines = news.settings.operations.quarantined_ratio
    return lines.status(Decimal(told["row_ratio"]), "lower")


def _trust_facts(news: News) -> dict[str, JsonValue]:
    quality = cast("dict[str, Any]", news.manifest.quality)
    return {
        "freshness": _freshness(news),
        "reconciliation": quality["reconciliation"],
        "quarantine": quality["quarantine"],
        "quarantine_status": quarantine_status(news),
    }


def _all_facts(news: News, names: set[str]) -> list[JsonValue]:
    return [kpi_facts(news, value) for value in news.kpis if value.name in names]


def _freshness(news: News) -> JsonValue:
    sealed_at, as_of = news.manifest.created_at, news.manifest.identity.as_of
    told = judge_freshness(as_of, news.settings, sealed_at)
    return {"hours": f"{told.hours:.1f}", "status": told.status}
