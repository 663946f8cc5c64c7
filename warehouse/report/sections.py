"""What each section of the page shows: its figures as text, its chart, its sentences."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import cast

from settings.kpis import find_kpi
from warehouse.change_parts import PARTS
from warehouse.kpis import contribution
from warehouse.report import trust, wording
from warehouse.report.charts import Bar, Chart, draw_bars, draw_trend
from warehouse.report.facts import Bucket, KpiFacts, ReportFacts
from warehouse.trend import Point

Shown = dict[str, object]

_COLOURS = ("ok", "accent", "accent", "warning", "critical")  # a bucket


@dataclass(frozen=True)
class Card:
    """One of the four KPIs, drawn."""

    told: KpiFacts
    moved: str
    notes: tuple[str, ...]
    trend_line: str
    chart: Chart | None


def draw_card(told: KpiFacts, facts: ReportFacts) -> Card:
    """Return one of the four KPIs with its trend, and the KPI that is read beside it."""
    beside = wording.beside_line(told, facts)
    is_drawn = told.kpi is not None and sum(p.value is not None for p in told.trend) > 1
    return Card(
        told=told,
        moved=wording.move_line(told),
        notes=tuple(filter(None, [wording.earlier_line(told), beside, wording.unusual(told)])),
        trend_line=wording.trend_line(told, has_ledger=facts.tape.kind.has_ledger),
        chart=draw_trend(told.kpi, told.trend) if told.kpi and is_drawn else None,
    )


def tell_trends(facts: ReportFacts) -> Shown:
    """Return the figures of the charts, newest first, and each reason why one is unknown."""
    drawn = [kpi for kpi in facts.headlines if len(kpi.trend) > 1]
    points = [{point.as_of: point for point in kpi.trend} for kpi in drawn]
    days = {point.as_of: point.source for kpi in drawn for point in kpi.trend}
    reasons = Counter((kpi.title, p.reason) for kpi in drawn for p in kpi.trend if p.reason)
    return {
        "figure_columns": ["day", *(f"#{kpi.title}" for kpi in drawn), "from"],
        "figures": [
            {
                "day": day,
                "is_of_run": days[day] == "run",
                "points": [
                    _figure(kpi, told[day]) if day in told else None
                    for kpi, told in zip(drawn, points, strict=True)
                ],
            }
            for day in sorted(days, reverse=True)
        ],
        "figure_reasons": [
            f"{title} is unknown on {count:,} of these days: {reason}."
            for (title, reason), count in reasons.items()
        ],
    }


def _figure(kpi: KpiFacts, point: Point) -> dict[str, str]:
    """Return a figure in its status's colour, which its word says where it is not ok."""
    text = wording.figure(kpi, point.value)
    word = "" if point.status in ("ok", "unknown") else f" {point.status}"
    return {"text": f"{text}{word}", "status": "" if point.status == "ok" else point.status}


def tell_health(facts: ReportFacts) -> Shown:
    """Return what each part adds to portfolio health."""
    points = [(part, contribution(part, facts.health)) for part in facts.health]
    lost = [find_kpi(part.kpi).title for part, point in points if point is None]
    known = sum(part.weight for part, point in points if point is not None)
    whole = sum((point for _, point in points if point is not None), Decimal(0))
    line = f"The points add up to {whole:.2f} of 10."
    bars = [
        Bar(find_kpi(p.kpi).title, point, f"{point:.2f} of {10 * p.weight / known:.2f}")
        for p, point in points
        if point is not None
    ]
    return {
        "health_line": line if not lost else f"Degraded: without {', '.join(lost)}. {line}",
        "health_chart": draw_bars(bars, left=180, right=90) if bars else None,
        "health": [
            {
                "title": (kpi := find_kpi(part.kpi)).title,
                "value": kpi.format(part.value),
                "score": "unknown" if part.score is None else f"{part.score:.2f}",
                "weight": f"{part.weight:.2f}",
                "points": "unknown" if point is None else f"{point:.2f}",
            }
            for part, point in points
        ],
    }


