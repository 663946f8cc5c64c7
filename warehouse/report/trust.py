"""Say how far a run can be trusted: its reconciliation, checks, quarantine, and its past."""

from collections.abc import Mapping
from decimal import Decimal
from typing import cast

from settings.kpis import find_kpi, kpis_by_name
from warehouse.quality import Reconciliation
from warehouse.report.facts import ReportFacts
from warehouse.report.wording import shown


def reconciliation_line(facts: ReportFacts) -> str:
    """Return how much of the lender's own book the ledger reproduces."""
    told = cast("Mapping[str, int] | None", facts.run.manifest.quality["reconciliation"])
    if told is None:
        return (
            f"Not possible: {facts.tape.kind.title} tells no ledger to hold its balances against."
        )
    whole = Reconciliation(told["matched"], told["compared"])
    differing = whole.compared - whole.matched
    end = "none differs" if not differing else f"{differing:,} differ"
    return f"{whole.line().capitalize()}, {end}."


def checks_line(facts: ReportFacts) -> str:
    """Return how many checks found rows."""
    checks = cast("Mapping[str, int]", facts.run.manifest.quality["checks"])
    failed = len(facts.failed_checks)
    score = facts.find("data_quality_score")
    told = f" Data quality {shown(score)}." if score else ""
    if not failed:
        return f"None of {len(checks)} checks found a row.{told}"
    return f"{failed} of {len(checks)} checks found rows; none of them blocks.{told}"


def quarantine_line(facts: ReportFacts) -> str:
    """Return what was set apart before anything was computed."""
    told = cast("Mapping[str, int | str]", facts.run.manifest.quality["quarantine"])
    dropped = cast("Mapping[str, int]", facts.run.manifest.quality["duplicates_dropped"])
    apart = f"{told['loans']:,} loans set apart for {told['bad_rows']:,} bad rows"
    share = f"{Decimal(told['balance_ratio']):.4%} of the balance"
    said = [f"{apart}, {share}"] if told["loans"] else []
    said += [f"{rows:,} duplicate rows of {table} dropped" for table, rows in dropped.items()]
    return "; ".join(said) + "." if said else "Nothing was set apart, nothing dropped."


def restated_line(facts: ReportFacts) -> str:
    """Return whether this tape tells the past otherwise than the run before."""
    told = facts.run.manifest.quality.get("restated")
    if told is None:
        return "The past is told as it was before."
    changed = cast("Mapping[str, int | str]", told)
    return f"{changed['changed']:,} changes to {changed['as_of']} as run {changed['run']} told it."


def restated_rows(facts: ReportFacts) -> list[dict[str, str]]:
    """Return what the restated past does to each KPI of the day it was told of before."""
    told = facts.run.manifest.quality.get("restated")
    if told is None:
        return []
    names = kpis_by_name().keys()
    effects = cast("Mapping[str, list[dict[str, str | None]]]", told)["kpis"]
    return [
        {
            "title": find_kpi(name).title if name in names else name,
            **{end: _value_text(name, effect[end], name in names) for end in ("before", "after")},
        }
        for effect in effects
        for name in [str(effect["kpi"])]
    ]


def past_line(facts: ReportFacts) -> str:
    """Return who told the past that the charts show."""
    told = {(p.as_of, p.source, p.run) for kpi in facts.kpis for p in kpi.trend}
    past = [one for one in told if one[0] < facts.run.manifest.identity.as_of]
    by_runs = sum(source == "run" for _, source, _ in past)
    said = [f"{by_runs:,} as sealed runs told them"] if by_runs else []
    said += [f"{len(past) - by_runs:,} worked out from run {run}" for run in history_runs(facts)]
    days = "1 day" if len(past) == 1 else f"{len(past):,} days"
    return f"{days}: {', '.join(said)}" if said else "none is known"


def history_runs(facts: ReportFacts) -> list[str]:
    """Return the run from whose tape past days were worked out, nothing where none were."""
    return sorted({p.run for kpi in facts.kpis for p in kpi.trend if p.source == "backfill"})


def _value_text(name: str, value: str | None, is_known: bool) -> str:
    exact = None if value is None else Decimal(value)
    return find_kpi(name).format(exact) if is_known else str(value)
