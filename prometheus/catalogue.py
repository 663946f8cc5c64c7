"""The samples that follow from the settings alone: what KPIs there are, and every line."""

from collections.abc import Iterator
from decimal import Decimal

from prometheus.families import Sample
from settings.kpis import Kpi
from settings.model import Settings
from settings.register import list_credentials
from settings.thresholds import Thresholds
from settings.version import code_version

_WORSE = {"lower": "above", "higher": "below"}  # by the side that is better
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def settings_samples(settings: Settings, kpis: tuple[Kpi, ...]) -> Iterator[Sample]:
    """Yield what does not change while the process lives."""
    for kpi in kpis:
        yield from _kpi_samples(kpi)
    operations = settings.operations
    yield from _lines("run_duration_seconds", operations.latency_minutes, _MINUTE)
    yield from _lines("data_freshness_seconds", operations.freshness_hours, _HOUR)
    yield from _lines("errors_since_success", operations.errors)
    yield from _lines("last_success_age_seconds", operations.last_success_hours, _HOUR)
    yield from _lines("quarantined_ratio", operations.quarantined_ratio)
    yield from _lines("verification_age_seconds", operations.verification_days, _DAY)
    yield from _lines("drill_age_seconds", operations.drill_days, _DAY)
    yield from _lines("credential_remaining_seconds", operations.credential_days, _DAY)
    for credential in list_credentials(settings):
        if credential.expires_at is not None:
            ends = credential.expires_at.timestamp()
            yield Sample("credential_expiry_timestamp_seconds", ends, (credential.name,))
    yield Sample("build_info", 1, (code_version(), settings.environment))


def _kpi_samples(kpi: Kpi) -> Iterator[Sample]:
    yield Sample("kpi_info", 1, (kpi.name, kpi.title, kpi.unit, kpi.owner))
    for severity, level in (kpi.alert or {}).items():
        yield Sample("kpi_alert_info", 1, (kpi.name, severity, level, kpi.owner))
    if kpi.thresholds is not None:
        for severity, line in _drawn(kpi.thresholds):
            labels = (kpi.name, severity, _WORSE[kpi.direction])
            yield Sample("kpi_threshold", float(line), labels)


def _lines(metric: str, thresholds: Thresholds, seconds: int = 1) -> Iterator[Sample]:
    for severity, line in _drawn(thresholds):
        yield Sample("pipeline_threshold", float(line * seconds), (metric, severity))


def _drawn(thresholds: Thresholds) -> Iterator[tuple[str, Decimal]]:
    for severity in type(thresholds).model_fields:
        line: Decimal | None = getattr(thresholds, severity)
        if line is not None:
            yield severity, line
