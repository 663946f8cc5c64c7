"""`tapewatch changed`: what moved each KPI since an earlier run, in parts and by loan."""

from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table
from rich.text import Text

from deployments.bare_table import bare_table
from deployments.documents import change_document, print_json, title_of
from deployments.lookup import earlier_run, kpi_of_run, served_run
from deployments.render import COLOURS, open_console, print_facts, status_text
from settings.kpis import find_kpi, kpis_by_name, move_text
from settings.model import Settings
from warehouse.change import KpiChange, changes_between
from warehouse.change_parts import PARTS, MovedLoan, Part
from warehouse.json_text import JsonObject
from warehouse.kpis import KpiValue
from warehouse.layout import Layout
from warehouse.run_folder import SealedRun
from warehouse.verify import check_folder


def show_changes(
    name: str | None, settings: Settings, since: date | None, *, shown: int, is_json: bool
) -> None:
    """Show how every KPI of the served run moved, or one with the `shown` top loans of each part.

    It is held against the run it was sealed with as the one before, or the newest up to `since`.

    Raises:
        HashMismatchError: One of the two runs is not what was sealed.
        UnknownKpiError: No KPI has this name.
        NothingPublishedError: Nothing is published yet.
        KpiNotInRunError: The run is older than the KPI.
    """
    if name is not None:
        find_kpi(name)
    layout = Layout.of(settings)
    run = served_run(layout)
    asked = None if name is None else kpi_of_run(run, name)
    before = earlier_run(layout, run, since)
    for compared in (run, before):
        if compared is not None:
            check_folder(compared.folder)
    with TemporaryDirectory(prefix="tapewatch-") as spill:
        changes = changes_between(run, before, settings, Path(spill), shown)
    told = [change for change in changes if asked is None or change.kpi == asked.name]
    if is_json:
        print_json(_document(run, before, told))
        return
    console = open_console()
    if asked is None:
        _print_table(console, run, before, told)
    else:
        _print_change(console, told[0])


def _document(run: SealedRun, before: SealedRun | None, changes: Iterable[KpiChange]) -> JsonObject:
    identity = run.manifest.identity
    return {
        "run": run.name,
        "run_id": run.manifest.run_id,
        "as_of": identity.as_of.isoformat(),
        "environment": identity.environment,
        "portfolio": identity.portfolio,
        "previous_run": before and before.name,
        "previous_as_of": before and before.manifest.identity.as_of.isoformat(),
        "kpis": [change_document(change) for change in changes],
    }


