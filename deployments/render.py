"""Show a run to a person: its KPIs as a table, and in a few lines how far it can be trusted."""

import shutil
import textwrap
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import cast

from pydantic import JsonValue
from rich.console import Console
from rich.text import Text

from deployments.bare_table import bare_table
from deployments.documents import title_of, values_by_name
from settings.kpis import Kpi, kpis_by_name
from settings.model import Settings
from settings.thresholds import Status
from warehouse.attempt_folder import REPORT
from warehouse.delivery import Delivered
from warehouse.freshness import judge_freshness
from warehouse.job import RunOutcome
from warehouse.kinds import TapeFacts
from warehouse.kpis import KpiValue, change_of, contribution
from warehouse.layout import Layout
from warehouse.quality import Reconciliation
from warehouse.run_folder import SealedRun
from warehouse.sealed_kpis import read_health, read_kpis
from warehouse.withdrawn import is_withdrawn

COLOURS: Mapping[Status, str] = {
    "ok": "green",
    "warning": "yellow",
    "critical": "bold red",
    "unknown": "bold magenta",
}
_PIPED_COLUMNS = 100


def open_console(*, stderr: bool = False) -> Console:
    """Return a console as wide as the terminal, 100 columns when piped."""
    columns = shutil.get_terminal_size((_PIPED_COLUMNS, 24)).columns
    return Console(stderr=stderr, width=columns, highlight=False)


def short_path(path: Path) -> str:
    """Return a path as seen from the current folder when it lies in it, else whole."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def print_outcome(
    console: Console,
    outcome: RunOutcome,
    settings: Settings,
    *,
    is_demo: bool = False,
    command: str = "tapewatch",
) -> None:
    """Show how a run ended: its KPIs, its checks, where things are, and what to try next.

    Args:
        console: Where to; 100 columns are enough.
        outcome: What `run_daily` returned.
        settings: Those of the run.
        is_demo: The tape has a fixed date, so its freshness says nothing.
        command: How the reader starts Tapewatch.
    """
    run = outcome.sealed
    said = {
        "published": f"published run {run.name}",
        "stored": f"stored run {run.name}, not served: a later day is",
        "already_published": f"already published: nothing changed, run {run.name}",
        "no_new_data": f"no new data: the export is the one of run {run.name}, nothing changed",
    }[outcome.outcome]
    if is_withdrawn(Layout.of(settings), run.name):
        said += "; it was withdrawn by a rollback and is not served"
    console.print(said, style="bold", markup=False, soft_wrap=True)
    console.print()
    print_kpis(console, run, outcome.previous)
    console.print()
    print_reconciliation(console, run)
    freshness = Text("n/a (demo tape)") if is_demo else _freshness(run, settings)
    told = {"delivered": _delivered(outcome.delivered)} if outcome.delivered else {}
    print_facts(console, {**trust_facts(run), "freshness": freshness, **told})
    console.print()
    report = outcome.log_folder / REPORT
    drawn = {"report": short_path(report)} if report.is_file() else {}
    print_facts(
        console,
        {
            "run folder": short_path(run.folder),
            "log folder": short_path(outcome.log_folder),
            **drawn,
            "try next": "\n".join(f"{command} {line}" for line in _next_commands(run)),
        },
    )


def _delivered(delivered: Iterable[Delivered]) -> Text:
    """Return how far each receiver is; what waits is sent later and undoes nothing."""
    text = Text()
    for result in delivered:
        text.append(f"{chr(10) if text else ''}{result.receiver}: ")
        if result.error is None and not result.pending:
            text.append(f"{result.sent:,} sent" if result.sent else "has everything")
            continue
        why = "" if result.error is None else f" ({result.error.code})"
        waits = f"{result.sent:,} sent, {result.pending:,} to be sent later{why}"
        text.append(waits, style=COLOURS["warning"])
    return text


def _next_commands(run: SealedRun) -> tuple[str, ...]:
    book = run.manifest.identity.portfolio
    of_book = "" if book == "default" else f" --portfolio {book}"
    kpi, report = f"kpi par_90 --loans{of_book}", f"report --open{of_book}"
    return (kpi, report, f"verify{of_book}", "runs", "doctor")


def print_kpis(console: Console, run: SealedRun, previous: SealedRun | None) -> None:
    """Show the KPIs of a run, what changed since the run before, and why one is unknown."""
    values = read_kpis(run)
    basis = TapeFacts.from_json(run.manifest.ingestion).kind.basis  # others are told by the row
    since = f"since {previous.name[:10]}" if previous else "change"
    table = bare_table()
    table.add_column(f"KPI on {run.manifest.identity.as_of}, basis {basis}", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("warning / critical")
    table.add_column(since, justify="right")
    kpis, earlier = kpis_by_name(), values_by_name(previous)
    for value in values:
        before = earlier.get(value.name)
        table.add_row(*_kpi_cells(kpis.get(value.name), value, before))
    console.print(table)
    for value in values:
        if value.reason is not None:
            line = f"unknown: {title_of(value.name)}: {value.reason}"
            console.print(line, style=COLOURS["unknown"], markup=False, soft_wrap=True)


def print_reconciliation(console: Console, run: SealedRun) -> None:
    """Show how many of the lender's own snapshot rows the ledger reproduces."""
    said = cast("Mapping[str, int] | None", run.manifest.quality["reconciliation"])
    if said is None:
        kind = TapeFacts.from_json(run.manifest.ingestion).kind
        line = f"not reconciled: {kind.title} tells no ledger to hold its balances against"
        console.print(line, style="dim", soft_wrap=True)
        return
    reconciliation = Reconciliation(said["matched"], said["compared"])
    is_whole = reconciliation.matched == reconciliation.compared
    style = "green" if is_whole else COLOURS["critical"]
    console.print(reconciliation.line(), style=style, soft_wrap=True)


