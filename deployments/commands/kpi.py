"""`tapewatch kpi`: every KPI of a run, or one with its formula, its inputs and its loans."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass, fields
from datetime import date
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from pydantic import JsonValue
from rich.console import Console
from rich.table import Table
from rich.text import Text

from deployments import unusual
from deployments.documents import kpi_document, print_json, run_document, values_by_name
from deployments.lookup import earlier_run, kpi_of_run, run_of_day
from deployments.render import (
    change_text,
    open_console,
    print_facts,
    print_kpis,
    print_reconciliation,
    status_text,
    trust_facts,
)
from deployments.spreadsheet import write_csv
from settings.errors import UsageError
from settings.kpis import Kpi, find_kpi
from settings.model import Settings
from warehouse.anomaly import Anomaly, judge_run, unusual_line
from warehouse.book import book_parameters
from warehouse.engine import bound, read_sql
from warehouse.kinds import TapeFacts, sql_folder
from warehouse.kpis import KpiValue
from warehouse.layout import Layout
from warehouse.loans import LoansBehind, LoanShare, has_loans, loans_behind
from warehouse.rebuild import run_settings
from warehouse.run_folder import SealedRun, read_current


class NotOfLoansError(UsageError):
    """The KPI is not made of loans, so none can be written."""

    code = "NOT_OF_LOANS"


@dataclass(frozen=True)
class _View:
    """One KPI of one run, and what is needed to tell about it."""

    kpi: Kpi
    run: SealedRun
    value: KpiValue
    before: KpiValue | None
    settings: Settings
    judged: Anomaly | None

    @property
    def sql_folder(self) -> str:
        return sql_folder(self.kpi, self.value.basis)

    @property
    def sql(self) -> str:
        return read_sql(self.sql_folder, self.kpi.name)

    @property
    def sql_path(self) -> str:
        return f"warehouse/sql/{self.sql_folder}/{self.kpi.name}.sql"

    @property
    def is_definition_current(self) -> bool:
        sql = self.sql
        return self.value.definition_sha256 == hashlib.sha256(sql.encode()).hexdigest()

    def parameters(self) -> dict[str, str]:
        """Return the dates and numbers that the KPI's SQL was given for this run."""
        as_of = self.run.manifest.identity.as_of
        given = bound(
            self.sql,
            book_parameters(run_settings(self.run, self.settings), as_of),
        )
        return {name: str(given[name]) for name in sorted(given)}


def show_kpis(settings: Settings, as_of: date | None, *, is_json: bool) -> None:
    """Show every KPI of the served run, or of the run of a day."""
    layout = Layout.of(settings)
    run = run_of_day(layout, as_of)
    before = earlier_run(layout, run)
    judged = judge_run(layout, run, settings.anomaly)
    if is_json:
        print_json(unusual.add_anomalies(run_document(run, before, _served_name(layout)), judged))
        return
    console = open_console()
    print_kpis(console, run, before)
    unusual.print_unusual(console, judged)
    console.print()
    print_reconciliation(console, run)
    print_facts(console, {**trust_facts(run), "run": _run_line(layout, run)})


def show_kpi(
    name: str,
    settings: Settings,
    as_of: date | None,
    *,
    limit: int | None,
    csv: Path | None,
    is_json: bool,
) -> None:
    """Show one KPI with all that is needed to work it out again, and `limit` of its loans.

    The loans shown also go to `csv`, if that is given.

    Raises:
        KpiNotInRunError: The run is older than the KPI.
    """
    kpi = find_kpi(name)
    layout = Layout.of(settings)
    run = run_of_day(layout, as_of)
    value = kpi_of_run(run, name)
    before = values_by_name(earlier_run(layout, run)).get(name)
    judged = judge_run(layout, run, settings.anomaly).get(name)
    view = _View(kpi, run, value, before, settings, judged)
    behind = None if limit is None else _loans(view, limit)
    if csv is not None:
        _write_loans(csv, view, behind)
    if is_json:
        print_json(_document(view) | (_parts_document(view, behind) if limit is not None else {}))
        return
    console = open_console()
    _print_view(console, view)
    if limit is not None:
        console.print()
        _print_parts(console, view, behind)


def _served_name(layout: Layout) -> str | None:
    served = read_current(layout)
    return served and served.name


def _run_line(layout: Layout, run: SealedRun) -> str:
    state = "served" if run.name == _served_name(layout) else "not served"
    return f"{run.name}, {state}, sealed {run.manifest.created_at:%Y-%m-%d %H:%M} UTC"


def _loans(view: _View, limit: int) -> LoansBehind | None:
    """Return the loans of a KPI, None for one that is made of other things."""
    is_own_basis = view.sql_folder == "kpi"
    tape = TapeFacts.from_json(view.run.manifest.ingestion)
    if not (is_own_basis and tape.kind.has_loans and has_loans(view.kpi.name)):
        return None
    with TemporaryDirectory(prefix="tapewatch-") as spill:
        return loans_behind(view.run, view.value, view.settings, Path(spill), limit)


def _write_loans(path: Path, view: _View, behind: LoansBehind | None) -> None:
    if behind is None:
        raise NotOfLoansError(
            f"{view.kpi.title} of run {view.run.name} is not made of loans",
            fix="leave --csv out; par_90, collection_rate and rdr_90 of a ledger are made of loans",
        )
    columns = [field.name for field in fields(LoanShare)]
    write_csv(path, columns, [astuple(share) for share in behind.largest])