def tell_balances(facts: ReportFacts) -> Shown:
    """Return the buckets of days past due, and what is written off beside them."""
    total = sum((bucket.live_principal for bucket in facts.buckets), Decimal(0))
    rows = [
        {
            "label": _days(bucket, facts),
            "loans": wording.count(bucket.loans),
            "principal": wording.money(bucket.live_principal),
            "share": f"{bucket.live_principal / total:.2%}" if total else wording.NOTHING,
        }
        for bucket in facts.buckets
    ]
    bars = [
        Bar(row["label"], bucket.live_principal, row["principal"], colour)
        for row, bucket, colour in zip(rows, facts.buckets, _COLOURS, strict=True)
    ]
    written_off = facts.find("written_off")
    beside = "unknown" if written_off is None else wording.shown(written_off)
    if written_off is not None and written_off.value.value is not None:
        amount = written_off.value.value
        bars.append(Bar("written off", amount, wording.money(amount), "muted"))
    loans = [bucket.loans for bucket in facts.buckets if bucket.loans is not None]
    why = "" if written_off is None else written_off.value.reason
    return {
        "buckets": rows,
        "bucket_chart": draw_bars(bars, left=100, right=120),
        "bucket_line": "Live principal by days past due, and what is written off beside it.",
        "bucket_total": wording.money(total),
        "bucket_loans": wording.count(sum(loans) if loans else None),
        "written_off": beside,
        "written_off_reason": why,
    }


def _days(bucket: Bucket, facts: ReportFacts) -> str:
    if bucket.last_day is not None:
        return f"{bucket.first_day} to {bucket.last_day}"
    if not facts.tape.kind.has_loans:  # what is written off may be in it
        return f"{bucket.first_day} and more"
    return f"{bucket.first_day} to {facts.written_off_after_days}"


def tell_changes(facts: ReportFacts) -> Shown:
    """Return the moves that are told in parts, and what moved PAR 90 as a chart."""
    moved = [kpi for kpi in facts.kpis if kpi.change.parts]
    par_90 = facts.find("par_90")
    bars = [
        Bar(part.title, part.amount, wording.amount(par_90, part.amount), _side(part.amount))
        for part in (par_90.change.parts if par_90 else ())
        if par_90
    ]
    told = {part.name for kpi in moved for part in kpi.change.parts}
    return {
        "changed_line": wording.changed_line(facts),
        "change_reasons": wording.change_reasons(facts),
        "part_chart": draw_bars(bars, left=140, right=90) if bars else None,
        "moved": moved,
        "meanings": [(part.title, part.meaning) for name, part in PARTS.items() if name in told],
    }


def _side(amount: Decimal) -> str:
    return "critical" if amount > 0 else "ok"


def tell_trust(facts: ReportFacts) -> Shown:
    """Return how far the tape can be trusted, and what of it was not read."""
    columns = cast("Mapping[str, Mapping[str, list[str]]]", facts.run.manifest.ingestion["columns"])
    tables = cast("list[str]", facts.run.manifest.ingestion["unread_tables"])
    unread = [f"{file}: {name}" for file, told in columns.items() for name in told["unread"]]
    return {
        "reconciliation": trust.reconciliation_line(facts),
        "checks_line": trust.checks_line(facts),
        "quarantine_line": trust.quarantine_line(facts),
        "restated_line": trust.restated_line(facts),
        "restated": trust.restated_rows(facts),
        "unread": [*tables, *unread],
    }


def tell_lineage(facts: ReportFacts) -> list[tuple[str, str, bool]]:
    """Return label, text and whether it is a hash, of all that the run is made of."""
    manifest = facts.run.manifest
    identity = manifest.identity
    link, own = facts.ledger_seen, facts.receipt
    rows = [
        ("Run", facts.run.name, False),
        ("Run id", manifest.run_id, True),
        ("As of", f"{identity.as_of} ({manifest.ingestion['as_of_basis']})", False),
        ("Received", f"{manifest.ingestion['received_at']}, {manifest.ingestion['origin']}", False),
        ("Code", manifest.code, False),
        ("Contract of the tape", f"version {identity.contract_version}", False),
        ("SQL sha256", identity.sql_sha256, True),
        ("Manifest sha256", facts.manifest_sha256, True),
        ("Previous run", manifest.previous_run or "none", False),
        ("Its manifest sha256", manifest.prev_manifest_sha256 or "none", True),
        ("Supersedes", ", ".join(manifest.supersedes) or "no run of this day", True),
        ("Past days of the charts", trust.past_line(facts), False),
        ("Ledger seen when sealed", f"link {link[0]:,}: {link[1]}" if link else "none", True),
    ]
    if own is not None:
        rows.append(("In the audit store", f"link {own.ledger_seq:,}: {own.ledger_hash}", True))
    return rows