def print_facts(console: Console, facts: Mapping[str, str | Text]) -> None:
    """Show labels and what they say, aligned; text is wrapped, a path is never broken."""
    width = max(map(len, facts)) + 2
    for label, said in facts.items():
        name = label
        for line in _lines(said, max(console.width - width, 20)):
            console.print(Text(f"{name:<{width}}", style="dim") + line, soft_wrap=True)
            name = ""


def _lines(said: str | Text, width: int) -> Iterable[Text]:
    if isinstance(said, Text):
        return said.split("\n")
    lines = (line for paragraph in said.split("\n") for line in _wrap(paragraph, width))
    return map(Text, lines)


def _wrap(paragraph: str, width: int) -> list[str]:
    return textwrap.wrap(paragraph, width, break_long_words=False, break_on_hyphens=False)


def status_text(status: Status) -> Text:
    """Return a status in its colour."""
    return Text(status, style=COLOURS[status])


def change_text(value: KpiValue, before: KpiValue | None) -> str:
    """Return what changed since the run before, in the way people say it."""
    change = change_of(value, before)
    if change is None or before is None or before.value is None:
        return "-"
    if change == 0:
        return "="
    match value.unit:
        case "ratio":
            return f"{change.scaleb(2):+.2f} pp"
        case "usd":
            return f"{100 * change / before.value:+.1f} %" if before.value else "from 0"
        case "count":
            return f"{change:+,.0f}"
        case _:
            return f"{change:+.1f}"


def trust_facts(run: SealedRun) -> dict[str, str | Text]:
    """Return how far a run can be trusted: its checks, and what its health is made of."""
    return {
        "warnings": _warnings(run),
        "quarantine": _quarantine(run),
        **_kind_before(run),
        **_restated(run),
        "health": _health(run),
    }


