"""The Pipeline dashboard: latency by phase, outcomes, freshness, quality, deliveries, machine."""

from collections.abc import Iterator

from grafana.frame import Page
from grafana.panels import Panel, Query, Words, figure, lines, rows
from grafana.queries import gained, gauge, increase, select
from grafana.seals import seal_panels

_TARGET_SECONDS = "600.0"  # operations.latency_minutes.target: a bucket of every duration
_IN_RANGE = "Of the attempts that ended well in the shown range."


def pipeline_page() -> Page:
    """Return the dashboard for those who keep the pipeline running."""
    return Page(
        uid="tapewatch-pipeline",
        title="Tapewatch: pipeline",
        description="How long runs take, how they end, how fresh the data is, what is not sent.",
        refresh="5m",
        since="now-7d",
        rows=(
            ("Latency", _latency()),
            ("Outcomes and errors", _outcomes()),
            ("Freshness", _freshness()),
            ("What the served run was made of", _quality()),
            ("Deliveries", _deliveries()),
            ("Seals and credentials", seal_panels()),
            ("Machine and exporter", _machine()),
        ),
    )


def _line_of(metric: str) -> str:
    return gauge("pipeline_threshold", f'metric="{metric}"', by="severity")


def _latency() -> Iterator[Panel]:
    run, phase = "run_duration_seconds", "phase_duration_seconds"
    bucket = increase(f"{run}_bucket", f'le="{_TARGET_SECONDS}"', by="portfolio")
    count = increase(f"{run}_count", by="portfolio")
    yield figure(
        Words("Runs within 10 minutes", f"The error budget. {_IN_RANGE}", "percentunit"),
        Query(f"{bucket} / ({count} > 0)"),
        no_value="no run",
    )
    yield figure(
        Words("Last run took", "The attempt that ended last, however it ended.", "s"),
        Query(gauge("last_run_duration_seconds")),
    )
    yield figure(
        Words(
            "In progress since", "The attempt in progress, if there is one.", "s", ["RunTooLong"]
        ),
        Query(f"time() - {gauge('run_started_timestamp_seconds')}"),
        no_value="none",
    )
    yield figure(
        Words("95 % of runs took at most", f"Estimated from buckets. {_IN_RANGE}", "s"),
        Query(f"histogram_quantile(0.95, {increase(f'{run}_bucket', by='portfolio, le')})"),
        no_value="no run",
    )
    phases = increase(f"{phase}_count", by="portfolio, phase")
    yield lines(
        Words("Mean of each phase", f"{_IN_RANGE} The phases add up to the run.", "s"),
        Query(
            f"{increase(f'{phase}_sum', by='portfolio, phase')} / ({phases} > 0)",
            "{{portfolio}}: {{phase}}",
        ),
        is_stacked=True,
    )
    yield lines(
        Words("Last run against its lines", "How long it took.", "s", ("RunTooLong",)),
        Query(gauge("last_run_duration_seconds")),
        thresholds=_line_of(run),
    )


def _outcomes() -> Iterator[Panel]:
    ended = f"{gauge('last_run_outcome', by='portfolio, outcome')} == 1"
    yield rows(
        Words("How the last attempt ended", "The attempt that ended last.", "none", ("RunFailed",)),
        Query(ended),
        {"portfolio": "portfolio", "outcome": "outcome", "Value": "it is"},
        width=8,
    )
    yield lines(
        Words("Attempts by outcome", "Those that ended in the shown range.", "none"),
        Query(increase("runs_total", by="portfolio, outcome"), "{{portfolio}}: {{outcome}}"),
        width=16,
    )
    yield lines(
        Words(
            "Failures since a run ended well",
            "Attempts that failed or were abandoned since then, against the lines.",
            "none",
            ("RunFailed", "RunErrorsRepeated"),
        ),
        Query(gauge("errors_since_success")),
        thresholds=_line_of("errors_since_success"),
    )
    yield rows(
        Words(
            "Failures by their code",
            "In the shown range; where the history is shorter, all that are recorded. Empty: none.",
            "none",
            ("RunFailed", "ComplianceViolation"),
        ),
        Query(f"({gained('run_failures_total', by='portfolio, code')}) > 0"),
        {"portfolio": "portfolio", "code": "code", "Value": "times"},
    )
    yield rows(
        Words(
            "Since each code last ended an attempt",
            "Whether one has ended well since, the panel above says. Empty: none ever failed.",
            "s",
            ("RunFailed", "ComplianceViolation"),
        ),
        Query(f"time() - {gauge('last_failure_timestamp_seconds', by='portfolio, code')}"),
        {"portfolio": "portfolio", "code": "code", "Value": "ago"},
        width=24,
        height=6,
    )