def _document(view: _View) -> dict[str, JsonValue]:
    manifest = view.run.manifest
    return {
        **kpi_document(view.value, view.before),
        "anomaly": unusual.anomaly_document(view.judged),
        "description": view.kpi.description,
        "formula": view.kpi.formula,
        "source": view.kpi.source,
        "as_of": manifest.identity.as_of.isoformat(),
        "run": view.run.name,
        "run_id": manifest.run_id,
        "inputs": [{"name": kept.name, "sha256": kept.sha256} for kept in manifest.inputs],
        "sql": view.sql_path,
        "is_definition_current": view.is_definition_current,
        "parameters": {**view.parameters()},
    }


def _parts_document(view: _View, behind: LoansBehind | None) -> dict[str, JsonValue]:
    if behind is None:
        return {"loans": None, "parts": {**_parts(view)}}
    shares: list[JsonValue] = [
        {
            name: f"{told:f}" if isinstance(told, Decimal) else told
            for name, told in asdict(share).items()
        }
        for share in behind.largest
    ]
    return {"loan_count": behind.loans, "loans": shares}


def _parts(view: _View) -> dict[str, str]:
    """Return what a KPI is made of that is not made of loans."""
    run = view.run.manifest
    if view.kpi.requires == ("quality_result",):
        checks = cast("Mapping[str, int]", run.quality["checks"])
        failed = cast("list[str]", run.quality["failed"])
        return {name: f"{checks[name]:,} rows" for name in failed}
    weighed = cast("list[Mapping[str, str | None]]", run.kpis["health"])
    return {
        str(part["kpi"]): f"value {part['value'] or 'unknown'}, weight {part['weight']}, "
        f"score {part['score'] or 'unknown'}"
        for part in weighed
    }


def _print_view(console: Console, view: _View) -> None:
    kpi, value, manifest = view.kpi, view.value, view.run.manifest
    head = Text(f"{kpi.title} on {manifest.identity.as_of}: {kpi.format(value.value)}  ", "bold")
    console.print(head + status_text(value.status), soft_wrap=True)
    is_own_basis = view.sql_folder == "kpi"
    console.print(Text(kpi.description if is_own_basis else _what(view.sql)), soft_wrap=True)
    console.print()
    same = "as it is now" if view.is_definition_current else "the file has changed since"
    facts = {
        "unknown": value.reason or "",
        "formula": kpi.formula if is_own_basis else "as its SQL says",
        "numerator": _figure(value.numerator),
        "denominator": _figure(value.denominator),
        "figures": _returns(view.sql),
        "value": "" if value.value is None else f"{value.value:f} (basis {value.basis})",
        "thresholds": kpi.threshold_line(),
        "change": _change_line(view),
        "unusual": unusual_line(kpi, view.judged),
        "SQL": view.sql_path,
        "SQL sha256": f"{value.definition_sha256} ({same})",
        "given": ", ".join(f"{name} {told}" for name, told in view.parameters().items()),
        "run": f"{view.run.name} ({manifest.run_id})",
        "input": "\n".join(f"{kept.name} {kept.sha256}" for kept in manifest.inputs),
    }
    print_facts(console, {label: said for label, said in facts.items() if said})


def _change_line(view: _View) -> str:
    if view.before is None:
        return ""
    return f"{change_text(view.value, view.before)} since {view.before.as_of}"


def _figure(number: Decimal | None) -> str:
    return "" if number is None else f"{number:,.2f}"


def _what(sql: str) -> str:
    """Return what the first line of a KPI's SQL says it is."""
    return sql.splitlines()[0].partition(":")[2].strip()


def _returns(sql: str) -> str:
    """Return what the header of the KPI's SQL says of its figures and their units."""
    said: list[str] = []
    for line in sql.splitlines():
        if line.startswith("-- returns:") or (said and line.startswith("--   ")):
            said.append(line.removeprefix("-- returns:").removeprefix("--").strip())
        elif said:
            break
    return " ".join(said)


def _print_parts(console: Console, view: _View, behind: LoansBehind | None) -> None:
    if behind is None:
        console.print(f"{view.kpi.title} is not made of loans of this tape", soft_wrap=True)
        print_facts(console, _parts(view) or {"nothing": "no check failed"})
        return
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("loan")
    table.add_column("client")
    has_denominator = behind.denominator is not None
    figures = ("numerator", "denominator") if has_denominator else ("numerator",)
    for name in ("row", "days past due", "live principal", *figures):
        table.add_column(name, justify="right")
    for share in behind.largest:
        table.add_row(
            share.loan,
            f"#{(share.customer or '')[:12]}",
            str(share.source_row),
            str(share.days_past_due),
            _figure(share.live_principal),
            _figure(share.numerator),
            *([_figure(share.denominator)] if has_denominator else []),
        )
    console.print(table)
    shown = len(behind.largest)
    more = f" (the {shown:,} largest are shown; --limit shows more)" * (shown < behind.loans)
    console.print(
        f"{behind.loans:,} loans add up to {_figure(behind.numerator)}, the numerator{more}",
        soft_wrap=True,
    )
