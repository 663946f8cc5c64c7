"""The samples of one portfolio: its attempts, and the run it serves."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import get_args

from prometheus.families import Duration, Sample
from prometheus.history import OUTCOMES, History, PastAttempt
from prometheus.served import QualityFacts, ServedRun
from settings.thresholds import Status
from warehouse.attempts import PHASES
from warehouse.kpis import KpiValue

STATUSES: tuple[str, ...] = get_args(Status)


def history_samples(portfolio: str, history: History) -> Iterator[Sample]:
    """Yield what the attempts of a portfolio tell."""
    counts = Counter(attempt.outcome for attempt in history.ended)
    for outcome in dict.fromkeys((*OUTCOMES, *sorted(counts))):
        yield Sample("runs", counts[outcome], (portfolio, outcome))
    codes = Counter(attempt.code for attempt in history.ended if attempt.is_failure)
    for code, count in sorted(codes.items()):
        yield Sample("run_failures", count, (portfolio, code))
    for code, moment in sorted(history.last_failures.items()):
        yield Sample("last_failure_timestamp_seconds", moment, (portfolio, code))
    yield from _durations(portfolio, history.good)
    yield Sample("errors_since_success", history.failures_since_success, (portfolio,))
    if history.last_success is not None:
        yield Sample("last_success_timestamp_seconds", history.last_success, (portfolio,))
    if history.running is not None:
        yield Sample("run_started_timestamp_seconds", history.running.started, (portfolio,))
    if history.ended:
        yield from _last(portfolio, history.ended[-1])


def _last(portfolio: str, last: PastAttempt) -> Iterator[Sample]:
    for outcome in dict.fromkeys((*OUTCOMES, last.outcome)):
        is_it = float(outcome == last.outcome)
        yield Sample("last_run_outcome", is_it, (portfolio, outcome))
    if last.seconds is not None:
        yield Sample("last_run_duration_seconds", last.seconds, (portfolio,))


def _durations(portfolio: str, good: tuple[PastAttempt, ...]) -> Iterator[Sample]:
    whole = tuple(
        Duration(attempt.seconds, attempt.ended, attempt.trace_id)
        for attempt in good
        if attempt.seconds is not None and attempt.ended is not None
    )
    yield Sample("run_duration_seconds", whole, (portfolio,))
    names = dict.fromkeys(name for attempt in good for name in attempt.phase_seconds)
    for phase in dict.fromkeys((*PHASES, *names)):
        observed = tuple(
            Duration(attempt.phase_seconds[phase], attempt.ended, attempt.trace_id)
            for attempt in good
            if phase in attempt.phase_seconds and attempt.ended is not None
        )
        yield Sample("phase_duration_seconds", observed, (portfolio, phase))


def served_samples(
    portfolio: str,
    run: ServedRun,
    kpis: tuple[str, ...],
    levels: Mapping[str, str],
) -> Iterator[Sample]:
    """Yield what the served run tells; `kpis` are those of the catalogue, `levels` the checks'."""
    for value in run.kpis:
        yield from _kpi_samples(portfolio, value)
    # a KPI that is newer than the run: nobody has worked it out yet
    known = {value.name for value in run.kpis}
    for name in kpis:
        if name not in known:
            yield from _status_samples(portfolio, name, "unknown")
    for kpi, points in run.health.items():
        yield Sample("health_contribution", points, (portfolio, kpi))
    yield Sample("data_as_of_timestamp_seconds", run.day_end, (portfolio,))
    yield Sample("published_timestamp_seconds", run.sealed, (portfolio,))
    yield Sample("input_bytes", run.input_bytes, (portfolio,))
    for table, rows in run.row_counts.items():
        yield Sample("input_rows", rows, (portfolio, table))
    yield from _quality_samples(portfolio, run.quality, levels)


def _quality_samples(
    portfolio: str, quality: QualityFacts, levels: Mapping[str, str]
) -> Iterator[Sample]:
    yield Sample("quarantined_rows", quality.quarantine.bad_rows, (portfolio,))
    yield Sample("quarantined_ratio", quality.quarantine.row_ratio, (portfolio,))
    for check, rows in quality.checks.items():
        if rows:
            yield Sample("check_bad_rows", rows, (portfolio, check, levels.get(check, "retired")))
    if quality.reconciliation is not None:
        yield Sample("reconciled_rows", quality.reconciliation.matched, (portfolio,))
        yield Sample("reconcilable_rows", quality.reconciliation.compared, (portfolio,))
    if quality.restated_rows is not None:
        yield Sample("restated_loans", quality.restated_rows, (portfolio,))


def freshness_sample(portfolio: str, run: ServedRun, history: History | None) -> Sample:
    """Return how fresh the served day is.

    The record of an attempt is written after its run is served. In between, when the run was
    sealed is the newest word: yesterday's success would make today's data a negative age.
    """
    last_success = history.last_success if history else None
    newest = run.sealed if last_success is None else max(run.sealed, last_success)
    return Sample("data_freshness_seconds", newest - run.day_end, (portfolio,))


def _kpi_samples(portfolio: str, kpi: KpiValue) -> Iterator[Sample]:
    if kpi.value is not None:
        yield Sample("kpi_value", float(kpi.value), (kpi.name, portfolio, kpi.basis))
    status = "unknown" if kpi.value is None else kpi.status
    yield from _status_samples(portfolio, kpi.name, status)


def _status_samples(portfolio: str, kpi: str, status: str) -> Iterator[Sample]:
    for each in STATUSES:
        yield Sample("kpi_status", float(each == status), (kpi, portfolio, each))
