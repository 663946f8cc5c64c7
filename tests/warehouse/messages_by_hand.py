"""Runs as far as messages see them: a day, KPI values, quality facts; and messages of each kind."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

from settings.kpis import find_kpi
from settings.load import load_settings
from warehouse.identity import RunIdentity
from warehouse.kpis import KpiValue
from warehouse.manifest import Manifest
from warehouse.message_facts import News
from warehouse.message_rules import decide_messages
from warehouse.messages import write_messages
from warehouse.run_folder import SealedRun

SETTINGS = load_settings({"TAPEWATCH_PII_KEY": "k" * 16, "PIPELINE_ENV": "staging"})
MONDAY = date(2025, 12, 8)
CLEAN = {
    "checks": {"apr_out_of_range": 0},
    "failed": [],
    "reconciliation": {"matched": 100, "compared": 100},
    "quarantine": {"loans": 0, "bad_rows": 0, "rows": 1000, "row_ratio": "0", "reasons": {}},
    "restated": None,
}


def value_of(name, value, as_of, basis="ledger"):
    """Return a KPI value with the status that the catalogue gives it."""
    kpi = find_kpi(name)
    exact = None if value is None else Decimal(str(value))
    reason = "nothing was outstanding" if value is None else None
    return KpiValue(
        name, as_of, basis, kpi.unit, exact, kpi.status(exact), None, None, reason, "0" * 64
    )


def manifest_of(as_of, kpis, quality=None, created_at=None, tape="a"):
    """Return the manifest of a run that was sealed at nine o'clock UTC of the next day."""
    identity = RunIdentity("staging", "default", as_of, (tape * 64,), "2", "s" * 64, {}, "k")
    at = created_at or datetime(as_of.year, as_of.month, as_of.day, 9, tzinfo=UTC)
    values = [{**vars(kpi), "as_of": as_of.isoformat(), "value": _text(kpi.value)} for kpi in kpis]
    return Manifest(
        identity=identity,
        inputs=(),
        ingestion={},
        kpis={"values": values, "health": []},
        quality={**CLEAN, **(quality or {})},
        previous_run=None,
        prev_manifest_sha256=None,
        supersedes=(),
        code="test",
        created_at=at,
    )


def _text(value):
    return None if value is None else str(value)


def news_of(as_of, values, served=None, quality=None, near=None, **more):
    """Return the news of a run with these KPI values, by name."""
    kpis = tuple(value_of(name, value, as_of) for name, value in values.items())
    manifest = manifest_of(as_of, kpis, quality, **more)
    return News(
        settings=SETTINGS,
        manifest=manifest,
        kpis=kpis,
        served=served,
        near=near or {},
        log_folder="20251209T090000Z_a0",
        ledger_seen=None,
        changes={},
    )


class Story:
    """Runs one after another, each served; knows what the last one said."""

    def __init__(self, folder):
        self.folder, self.served, self.count = folder, None, 0

    def run(self, as_of, values, quality=None, **more):
        """Decide what a run says, and serve it."""
        news = news_of(as_of, values, self.served, quality, **more)
        sealed = decide_messages(news)
        self.count += 1
        folder = self.folder / f"run{self.count}"
        folder.mkdir()
        write_messages(folder, sealed)
        self.served = SealedRun(folder, replace(news.manifest))
        return sealed

    def told(self, as_of, values, quality=None, **more):
        """Return (kind, route, subject) of what a run says, without summary and briefing."""
        said = self.run(as_of, values, quality, **more).messages
        return [
            (message.kind, message.route, message.subject)
            for message in said
            if message.kind not in ("daily_summary", "executive_briefing")
        ]
