"""Which alerts stand over the metrics of one moment: what the rules say, without Prometheus.

For people who ask on the machine itself. A test holds this to the rules, evaluated by promtool.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import cast

from prometheus.exporter import Exporter
from prometheus.levels import rule_levels
from prometheus.metrics import PREFIX
from settings.kpis import LEVELS, Level
from warehouse.attempt_messages import COMPLIANCE_CODES

_OF_PORTFOLIO = {  # the pipeline's metrics that have lines, and the alert beyond them
    "run_duration_seconds": "RunTooLong",
    "data_freshness_seconds": "DataStale",
    "errors_since_success": "RunErrorsRepeated",
    "last_success_age_seconds": "RunMissing",
    "quarantined_ratio": "QuarantineAboveLine",
}
_PROOFS = {"verification_age_seconds": ("runs", "audit"), "drill_age_seconds": ("drill",)}
_UNPROVEN_RUNS = 14
_STUCK_SECONDS = {"warning": 15 * 60, "critical": 24 * 3600}
_FREE_BELOW = {"warning": 0.15, "critical": 0.05}


@dataclass(frozen=True)
class Raised:
    """One alert that stands; `about` is the KPI, receiver, credential or code it is about."""

    alert: str
    severity: str
    level: Level
    portfolio: str | None
    about: str

    def page_at(self, root: str | None) -> str:
        """Return where its runbook is: under an address, without one in the repository."""
        return f"{root or 'docs/runbooks'}/{self.alert}.md"


def raised_alerts(exporter: Exporter, now: float) -> list[Raised]:
    """Return every alert that stands at `now`, the gravest first.

    Those that Alertmanager would not tell, because a graver one of the same thing stands, are left
    out. So are those about Prometheus itself, and those that have to last for a while.
    """
    seen = _Readings(exporter)
    found = [
        *_of_kpis(seen),
        *_of_pipeline(seen, now),
        *_of_runs(seen),
        *_of_seals(seen, now),
        *_of_service(seen, now),
    ]
    told = sorted(_loudest(found), key=lambda one: (LEVELS.index(one.level), one.alert, one.about))
    return list(dict.fromkeys(told))


class _Readings:
    """The samples of one scrape, by name."""

    def __init__(self, exporter: Exporter) -> None:
        self._samples: dict[str, list[tuple[dict[str, str], float]]] = {}
        for family in exporter.collect():
            for sample in family.samples:
                name = sample.name.removeprefix(PREFIX)
                self._samples.setdefault(name, []).append((sample.labels, sample.value))

    def of(self, name: str, **labels: str) -> list[tuple[dict[str, str], float]]:
        """Return the samples of a metric that have these labels."""
        found = self._samples.get(name, ())
        return [(have, value) for have, value in found if labels.items() <= have.items()]


def _raised(alert: str, severity: str, labels: dict[str, str], about: str = "") -> Raised:
    level = rule_levels()[alert, severity]
    return Raised(alert, severity, level, labels.get("portfolio"), about)


def _of_kpis(seen: _Readings) -> Iterator[Raised]:
    for told, _ in seen.of("kpi_alert_info"):
        kpi, severity, level = told["kpi"], told["severity"], cast("Level", told["level"])
        for line, at in seen.of("kpi_threshold", kpi=kpi, severity=severity):
            for have, value in seen.of("kpi_value", kpi=kpi):
                if value > at if line["direction"] == "above" else value < at:
                    alert = f"KpiBeyond{severity.capitalize()}"
                    yield Raised(alert, severity, level, have["portfolio"], kpi)
        for have, is_it in seen.of("kpi_status", kpi=kpi, status="unknown"):
            if is_it and severity == "warning":
                yield Raised("KpiUnknown", severity, level, have["portfolio"], kpi)


def _of_pipeline(seen: _Readings, now: float) -> Iterator[Raised]:
    for metric, alert in _OF_PORTFOLIO.items():
        for line, at in seen.of("pipeline_threshold", metric=metric):
            for have, value in _pipeline_values(seen, metric, now):
                if line["severity"] != "target" and value > at:
                    yield _raised(alert, line["severity"], have)
    for line, at in seen.of("pipeline_threshold", metric="credential_remaining_seconds"):
        for have, ends in seen.of("credential_expiry_timestamp_seconds"):
            if line["severity"] != "target" and ends - now < at:
                yield _raised("CredentialExpiring", line["severity"], have, have["credential"])


def _pipeline_values(
    seen: _Readings, metric: str, now: float
) -> Iterable[tuple[dict[str, str], float]]:
    if metric == "last_success_age_seconds":
        return [(have, now - at) for have, at in seen.of("last_success_timestamp_seconds")]
    if metric == "run_duration_seconds":
        running = [(have, now - at) for have, at in seen.of("run_started_timestamp_seconds")]
        return [*seen.of("last_run_duration_seconds"), *running]
    return seen.of(metric)


def _of_runs(seen: _Readings) -> Iterator[Raised]:
    for have, is_it in seen.of("last_run_outcome"):
        if is_it and have["outcome"] in ("failed", "abandoned"):
            yield _raised("RunFailed", "critical", have, have["outcome"])
    good = {have["portfolio"]: at for have, at in seen.of("last_success_timestamp_seconds")}
    for have, at in seen.of("last_failure_timestamp_seconds"):
        if have["code"] in COMPLIANCE_CODES and at > good.get(have["portfolio"], 0):
            yield _raised("ComplianceViolation", "critical", have, have["code"])


def _of_seals(seen: _Readings, now: float) -> Iterator[Raised]:
    whole = {have["portfolio"]: rows for have, rows in seen.of("reconciled_rows")}
    for have, rows in seen.of("reconcilable_rows"):
        if rows > whole.get(have["portfolio"], rows):
            yield _raised("ReconciliationBroken", "critical", have)
    yield from _of_proofs(seen, now)
    yield from _above_zero(seen, "restated_loans", "RestatedPast", "warning")
    yield from _above_zero(seen, "verification_problems", "SealBroken", label="kind")
    for one in _above_zero(seen, "chain_broken", "SealBroken"):
        yield replace(one, about="chain")


def _of_proofs(seen: _Readings, now: float) -> Iterator[Raised]:
    for metric, kinds in _PROOFS.items():
        for line, at in seen.of("pipeline_threshold", metric=metric):
            for have, proven in seen.of("verification_timestamp_seconds"):
                is_late = have["kind"] in kinds and now - proven > at
                if is_late and line["severity"] != "target":
                    yield _raised("VerificationOverdue", line["severity"], have, have["kind"])
    published = sum(count for _, count in seen.of("runs_total", outcome="published"))
    if published > _UNPROVEN_RUNS and not seen.of("verification_timestamp_seconds", kind="runs"):
        yield _raised("VerificationMissing", "warning", {})


def _above_zero(
    seen: _Readings, metric: str, alert: str, severity: str = "critical", label: str = ""
) -> Iterator[Raised]:
    for have, value in seen.of(metric):
        if value > 0:
            yield _raised(alert, severity, have, have.get(label, ""))


def _of_service(seen: _Readings, now: float) -> Iterator[Raised]:
    for severity, longest in _STUCK_SECONDS.items():
        for have, since in seen.of("delivery_oldest_timestamp_seconds"):
            if now - since > longest:
                yield _raised("DeliveryStuck", severity, have, have["receiver"])
    yield from _above_zero(seen, "deliveries_refused", "DeliveryRefused", label="receiver")
    for have, is_readable in seen.of("source_readable"):
        if not is_readable:
            yield _raised("SourceUnreadable", "critical", have, have["source"])
    yield from _of_disk(seen)


def _of_disk(seen: _Readings) -> Iterator[Raised]:
    sizes, frees = seen.of("disk_size_bytes"), seen.of("disk_free_bytes")
    for (_, size), (_, free) in zip(sizes, frees, strict=True):
        for severity, least in _FREE_BELOW.items():
            if free / size < least:
                yield _raised("DiskLow", severity, {})


def _loudest(found: list[Raised]) -> Iterator[Raised]:
    """Yield what Alertmanager tells: the worse line of a thing speaks for the milder ones."""
    order = ("warning", "critical", "escalation")
    worst: dict[tuple[str, str | None, str], str] = {}
    for one in found:
        known = worst.get(_thing(one), one.severity)
        worst[_thing(one)] = max(known, one.severity, key=order.index)
    yield from (one for one in found if one.severity == worst[_thing(one)])


def _thing(one: Raised) -> tuple[str, str | None, str]:
    kind = "KpiBeyond" if one.alert.startswith("KpiBeyond") else one.alert
    return kind, one.portfolio, one.about
