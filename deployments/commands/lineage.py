"""`tapewatch lineage`: what a KPI was made of, from its SQL down to the file that came."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import cast

from pydantic import JsonValue
from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from deployments.documents import kpi_document, print_json, values_by_name
from deployments.lookup import kpi_of_run, run_of_day
from deployments.render import open_console, print_facts, short_path, status_text
from settings.kpis import find_kpi
from settings.model import Settings
from warehouse.kinds import TapeFacts
from warehouse.layout import Layout
from warehouse.lineage import Lineage, Node, trace

_SHOWN_HEX = 12  # of a sha256; --json tells it whole


def show_lineage(name: str, settings: Settings, as_of: date | None, *, is_json: bool) -> None:
    """Show the lineage of one KPI of the served run, or of the run of a day.

    Raises:
        UnknownKpiError: No KPI has this name.
        KpiNotInRunError: The run is older than the KPI.
    """
    find_kpi(name)
    layout = Layout.of(settings)
    run = run_of_day(layout, as_of)
    value = kpi_of_run(run, name)
    lineage = trace(run, value, settings)
    if is_json:
        print_json(_document(lineage, layout.data))
    else:
        _print(open_console(), lineage, layout.data)


def _document(lineage: Lineage, data: Path) -> dict[str, JsonValue]:
    manifest = lineage.run.manifest
    return {
        "kpi": kpi_document(lineage.value, None),
        "run": lineage.run.name,
        "run_id": manifest.run_id,
        "as_of": manifest.identity.as_of.isoformat(),
        "code": manifest.code,
        "data_folder": str(data),
        "sql_sha256": manifest.identity.sql_sha256,
        "is_same_sql": lineage.is_same_sql,
        "source": {name: told for name, told in _source(lineage).items()},
        "root": next(iter(lineage.nodes)),
        "nodes": [
            {
                "id": node.id,
                "kind": node.kind,
                "name": node.name,
                "sql": None if node.sql is None else asdict(node.sql),
                "file": None if node.file is None else asdict(node.file),
                "reads": list(node.reads),
            }
            for node in lineage.nodes.values()
        ],
    }


def _source(lineage: Lineage) -> dict[str, str]:
    told = lineage.run.manifest.ingestion
    kind = TapeFacts.from_json(told).kind
    return {
        "origin": str(told["origin"]),
        "container": str(told["source_kind"]),
        "tape_kind": kind.name,
        "tape_title": kind.title,
        "received_at": str(told["received_at"]),
    }


def _print(console: Console, lineage: Lineage, data: Path) -> None:
    root, shown = next(iter(lineage.nodes.values())), set[str]()
    tree = Tree(_label(root, lineage), guide_style="dim")
    _grow(tree, root, lineage, shown)
    console.print(tree)
    console.print()
    facts = {"run": lineage.run.name, "files": f"{short_path(data)}/runs/{lineage.run.name}"}
    facts["raw bytes"] = f"{short_path(data)}/raw/<sha256>/<name>, or archive/ there"
    facts["hashes"] = f"the first {_SHOWN_HEX} of each sha256; --json tells them whole"
    if not lineage.is_same_sql:
        facts["SQL"] = (
            f"has changed since {lineage.run.manifest.code} sealed this run: the tables between "
            "may have been others then"
        )
    print_facts(console, facts)


def _grow(branch: Tree, node: Node, lineage: Lineage, shown: set[str]) -> None:
    """Hang what a node reads below it, each thing whole where it comes first and by name later."""
    shown.add(node.id)
    again = [lineage.nodes[below].name for below in node.reads if below in shown]
    for below in node.reads:
        if below not in shown:
            child = lineage.nodes[below]
            _grow(branch.add(_label(child, lineage)), child, lineage, shown)
        elif lineage.nodes[below].name not in again:
            again.append(lineage.nodes[below].name)
    if again:
        branch.add(Text(f"{', '.join(dict.fromkeys(again))}: see above", "dim"))


def _label(node: Node, lineage: Lineage) -> Text:
    text = _kpi_text(node, lineage) if node.kind == "kpi" else Text(_said(node, lineage))
    if node.file is not None:
        rows = "" if node.file.rows is None else f"{node.file.rows:,} rows, "
        told = f"{rows}{node.file.bytes:,} bytes, {node.file.sha256[:_SHOWN_HEX]}"
        text.append(f"\n{told}", "dim")
    if node.sql is not None:
        state = {True: "", False: ", changed since", None: ", as it is now"}[node.sql.is_current]
        path = node.sql.path.removeprefix("warehouse/")
        text.append(f"\n{path} {node.sql.sha256[:_SHOWN_HEX]}{state}", "dim")
    return text


def _said(node: Node, lineage: Lineage) -> str:
    source = _source(lineage)
    match node.kind:
        case "check":
            checks = cast("Mapping[str, int]", lineage.run.manifest.quality["checks"])
            return f"check {node.name}: {checks[node.name]:,} bad rows"
        case "artifact":
            return f"{node.name}, from {source['origin']}: {source['tape_title']}"
        case "absent":
            return f"{node.name}: not told by {source['tape_title']}"
        case "setting":
            return f"{node.name}: by the settings of the run"
        case "earlier_run":
            return f"{node.name} of an earlier run"
        case _:
            return node.name


def _kpi_text(node: Node, lineage: Lineage) -> Text:
    value = values_by_name(lineage.run)[node.name]
    kpi = find_kpi(node.name)
    text = Text(f"{kpi.title} {kpi.format(value.value)} ", "bold") + status_text(value.status)
    text.append(f", {value.as_of}, {value.basis}")
    return text if value.reason is None else text.append(f"\n{value.reason}", "magenta")
