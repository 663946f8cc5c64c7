"""`tapewatch inspect`: what a file is and which KPIs it will give, before anything runs."""

from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import JsonValue
from rich.console import Console
from rich.text import Text

from deployments.bare_table import bare_table
from deployments.documents import print_json
from deployments.render import COLOURS, open_console, print_facts
from settings.kpis import Kpi, load_catalogue
from settings.model import Settings
from warehouse.ingestion import archive_limits
from warehouse.kinds import KpiAnswer, answer_for
from warehouse.source import Survey, survey
from warehouse.tape import TapeTable

Answers = list[tuple[Kpi, KpiAnswer]]

_DAYS = {
    True: "the last day of its ledger, unless --as-of declares another",
    False: "its last reporting date up to today, unless --as-of declares another",
}


def inspect_input(inputs: list[Path], settings: Settings, *, is_json: bool) -> None:
    """Show the kind, the columns and the KPIs of an input; nothing of it is kept.

    Raises:
        TapewatchError: It is no tape; the error says what is missing.
    """
    console = open_console(stderr=True)
    with TemporaryDirectory(prefix="tapewatch-") as scratch, console.status("reading headers …"):
        found = survey(inputs, Path(scratch), archive_limits(settings))
    answers = [(kpi, answer_for(kpi, found.tape)) for kpi in load_catalogue()]
    if is_json:
        print_json(_document(found, answers))
        return
    console = open_console()
    _print_kind(console, inputs, found)
    for source, (table, candidate) in found.known.tables.items():
        console.print()
        console.print(Text(candidate.label, "bold"), soft_wrap=True)
        _print_columns(console, found, source, table)
    console.print()
    _print_kpis(console, answers)


def _print_kind(console: Console, inputs: list[Path], found: Survey) -> None:
    kind = found.known.kind
    named = inputs[0].name if len(inputs) == 1 else f"{len(inputs)} files"
    console.print(Text(f"{named}: {kind.title}", "bold"), soft_wrap=True)
    facts = {
        "comes as": found.container,
        "basis": kind.basis,
        "as of": _DAYS[kind.has_ledger],
        "not read": ", ".join(found.known.unread),
    }
    print_facts(console, {label: said for label, said in facts.items() if said})


def _print_columns(console: Console, found: Survey, source: str, table: TapeTable) -> None:
    names, columns = found.names[source], found.columns[source]
    shown = bare_table(indent=2, is_headed=False)
    for column in table.columns:
        if column in names:
            own = "" if names[column] == column else f"<- {names[column]}"
            shown.add_row(f"  {column}", Text(own))
    console.print(shown)
    missing = [column for column in table.optional if column not in columns.found]
    facts = {"  not told": ", ".join(missing), "  not read": ", ".join(columns.unread)}
    facts = {label: said for label, said in facts.items() if said}
    if facts:
        print_facts(console, facts)


def _print_kpis(console: Console, answers: Answers) -> None:
    table = bare_table()
    table.add_column("KPI", no_wrap=True)
    table.add_column("basis", no_wrap=True)
    table.add_column("")
    for kpi, answer in answers:
        if answer.reason is not None:
            table.add_row(kpi.title, Text("unknown", COLOURS["unknown"]), Text(answer.reason))
        else:
            table.add_row(kpi.title, answer.basis, _remark(answer))
    console.print(table)


def _remark(answer: KpiAnswer) -> str:
    return "from the second stored tape on" if answer.basis == "snapshot_delta" else ""


def _document(found: Survey, answers: Answers) -> dict[str, JsonValue]:
    return {
        "kind": found.known.kind.name,
        "title": found.known.kind.title,
        "container": found.container,
        "basis": found.known.kind.basis,
        "tables": {
            source: {
                "label": candidate.label,
                "columns": {**found.names[source]},
                "missing": [c for c in table.optional if c not in found.columns[source].found],
                "unread": list(found.columns[source].unread),
            }
            for source, (table, candidate) in found.known.tables.items()
        },
        "unread_tables": list(found.known.unread),
        "kpis": [
            {
                "name": kpi.name,
                "basis": None if answer.reason else answer.basis,
                "reason": answer.reason,
            }
            for kpi, answer in answers
        ],
    }