def _freshness() -> Iterator[Panel]:
    yield lines(
        Words(
            "Freshness of the data",
            "From the end of the served day to the newest attempt that ended well.",
            "s",
            ("DataStale",),
        ),
        Query(gauge("data_freshness_seconds")),
        thresholds=_line_of("data_freshness_seconds"),
    )
    yield lines(
        Words(
            "Since a run ended well",
            "It grows with the clock, so it finds the run that never began.",
            "s",
            ("RunMissing",),
        ),
        Query(f"time() - {gauge('last_success_timestamp_seconds')}"),
        thresholds=_line_of("last_success_age_seconds"),
    )


def _quality() -> Iterator[Panel]:
    yield lines(
        Words(
            "Rows set apart",
            "Share of the rows of the served run that are in no figure, against the lines.",
            "percentunit",
            ("QuarantineAboveLine",),
        ),
        Query(gauge("quarantined_ratio")),
        thresholds=_line_of("quarantined_ratio"),
    )
    yield rows(
        Words(
            "Checks that found rows",
            "Rows that each quality check found in the served run. Empty: none.",
            "locale",
            ("QuarantineAboveLine",),
        ),
        Query(gauge("check_bad_rows", by="portfolio, check, level")),
        {"portfolio": "portfolio", "check": "check", "level": "level", "Value": "rows"},
    )
    yield figure(
        Words("Rows set apart, number", "Of the served run.", "locale", ("QuarantineAboveLine",)),
        Query(gauge("quarantined_rows")),
    )
    matched, compared = gauge("reconciled_rows"), gauge("reconcilable_rows")
    yield figure(
        Words(
            "Snapshot that the ledger gives",
            "Share of the compared rows that the ledger reproduces: less than all is an incident.",
            "percentunit",
            ("ReconciliationBroken",),
        ),
        Query(f"{matched} / ({compared} > 0)"),
    )
    yield figure(
        Words(
            "Restated past",
            "Loans, payments and report rows that an earlier tape told otherwise.",
            "locale",
            ("RestatedPast",),
        ),
        Query(gauge("restated_loans")),
    )
    yield figure(
        Words("Size of the inputs", "Bytes that the served run was made of.", "bytes"),
        Query(gauge("input_bytes")),
    )
    yield lines(
        Words("Rows read", "Rows of each table of the served run.", "locale"),
        Query(gauge("input_rows", by="portfolio, table"), "{{portfolio}}: {{table}}"),
        width=24,
        height=6,
    )


def _deliveries() -> Iterator[Panel]:
    by, legend = "receiver", "{{receiver}}"
    pending = Words("Not delivered yet", "Items a receiver has not acknowledged.", "none")
    yield lines(pending, Query(gauge("deliveries_pending", by=by), legend), width=10, height=6)
    yield figure(
        Words(
            "Refused for good", "Dead letters: somebody must look.", "none", ("DeliveryRefused",)
        ),
        Query(gauge("deliveries_refused", by=by), legend),
        width=7,
    ).height(6)
    yield figure(
        Words("Oldest waits for", "Age of the oldest pending item.", "s", ("DeliveryStuck",)),
        Query(f"time() - {gauge('delivery_oldest_timestamp_seconds', by=by)}", legend),
        width=7,
        no_value="none waits",
    ).height(6)


def _machine() -> Iterator[Panel]:
    free, size = select("disk_free_bytes"), select("disk_size_bytes")
    yield figure(
        Words("Free disk", "Of the disk with the data folder.", "percentunit", ("DiskLow",)),
        Query(
            f"max(max without (instance, job) ({free}) / max without (instance, job) ({size}))",
            "free",
        ),
    )
    yield figure(
        Words(
            "Groups of metrics that cannot be read",
            "A group that cannot be read is absent from every panel, never 0.",
            "none",
            ("SourceUnreadable",),
        ),
        Query(
            f"count({select('source_readable')}) - sum({select('source_readable')})", "unreadable"
        ),
    )
    yield figure(
        Words("A scrape takes", "What the exporter needs for one answer.", "s", ("ExporterDown",)),
        Query(f"max({select('scrape_duration_seconds')})", "scrape"),
    )
    yield figure(
        Words("Version", "What the exporter runs, and for which environment.", "none"),
        Query(gauge("build_info", by="version, environment"), "{{version}} {{environment}}"),
    )
