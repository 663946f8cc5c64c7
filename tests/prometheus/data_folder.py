"""Publish runs and attempts as the phases do, without a tape, and scrape what is told of them."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import TypeAdapter

from prometheus.exporter import Exporter
from settings.load import load_settings
from warehouse.attempt_folder import ErrorFacts, utc_text
from warehouse.attempt_state import AttemptRecord, save_attempt
from warehouse.durable import make_folder
from warehouse.identity import RunIdentity
from warehouse.kpis import KpiValue
from warehouse.layout import Layout
from warehouse.manifest import InputFacts, Manifest
from warehouse.run_folder import SealedRun, publish, seal

KEY = "a key for the tests alone, no secret"
DAY = date(2025, 12, 26)
DAY_END = datetime(2025, 12, 27, 6, tzinfo=UTC)  # midnight in El Salvador, six hours behind UTC
MORNING = datetime(2025, 12, 27, 9, tzinfo=UTC)  # 03:00 there
CLEAN = {
    "checks": {"loan_id_null": 0, "float_noise": 0, "restated_past": 0},
    "quarantine": {"bad_rows": 0, "row_ratio": "0"},
    "reconciliation": {"matched": 40, "compared": 40},
    "restated": None,
}
HEALTH = [  # 0.5 x 8 + 0.3 x 5 + 0.2 x 4 = 6.3
    {"kpi": "par_90", "value": "0.012", "weight": "0.5", "score": "8"},
    {"kpi": "collection_rate", "value": "0.015", "weight": "0.3", "score": "5"},
    {"kpi": "rdr_90", "value": "0.375", "weight": "0.2", "score": "4"},
]
_KPIS = TypeAdapter(list[KpiValue])


def kpi(name: str, value: str | None, status: str = "ok", basis: str = "ledger") -> KpiValue:
    """Return a KPI as it is sealed; without a value it is unknown."""
    known = None if value is None else Decimal(value)
    reason = None if value is not None else "nothing was outstanding"
    told = "unknown" if value is None else status
    return KpiValue(name, DAY, basis, "ratio", known, told, None, None, reason, "0" * 64)


class DataFolder:
    """One data folder; everything is of `production` and `default` unless it is said."""

    def __init__(self, root: Path, **variables: str) -> None:
        named = {"TAPEWATCH_PII_KEY": KEY, "TAPEWATCH_DATA_DIR": str(root), **variables}
        self.settings = load_settings(named)
        self.layout = Layout.of(self.settings)
        self.layout.make()
        self.told: list[str] = []

    def publish(
        self,
        *kpis: KpiValue,
        day: date = DAY,
        portfolio: str = "default",
        environment: str = "production",
        time_zone: str = "America/El_Salvador",
        quality: Mapping[str, object] = CLEAN,
        sealed_at: datetime = MORNING,
        files: tuple[str, ...] = (),
        before: SealedRun | None = None,
    ) -> SealedRun:
        """Seal a run, compared to the one `before` it, and serve it."""
        asked = RunIdentity(
            environment,
            portfolio,
            day,
            ("a" * 64,),
            "1",
            "sql",
            {"portfolio": {"time_zone": time_zone, "currency": "USD"}},
            "key",
        )
        manifest = Manifest(
            identity=asked,
            inputs=(InputFacts("loans.csv", "a" * 64, 700), InputFacts("b.csv", "b" * 64, 300)),
            ingestion={"row_counts": {"loan": 40, "payment": 90}},
            kpis={"values": _KPIS.dump_python(list(kpis), mode="json"), "health": HEALTH},
            quality=dict(quality),
            previous_run=before and before.name,
            prev_manifest_sha256=before and before.manifest_sha256(),
            supersedes=(),
            code="0.1.0",
            created_at=sealed_at,
        )
        staged = make_folder(self.layout.staging / asked.run_id)
        for name in ("kpi.parquet", *files):
            (staged / name).write_bytes(b"{}")
        run = seal(self.layout, staged, manifest, {})
        publish(replace(self.layout, book=f"{environment}-{portfolio}"), run)
        return run

    def attempt(
        self,
        name: str,
        outcome: str,
        started: datetime = MORNING - timedelta(minutes=1),
        seconds: float = 60,
        portfolio: str = "default",
        environment: str = "production",
        code: str = "QUALITY_GATE",
        phases: Mapping[str, float] | None = None,
    ) -> None:
        """Write the record of an attempt: failed, canceled, abandoned, running, or ended well."""
        is_bad = outcome in ("failed", "canceled", "abandoned")
        is_open = outcome in ("running", "abandoned")
        record = AttemptRecord(
            attempt_id=name,
            status=outcome if is_bad or outcome == "running" else "success",
            environment=environment,
            portfolio=portfolio,
            started_at=utc_text(started),
            log_folder=name,
            ended_at=None if is_open else utc_text(started + timedelta(seconds=seconds)),
            outcome=None if is_bad or outcome == "running" else outcome,
            error=ErrorFacts(code, "it went wrong", "mend it", 65) if is_bad else None,
            phase_seconds=phases or {},
        )
        save_attempt(self.layout, record)

    def exporter(self, *receivers: str) -> Exporter:
        """Return a new exporter, as after a restart."""
        return Exporter(self.settings, self.told.append, receivers)


class Scrape:
    """What one scrape answered."""

    def __init__(self, exporter: Exporter) -> None:
        registry = CollectorRegistry()
        registry.register(exporter)
        self.text = generate_latest(registry).decode()
        self.families = list(text_string_to_metric_families(self.text))

    def series(self, name: str, **labels: str) -> dict[tuple[str, ...], float]:
        """Return every value of a metric with these labels, by its other labels' values."""
        return {
            tuple(
                value for label, value in sorted(s.labels.items()) if label not in labels
            ): s.value
            for family in self.families
            for s in family.samples
            if s.name == f"tapewatch_{name}" and labels.items() <= s.labels.items()
        }

    def value(self, name: str, **labels: str) -> float | None:
        """Return the one value of a metric with these labels, None when it is absent."""
        found = self.series(name, **labels)
        assert len(found) <= 1, found
        return next(iter(found.values()), None)
