"""Say the facts of a report as people read them: figures, moves, and the sentences between."""

from datetime import UTC, datetime
from decimal import Decimal

from settings.kpis import move_text
from settings.thresholds import Status
from warehouse.anomaly import unusual_line
from warehouse.change_parts import Part
from warehouse.report.facts import KpiFacts, ReportFacts

NOTHING = "-"
_SHOWN_POINTS = 2  # at least: one is no course
_SHOWN_PARTS = 3  # of a move, on a card


def moment(when: datetime) -> str:
    """Return a time as people read it, in UTC."""
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def count(number: int | None) -> str:
    """Return a whole number with its thousands, a dash for None."""
    return NOTHING if number is None else f"{number:,}"


def money(amount: Decimal | None) -> str:
    """Return an amount of money with its cents, a dash for None."""
    return NOTHING if amount is None else f"{amount:,.2f}"


def words(name: str) -> str:
    """Return the name of a check as words."""
    return name.replace("_", " ").capitalize()


def figure(facts: KpiFacts, value: Decimal | None) -> str:
    """Return a value of a KPI in its unit."""
    if facts.kpi is not None:
        return facts.kpi.format(value)
    return "unknown" if value is None else f"{value:f}"


def shown(facts: KpiFacts) -> str:
    """Return the KPI's value in its unit."""
    return figure(facts, facts.value.value)


def before(facts: KpiFacts) -> str:
    """Return the KPI's value in the run before."""
    return figure(facts, facts.change.before and facts.change.before.value)


def is_judged(facts: KpiFacts) -> bool:
    """Return whether the KPI's status says something: it has thresholds, or is unknown."""
    has_lines = facts.kpi is not None and facts.kpi.thresholds is not None
    return has_lines or facts.value.status != "ok"


def lines(facts: KpiFacts) -> str:
    """Return the thresholds of a KPI; nothing of one without."""
    return "" if facts.kpi is None else facts.kpi.threshold_line().capitalize()


def sums(facts: KpiFacts) -> str:
    """Return the numerator and the denominator; a dash when it has none."""
    told = [f"{n:,.2f}" for n in (facts.value.numerator, facts.value.denominator) if n is not None]
    return " / ".join(told) or NOTHING


def amount(facts: KpiFacts, moved: Decimal) -> str:
    """Return a move of the KPI in its unit."""
    return move_text(facts.value.unit, moved, is_exact=True)


def move(facts: KpiFacts) -> str:
    """Return what changed since the run before, a dash when that is not known."""
    return NOTHING if facts.change.move is None else amount(facts, facts.change.move)


def move_line(facts: KpiFacts) -> str:
    """Return what changed since the run before, with the largest parts of it."""
    change = facts.change
    if change.move is None or change.before is None:
        return f"Change not known: {change.reason}."
    was = "" if change.before.status == facts.value.status else f" ({change.before.status})"
    since = f"{move(facts)} since {change.before.as_of}, from {before(facts)}{was}"
    largest = sorted(change.parts, key=lambda part: -abs(part.amount))[:_SHOWN_PARTS]
    told = ", ".join(_part_text(facts, part) for part in largest)
    return f"{since}. Mostly {told}." if told else f"{since}."


def earlier_line(facts: KpiFacts) -> str:
    """Return what it was a week, a month and a year before, as far as that is known."""
    told = [
        f"a {name} before {figure(facts, point.value)} ({point.as_of})"
        for name, point in facts.earlier.items()
    ]
    return f"A{', '.join(told)[1:]}." if told else ""


def _part_text(facts: KpiFacts, part: Part) -> str:
    return f"{part.title.lower()} {amount(facts, part.amount)}"


def unusual(facts: KpiFacts) -> str:
    """Return how an unusual value stands against its own past; nothing of a usual one."""
    told = "" if facts.kpi is None else unusual_line(facts.kpi, facts.anomaly)
    return f"{told[0].upper()}{told[1:]}." if told else ""


def beside_line(told: KpiFacts, facts: ReportFacts) -> str:
    """Return the KPI that is read beside another: what was written off beside PAR, which lacks it.

    Nothing where the catalogue names none, or the run is older than it.
    """
    name = None if told.kpi is None else told.kpi.beside
    beside = None if name is None else facts.find(name)
    if beside is None:
        return ""
    why = "" if beside.value.reason is None else f" ({beside.value.reason})"
    was = beside.change.before
    since = "" if was is None or beside.change.move is None else f" since {was.as_of}"
    moved = f", {move(beside)}{since}" if since else ""
    return f"Beside it, {beside.title.lower()}: {shown(beside)}{why}{moved}."


def trend_line(facts: KpiFacts, *, has_ledger: bool) -> str:
    """Return what the chart of a KPI shows, for those who do not see it."""
    known = [point.value for point in facts.trend if point.value is not None]
    if len(facts.trend) < _SHOWN_POINTS or not known:
        hint = " tapewatch backfill works out the past from one tape." if has_ledger else ""
        return f"No earlier day is known.{hint}"
    first, last = facts.trend[0].as_of, facts.trend[-1].as_of
    low, high = figure(facts, min(known)), figure(facts, max(known))
    lost = len(facts.trend) - len(known)
    unknown = f", unknown at {lost} of {len(facts.trend)} points" if lost else ""
    return f"From {first} to {last}: between {low} and {high}{unknown}."


def verdict(facts: ReportFacts) -> str:
    """Return the first sentence of the report: which KPI is beyond its lines, and how many not."""
    by_status: dict[Status, list[str]] = {"critical": [], "warning": [], "unknown": []}
    for kpi in (*facts.headlines, *facts.others):
        is_told = kpi in facts.headlines or kpi.value.status != "unknown"
        if is_told and kpi.value.status != "ok":
            by_status[kpi.value.status].append(kpi.title)
    bad = [f"{word.capitalize()}: {', '.join(kpis)}." for word, kpis in by_status.items() if kpis]
    within = sum(kpi.value.status == "ok" for kpi in facts.headlines)
    of = len(facts.headlines)
    good = f"All {of} main KPIs are" if within == of else f"{within} of {of} main KPIs are"
    return " ".join([*bad, f"{good} within their thresholds."])


def changed_line(facts: ReportFacts) -> str:
    """Return what the run is compared with."""
    earlier = facts.run.manifest.previous_run
    if earlier is None:
        return "This is the first run of this book: nothing is there to compare with."
    return (
        f"Against run {earlier}. The parts of a move add up to it, to the last digit; a ratio also "
        "moves with its denominator: a loan on time that leaves the book raises a PAR."
    )


def change_reasons(facts: ReportFacts) -> list[tuple[str, str]]:
    """Return each reason why a move, or its parts, cannot be known, with the KPIs it is of.

    The first run of a book needs no reason.
    """
    if facts.run.manifest.previous_run is None:
        return []
    titles: dict[str, list[str]] = {}
    for kpi in facts.kpis:
        if kpi.change.reason is not None:
            titles.setdefault(kpi.change.reason, []).append(kpi.title)
    return [
        (reason, "every KPI" if len(of) == len(facts.kpis) else ", ".join(of))
        for reason, of in titles.items()
    ]