def _kpi_cells(kpi: Kpi | None, value: KpiValue, before: KpiValue | None) -> Iterable[Text | str]:
    name = Text(value.name if kpi is None else kpi.title)
    if kpi is not None and value.basis in kpi.other_bases:
        name.append(f" ({value.basis})", style="dim")
    if value.denominator is not None:
        name.append(f"\n  {_sum(value.numerator)} / {_sum(value.denominator)}", style="dim")
    has_lines = kpi is not None and kpi.thresholds is not None
    is_judged = has_lines or value.status != "ok"
    lines = "" if kpi is None else kpi.threshold_line()
    return (
        name,
        str(value.value) if kpi is None else kpi.format(value.value),
        status_text(value.status) if is_judged else "",
        lines.replace("warning ", "").replace(", critical", " /"),
        change_text(value, before),
    )


def _sum(number: Decimal | None) -> str:
    return "unknown" if number is None else f"{number:,.2f}"


def _warnings(run: SealedRun) -> str:
    checks = cast("Mapping[str, int]", run.manifest.quality["checks"])
    failed = cast("list[str]", run.manifest.quality["failed"])
    if not failed:
        return f"none of {len(checks)} checks failed"
    told = ", ".join(f"{name} {checks[name]:,}" for name in failed)
    return f"{len(failed)} of {len(checks)} checks found rows: {told}"


def _quarantine(run: SealedRun) -> str:
    facts = cast("Mapping[str, int]", run.manifest.quality["quarantine"])
    dropped = cast("Mapping[str, int]", run.manifest.quality["duplicates_dropped"])
    told = [f"{facts['loans']:,} loans for {facts['bad_rows']:,} bad rows"]
    told = told if facts["loans"] else []
    told += [f"{count:,} duplicate rows of {name} dropped" for name, count in dropped.items()]
    return ", ".join(told) or "none"


def _kind_before(run: SealedRun) -> dict[str, Text]:
    title = run.manifest.quality.get("kind_before")
    if title is None:
        return {}
    told = f"the run before was of {title}: their values are not compared"
    return {"kind": Text(told, COLOURS["warning"])}


def _restated(run: SealedRun) -> dict[str, Text]:
    """Return what a changed past did to the KPIs of the day it was told of before."""
    facts = cast("Mapping[str, JsonValue] | None", run.manifest.quality.get("restated"))
    if facts is None:
        return {}
    kpis = cast("list[Mapping[str, str | None]]", facts["kpis"])
    told = [_moved(effect) for effect in kpis] or ["no KPI of that day moves"]
    text = Text(f"{facts['changed']:,} changes to {facts['as_of']} as run {facts['run']} told it: ")
    return {"restated": text.append(", ".join(told), COLOURS["warning"])}


def _moved(effect: Mapping[str, str | None]) -> str:
    name = str(effect["kpi"])
    kpi = kpis_by_name().get(name)
    before, after = (None if v is None else Decimal(v) for v in (effect["before"], effect["after"]))
    if kpi is None:
        return f"{name} {before} -> {after}"
    return f"{kpi.title} {kpi.format(before)} -> {kpi.format(after)}"


def _health(run: SealedRun) -> Text:
    parts = read_health(run)
    points = [(part, contribution(part, parts)) for part in parts]
    known = [f"{title_of(part.kpi)} {point:.2f}" for part, point in points if point is not None]
    lost = [title_of(part.kpi) for part, point in points if point is None]
    text = Text(" + ".join(known) or "no component is known")
    if lost:
        text.append(f"\ndegraded: without {', '.join(lost)}", style=COLOURS["warning"])
    return text


def _freshness(run: SealedRun, settings: Settings) -> Text:
    as_of, lines = run.manifest.identity.as_of, settings.operations.freshness_hours
    told = judge_freshness(as_of, settings, datetime.now(UTC))
    text = Text(f"{told.hours:,.1f} h since the end of {as_of}: ") + status_text(told.status)
    return text.append(f" (warning > {lines.warning} h, critical > {lines.critical} h)")
