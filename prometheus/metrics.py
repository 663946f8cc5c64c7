"""Every metric there is: its name, kind, labels and meaning; rules, dashboards, docs use no other.

Units are in the names: ratios are 0..1, times are seconds, moments are seconds since 1970. Every
value is worked out at the scrape from what is published; a value that is not known is absent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

PREFIX = "tapewatch_"


@dataclass(frozen=True)
class Metric:
    """One metric family; `help` is one sentence for people who see the name alone."""

    kind: Literal["gauge", "counter", "histogram"]
    help: str
    labels: tuple[str, ...] = ()


METRICS: Mapping[str, Metric] = {
    # --- KPIs of the served run of each portfolio
    "kpi_value": Metric(
        "gauge",
        "Value of a KPI in its own unit: ratios 0..1, USD, counts or scores. Absent when unknown.",
        ("kpi", "portfolio", "basis"),
    ),
    "kpi_status": Metric(
        "gauge",
        "1 for the status that a KPI was sealed with (ok, warning, critical, unknown), 0 for the "
        "other three; unknown too when the served run is older than the KPI.",
        ("kpi", "portfolio", "status"),
    ),
    "kpi_threshold": Metric(
        "gauge",
        "Line of a KPI in its own unit; severity is target, warning, critical or escalation, and "
        "direction says which side is worse: above or below.",
        ("kpi", "severity", "direction"),
    ),
    "kpi_info": Metric(
        "gauge",
        "1 for each KPI of the catalogue: its title, unit and owner.",
        ("kpi", "title", "unit", "owner"),
    ),
    "kpi_alert_info": Metric(
        "gauge",
        "1 for each severity at which a KPI alerts: the incident level and the team it is for.",
        ("kpi", "severity", "level", "team"),
    ),
    "health_contribution": Metric(
        "gauge",
        "Points that a KPI adds to portfolio_health, 0..10 in all; absent when it is unknown.",
        ("portfolio", "kpi"),
    ),
    # --- runs
    "runs": Metric(
        "counter",
        "Attempts that have ended, by how: published, stored, already_published, no_new_data, "
        "failed, canceled or abandoned.",
        ("portfolio", "outcome"),
    ),
    "run_failures": Metric(
        "counter",
        "Attempts that failed or were abandoned, by the code of their error.",
        ("portfolio", "code"),
    ),
    "run_duration_seconds": Metric(
        "histogram", "How long the attempts took that ended well.", ("portfolio",)
    ),
    "phase_duration_seconds": Metric(
        "histogram", "How long each phase took in attempts that ended well.", ("portfolio", "phase")
    ),
    "last_run_outcome": Metric(
        "gauge",
        "1 for the outcome of the attempt that ended last, 0 for the others.",
        ("portfolio", "outcome"),
    ),
    "last_run_duration_seconds": Metric(
        "gauge",
        "How long the attempt took that ended last; absent when it was abandoned.",
        ("portfolio",),
    ),
    "last_success_timestamp_seconds": Metric(
        "gauge", "When the last attempt that ended well did so.", ("portfolio",)
    ),
    "last_failure_timestamp_seconds": Metric(
        "gauge",
        "When an attempt last ended with this error; of an abandoned one, when it began.",
        ("portfolio", "code"),
    ),
    "run_started_timestamp_seconds": Metric(
        "gauge", "When the attempt in progress began; absent when none is.", ("portfolio",)
    ),
    "errors_since_success": Metric(
        "gauge",
        "Attempts that failed or were abandoned since the last one that ended well.",
        ("portfolio",),
    ),
    # --- the served data
    "data_as_of_timestamp_seconds": Metric(
        "gauge", "End of the day that is served, in the portfolio's time zone.", ("portfolio",)
    ),
    "data_freshness_seconds": Metric(
        "gauge",
        "From the end of the served day to the end of the newest attempt that ended well, also one "
        "that found no new data; it changes with attempts, not with the clock.",
        ("portfolio",),
    ),
    "published_timestamp_seconds": Metric(
        "gauge", "When the served run was sealed.", ("portfolio",)
    ),
    "input_bytes": Metric("gauge", "Size of the inputs of the served run.", ("portfolio",)),
    "input_rows": Metric(
        "gauge", "Rows read of each table of the served run.", ("portfolio", "table")
    ),
    "quarantined_rows": Metric(
        "gauge", "Rows of the served run that were set apart.", ("portfolio",)
    ),
    "quarantined_ratio": Metric(
        "gauge", "Share of the rows of the served run that were set apart.", ("portfolio",)
    ),
    "check_bad_rows": Metric(
        "gauge",
        "Rows that a quality check found in the served run, by its level (blocking, quarantine, "
        "warning; retired when there is no such check any more); only checks that found any.",
        ("portfolio", "check", "level"),
    ),
    "reconciled_rows": Metric(
        "gauge", "Snapshot rows of the served run that the ledger reproduces.", ("portfolio",)
    ),
    "reconcilable_rows": Metric(
        "gauge", "Snapshot rows of the served run that were compared.", ("portfolio",)
    ),
    "restated_loans": Metric(
        "gauge",
        "Loans, payments and report rows of the served run whose past differs from what an earlier "
        "tape told.",
        ("portfolio",),
    ),
    # --- what verifying found
    "verification_timestamp_seconds": Metric(
        "gauge",
        "When everything of a kind was last verified: runs by tapewatch verify --all, audit (run "
        "folders and audit store) by tapewatch audit verify, drill (an export of the store, "
        "restored) by tapewatch audit drill --record; absent when that never was.",
        ("kind",),
    ),
    "verification_problems": Metric(
        "gauge",
        "Problems that verifying found and nobody has mended since; of one run looked at alone, "
        "too.",
        ("kind",),
    ),
    "chain_broken": Metric(
        "gauge",
        "1 when the run that the served one was compared to has another manifest than it had "
        "then, 0 when not; absent when there is none, or retention has removed it.",
        ("portfolio",),
    ),
    # --- lines of the pipeline's own metrics
    "pipeline_threshold": Metric(
        "gauge",
        "Line of a metric of the pipeline (run_duration_seconds, data_freshness_seconds, "
        "errors_since_success, last_success_age_seconds, quarantined_ratio, "
        "verification_age_seconds, drill_age_seconds, "
        "credential_remaining_seconds) in its own unit; less is worse of what remains, more of all "
        "else.",
        ("metric", "severity"),
    ),
    "credential_expiry_timestamp_seconds": Metric(
        "gauge",
        "When a credential that the exporter's process holds expires or is to be replaced, "
        "whichever is first; absent when nobody has said. Read when the exporter starts.",
        ("credential",),
    ),
    # --- deliveries
    "deliveries_pending": Metric(
        "gauge", "Items that a receiver has not acknowledged yet.", ("receiver",)
    ),
    "deliveries_refused": Metric(
        "gauge", "Items that a receiver refused for good: dead letters.", ("receiver",)
    ),
    "delivery_oldest_timestamp_seconds": Metric(
        "gauge", "When the oldest pending item was sealed; absent when none is.", ("receiver",)
    ),
    # --- the machine and the exporter
    "disk_free_bytes": Metric("gauge", "Free space of the data folder's disk."),
    "disk_size_bytes": Metric("gauge", "Size of the data folder's disk."),
    "source_readable": Metric(
        "gauge",
        "1 when what a group of metrics is worked out from could be read, 0 when not: then the "
        "group is absent. Sources are attempts, served (the list of portfolios), one "
        "served/NAME and one chain/NAME each, deliveries, verification and disk.",
        ("source",),
    ),
    "build_info": Metric("gauge", "1 for the version of the exporter.", ("version", "environment")),
    "scrape_duration_seconds": Metric("gauge", "How long this scrape took to work out."),
}