def _print_table(
    console: Console, run: SealedRun, before: SealedRun | None, changes: Sequence[KpiChange]
) -> None:
    since = "" if before is None else f" since {before.manifest.identity.as_of}"
    console.print(f"What moved the KPIs{since}", style="bold", soft_wrap=True)
    console.print()
    table = bare_table()
    table.add_column("KPI, and what moved it", no_wrap=True)
    for title in ("before" if before is None else before.name[:10], run.name[:10], "move"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("status")
    for change in changes:
        table.add_row(title_of(change.kpi), *_values(change), _move(change), _status_text(change))
        for part in change.parts:
            moved = move_text(change.unit, part.amount, is_exact=True)
            table.add_row(f"  {part.title}, {_count(part)}", "", "", moved, style="dim")
    console.print(table)
    _print_reasons(console, changes)
    _print_note(console, changes)
    runs = {"this run": run.name, "earlier run": "none" if before is None else before.name}
    console.print()
    print_facts(console, runs)


def _print_reasons(console: Console, changes: Sequence[KpiChange]) -> None:
    """Say each reason once, with the KPIs that it is true of."""
    titles: dict[str, list[str]] = {}
    for change in changes:
        if change.reason is not None:
            what = "move" if change.move is None else "parts of the move"
            titles.setdefault(f"{what} unknown: {change.reason}", []).append(title_of(change.kpi))
    for reason, of in titles.items():
        told = "every KPI" if 1 < len(of) == len(changes) else ", ".join(of)
        line = f"{reason} ({told})"
        console.print(line, style=COLOURS["unknown"], markup=False, soft_wrap=True)


def _print_change(console: Console, change: KpiChange) -> None:
    title, (was, now) = title_of(change.kpi), _values(change)
    if change.before is None or change.move is None:
        console.print(f"{title} on {change.now.as_of}: {now}", style="bold", soft_wrap=True)
    else:
        days = f"from {change.before.as_of} to {change.now.as_of}"
        told = Text(f"{title} {days}: {was} -> {now}, {_move(change)}", "bold")
        status = _status_text(change)
        console.print(told + "  " + status if status else told, soft_wrap=True)
        for line in _sums(change.now, change.before):
            console.print(line, style="dim", soft_wrap=True)
    _print_reasons(console, [change])
    if change.parts:
        console.print()
        console.print(_part_table(change))
        console.print()
        print_facts(console, {part.title: PARTS[part.name].meaning for part in change.parts})


def _sums(now: KpiValue, before: KpiValue) -> list[str]:
    """Return the two sums that make a ratio, at both ends."""
    sums = {
        "numerator": (before.numerator, now.numerator),
        "denominator": (before.denominator, now.denominator),
    }
    if now.denominator is None:
        return []
    return [f"{name} {was or 0:,.2f} -> {told or 0:,.2f}" for name, (was, told) in sums.items()]


def _part_table(change: KpiChange) -> Table:
    table = bare_table()
    table.add_column("part, and its largest loans")
    for title in ("owed before", "now", "days late before", "now", "move"):
        table.add_column(title, justify="right")
    for part in change.parts:
        moved = _moved_text(change.unit, part)
        table.add_row(_part_text(part), "", "", "", "", moved)
        for loan in part.largest:
            table.add_row(*_loan_cells(change.unit, loan))
    table.add_row("all parts", "", "", "", "", _move(change))
    return table


def _part_text(part: Part) -> Text:
    text = Text(f"{part.title}, {_count(part)}", "bold")
    if part.denominator is not None:
        text.append(f"\n  numerator {part.numerator:+,.2f}", "not bold dim")
        text.append(f"\n  denominator {part.denominator:+,.2f}", "not bold dim")
    return text


def _moved_text(unit: str, part: Part) -> Text:
    text = Text(move_text(unit, part.amount, is_exact=True), "bold")
    if part.by_denominator is not None:
        for amount in (part.by_numerator, part.by_denominator):
            text.append(f"\n{move_text(unit, amount, is_exact=True)}", "not bold dim")
    return text


def _count(part: Part) -> str:
    return f"{part.loans:,} loan{'s' * (part.loans != 1)}"


def _print_note(console: Console, changes: Iterable[KpiChange]) -> None:
    """Say why a ratio may rise though nothing got worse."""
    if any(part.denominator and not part.numerator for c in changes for part in c.parts):
        told = (
            "A ratio also moves with its denominator: loans on time that leave the book raise it."
        )
        console.print(f"\n{told}", style="dim", soft_wrap=True)


def _loan_cells(unit: str, loan: MovedLoan) -> tuple[str, ...]:
    owed = (loan.principal_before, loan.principal_now)
    late = (loan.days_past_due_before, loan.days_past_due_now)
    return (
        f"  {loan.loan}",
        *("-" if principal is None else f"{principal:,.2f}" for principal in owed),
        *("-" if days is None else f"{days:,}" for days in late),
        move_text(unit, loan.amount, is_exact=True),
    )


def _values(change: KpiChange) -> tuple[str, str]:
    kpi, before = kpis_by_name().get(change.kpi), change.before
    values = (None if before is None else before.value, change.now.value)
    was, now = (str(value) if kpi is None else kpi.format(value) for value in values)
    return ("-" if before is None else was), now


def _move(change: KpiChange) -> str:
    return "unknown" if change.move is None else move_text(change.unit, change.move, is_exact=True)


def _status_text(change: KpiChange) -> Text:
    """Return the status, before it the earlier one if it was another; none without thresholds."""
    kpi, now = kpis_by_name().get(change.kpi), status_text(change.now.status)
    if change.now.status == "ok" and (kpi is None or kpi.thresholds is None):
        return Text("")
    if change.before is None or change.before.status == change.now.status:
        return now
    return status_text(change.before.status) + " -> " + now
