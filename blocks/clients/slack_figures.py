"""KPIs as a message shows them: value, status, how it moved, and what moved it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from settings.kpis import Kpi, kpis_by_name, move_text
from warehouse.near_runs import month_before

Facts = Mapping[str, Any]
ICONS: Mapping[str, str] = {
    "ok": "🟢",
    "warning": "🟡",
    "critical": "🔴",
    "escalation": "🔴",
    "unknown": "⚪",
}
RECOVERED = "✅"
WRITTEN_OFF = "🧾"  # inside its lines again, and not because somebody paid
_DATE_LENGTH = len("2025-12-26")
_SINCE = {"day": "yesterday", "week": "a week ago", "month": "a month ago"}


def kpi_of(name: str) -> Kpi | None:
    """Return a KPI of the catalogue, None once it has left it."""
    return kpis_by_name().get(name)


def title_of(name: str) -> str:
    """Return what people call a KPI."""
    kpi = kpi_of(name)
    return name if kpi is None else kpi.title


def value_of(facts: Facts) -> str:
    """Return the value of a KPI for people: "5.31 %", "unknown"."""
    return shown(facts["kpi"], facts["value"])


def shown(name: str, value: str | None) -> str:
    """Return a figure of a KPI for people."""
    kpi = kpi_of(name)
    if value is None or kpi is None:
        return value or "unknown"
    return kpi.format(Decimal(value))


def moves(facts: Facts) -> Iterator[str]:
    """Yield how the KPI moved since yesterday, a week and a month ago, where that is known."""
    for name, then in facts["earlier"].items():
        if None not in (facts["value"], then["value"]):
            since = _since(name, facts["as_of"], then["as_of"])
            yield f"{_moved(facts, then)} since {since}{_worked_out(then)}"


def move_since_yesterday(facts: Facts) -> str:
    """Return how the KPI moved since the run before, "-" where that is not known."""
    then = facts["earlier"].get("day")
    if then is None or None in (facts["value"], then["value"]):
        return "-"
    return _moved(facts, then)


def _moved(facts: Facts, then: Facts) -> str:
    return move_of(facts["kpi"], Decimal(facts["value"]) - Decimal(then["value"]))


def _worked_out(then: Facts) -> str:
    """Say of a day that no run told whose tape tells it."""
    run = then.get("worked_out_from")
    return "" if run is None else f" (from the tape of {run[:_DATE_LENGTH]})"


def _since(name: str, as_of: str, then: str) -> str:
    """Return "a week ago" where it was exactly that, else the day."""
    day = date.fromisoformat(as_of)
    exact = {"day": day - timedelta(days=1), "week": day - timedelta(days=7)}
    is_exact = date.fromisoformat(then) == exact.get(name, month_before(day))
    return _SINCE[name] if is_exact else then


def move_of(name: str, move: Decimal) -> str:
    """Return a move of a KPI for people; bare of one that has left the catalogue."""
    kpi = kpi_of(name)
    return f"{move:+f}" if kpi is None else move_text(kpi.unit, move)


def line_crossed(name: str, state: str) -> str:
    """Return which line a KPI is beyond: "above the critical line of 5.00 %", "" for none."""
    kpi = kpi_of(name)
    line = None if kpi is None or kpi.thresholds is None else getattr(kpi.thresholds, state, None)
    if kpi is None or line is None:
        return ""
    where = "above" if kpi.direction == "lower" else "below"
    return f"{where} the {state} line of {kpi.format(line)}"


def parts_line(facts: Facts) -> str | None:
    """Return what moved a KPI since yesterday, None where that is not known."""
    parts: Sequence[Facts] = facts.get("parts") or ()
    if not parts:
        return None
    ordered = sorted(parts, key=lambda part: -abs(Decimal(part["amount"])))
    return ", ".join(part_text(facts, part) for part in ordered)


def part_text(facts: Facts, part: Facts) -> str:
    """Return one part of a move: "write-offs -0.52 pp (3 loans)"."""
    moved = move_of(facts["kpi"], Decimal(part["amount"]))
    return f"{part['title'].lower()} {moved} ({_loans(part['loans'])}{_by_book(part)})"


def beside_line(facts: Facts) -> str | None:
    """Return what is read beside a KPI, with its move: what was written off beside PAR 90."""
    told: Facts | None = facts.get("beside")
    if told is None:
        return None
    moved = "; ".join(moves(told))
    return f"{title_of(told['kpi'])}: {value_of(told)}{moved and f', {moved}'}"


def write_offs(facts: Facts) -> Facts | None:
    """Return the write-offs where they are the largest part of what made a KPI better.

    A loan that is written off leaves PAR 90 as one that is paid does.
    """
    kpi = kpi_of(facts["kpi"])
    sign = 1 if kpi is not None and kpi.direction == "lower" else -1
    parts: Sequence[Facts] = facts.get("parts") or ()
    best = min(parts, key=lambda part: sign * Decimal(part["amount"]), default=None)
    if best is None or best.get("name") != "write_off" or sign * Decimal(best["amount"]) >= 0:
        return None
    return best


def _by_book(part: Facts) -> str:
    return f", by a {part['book']} book" if part["book"] else ""


def _loans(count: int) -> str:
    return "1 loan" if count == 1 else f"{count:,} loans"


def loan_rows(facts: Facts) -> list[tuple[str, ...]]:
    """Return the loans that moved a KPI most, below the names of their columns; [] for none."""
    loans: Sequence[Facts] = facts.get("loans") or ()
    if not loans:
        return []
    rows = [
        (
            str(loan["loan"] or "-"),
            _from_to(*(_amount(loan[name]) for name in ("principal_before", "principal"))),
            _from_to(*(_count(loan[name]) for name in ("days_past_due_before", "days_past_due"))),
            move_of(facts["kpi"], Decimal(loan["amount"])),
        )
        for loan in loans
    ]
    return [("loan (masked)", "principal", "days past due", "moved it by"), *rows]


def _amount(value: str | None) -> str:
    return "-" if value is None else f"{Decimal(value):,.2f}"


def _count(value: int | None) -> str:
    return "-" if value is None else str(value)


def _from_to(before: str, now: str) -> str:
    return now if before == now else f"{before} → {now}"
