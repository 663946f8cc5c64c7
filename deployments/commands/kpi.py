"""`tapewatch kpi`: every KPI of a run, or one with its formula, its inputs and its loans."""

import hashlib
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pydantic import JsonValue
from rich.console import Console
from rich.text import Text

from deployments import unusual
from deployments.commands.kpi_parts import (
    figure_text,
    loans_of,
    parts_document,
    print_parts,
    write_loans,
)
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
from settings.kpis import Kpi, find_kpi
from settings.model import Settings
from warehouse.anomaly import Anomaly, judge_run, unusual_line
from warehouse.book import book_parameters
from warehouse.engine import bound, read_sql
from warehouse.kinds import sql_folder
from warehouse.kpis import KpiValue
from warehouse.layout import Layout
from warehouse.rebuild import run_settings
from warehouse.run_folder import SealedRun, read_current


@dataclass(frozen=True)
class View:
    """One KPI of one run, and what is needed to tell about it."""

    kpi: Kpi
    run: SealedRun
    value: KpiValue
    before: KpiValue | None
    settings: Settings
    judged: Anomaly | None

    @property
    def sql_folder(self) -> str:
        """The folder of the SQL that its basis is worked out by."""
        return sql_folder(self.kpi, self.value.basis)

    @property
    def sql(self) -> str:
        """The text of that SQL as it is now."""
        return read_sql(self.sql_folder, self.kpi.name)

    @property
    def sql_path(self) -> str:
        """Where that SQL is."""
        return f"warehouse/sql/{self.sql_folder}/{self.kpi.name}.sql"

    @property
    def is_definition_current(self) -> bool:
        """Whether the SQL is still the one the run was made with."""
        sql = self.sql
        return self.value.definition_sha256 == hashlib.sha256(sql.encode()).hexdigest()

    @property
    def beside(self) -> KpiValue | None:
        """The KPI that is read beside it, None where there is none."""
        name = self.kpi.beside
        return None if name is None else values_by_name(self.run).get(name)

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
    view = View(kpi, run, value, before, settings, judged)
    behind = None if limit is None else loans_of(view, limit)
    if csv is not None:
        write_loans(csv, view, behind)
    if is_json:
        print_json(_document(view) | (parts_document(view, behind) if limit is not None else {}))
        return
    console = open_console()
    _print_view(console, view)
    if limit is not None:
        console.print()
        print_parts(console, view, behind)


def _served_name(layout: Layout) -> str | None:
    served = read_current(layout)
    return served and served.name


def _run_line(layout: Layout, run: SealedRun) -> str:
    state = "served" if run.name == _served_name(layout) else "not served"
    return f"{run.name}, {state}, sealed {run.manifest.created_at:%Y-%m-%d %H:%M} UTC"


def _document(view: View) -> dict[str, JsonValue]:
    manifest = view.run.manifest
    return {
        **kpi_document(view.value, view.before),
        "anomaly": unusual.anomaly_document(view.judged),
        "beside": None if view.beside is None else kpi_document(view.beside, None),
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


def _print_view(console: Console, view: View) -> None:
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
        "numerator": figure_text(value.numerator),
        "denominator": figure_text(value.denominator),
        "figures": _returns(view.sql),
        "value": "" if value.value is None else f"{value.value:f} (basis {value.basis})",
        "thresholds": kpi.threshold_line(),
        "change": _change_line(view),
        "beside it": _beside_line(view),
        "unusual": unusual_line(kpi, view.judged),
        "SQL": view.sql_path,
        "SQL sha256": f"{value.definition_sha256} ({same})",
        "given": ", ".join(f"{name} {told}" for name, told in view.parameters().items()),
        "run": f"{view.run.name} ({manifest.run_id})",
        "input": "\n".join(f"{kept.name} {kept.sha256}" for kept in manifest.inputs),
    }
    print_facts(console, {label: said for label, said in facts.items() if said})


def _change_line(view: View) -> str:
    if view.before is None:
        return ""
    return f"{change_text(view.value, view.before)} since {view.before.as_of}"


def _beside_line(view: View) -> str:
    if view.beside is None:
        return ""
    beside = find_kpi(view.beside.name)
    return f"{beside.title} {beside.format(view.beside.value)}"


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
