"""`tapewatch reproduce`: make a sealed run again from its raw bytes and hold every figure to it."""

from contextlib import AbstractContextManager, nullcontext
from functools import partial

from pydantic import JsonValue
from rich.console import Console
from rich.text import Text

from deployments.documents import print_json
from deployments.lookup import folder_of
from deployments.phases import PlainPhases
from deployments.render import open_console, print_facts
from settings.errors import DataRejectedError
from settings.model import Settings
from warehouse.compare import Difference, Reproduced
from warehouse.layout import Layout
from warehouse.manifest import load_manifest
from warehouse.reproduce import reproduce
from warehouse.run_folder import SealedRun
from warehouse.sealed_kpis import read_health, read_kpis
from warehouse.served import served_run


class ReproduceDiffersError(DataRejectedError):
    """The raw bytes of a sealed run do not give what the run says."""

    code = "REPRODUCE_DIFFERS"


def reproduce_run(settings: Settings, name: str | None, *, is_json: bool) -> None:
    """Reproduce the served run, or the named one, and show what agrees.

    Raises:
        ReproduceDiffersError: Something comes out otherwise; the line names the first thing.
        TapewatchError: It cannot be reproduced here; the subclasses in `reproduce` say why.
    """
    run = _chosen(Layout.of(settings), name)
    console = open_console(stderr=True)
    phases = PlainPhases(settings.phases, console)
    reproduced = reproduce(run, settings, phases, partial(_status, console))
    if is_json:
        print_json(_document(reproduced))
    else:
        _print(open_console(), reproduced)
    _refuse_difference(reproduced)


def _chosen(layout: Layout, name: str | None) -> SealedRun:
    if name is None:
        return served_run(layout)
    folder = layout.runs / folder_of(layout, name)
    return SealedRun(folder, load_manifest(folder))


def _status(console: Console, text: str) -> AbstractContextManager[object]:
    return console.status(text) if console.is_terminal else nullcontext()


def _refuse_difference(reproduced: Reproduced) -> None:
    if not reproduced.differences:
        return
    run, (first, *more) = reproduced.run, reproduced.differences
    also = f", and {len(more)} more" if more else ""
    raise ReproduceDiffersError(
        f"run {run.name} does not come out again: {_line(first)}{also}",
        fix=f"compare with {run.manifest.code}, which sealed it, and with every earlier run of its "
        "book in place; if it differs there too, the run is not to be trusted",
        evidence={"what": first.what, "sealed": first.sealed, "reproduced": first.again},
    )


def _line(difference: Difference) -> str:
    return f"{difference.what}: sealed {difference.sealed}, reproduced {difference.again}"


def _document(reproduced: Reproduced) -> dict[str, JsonValue]:
    run, again = reproduced.run, reproduced.again
    return {
        "is_reproduced": not reproduced.differences,
        "run": run.name,
        "run_id": run.manifest.run_id,
        "reproduced_run_id": again and again.manifest.run_id,
        "code": run.manifest.code,
        "inputs": [
            {"name": kept.name, "sha256": kept.sha256, "bytes": kept.bytes}
            for kept in run.manifest.inputs
        ],
        "kpis": [_kpi_document(kpi.name, reproduced) for kpi in read_kpis(run)],
        "tables": {
            **dict.fromkeys(reproduced.same_bytes, "same bytes"),
            **dict.fromkeys(reproduced.same_rows, "same rows"),
        },
        "differences": [
            {"what": one.what, "sealed": one.sealed, "reproduced": one.again}
            for one in reproduced.differences
        ],
    }


def _kpi_document(name: str, reproduced: Reproduced) -> JsonValue:
    def value(run: SealedRun | None) -> str | None:
        values = {} if run is None else {kpi.name: kpi.value for kpi in read_kpis(run)}
        found = values.get(name)
        return None if found is None else f"{found:f}"

    return {"name": name, "sealed": value(reproduced.run), "reproduced": value(reproduced.again)}


def _print(console: Console, reproduced: Reproduced) -> None:
    run = reproduced.run
    is_same = not reproduced.differences
    mark = Text("reproduced", "green") if is_same else Text("NOT REPRODUCED", "bold red")
    console.print(Text(f"{run.name}: ", "bold") + mark, soft_wrap=True)
    if not is_same:
        told = "\n".join(map(_line, reproduced.differences))
        print_facts(console, {"  differs": told})
        return
    manifest = run.manifest
    files = len(manifest.inputs)
    print_facts(
        console,
        {
            "  raw bytes": f"{files} file{'s' * (files > 1)}, "
            f"{sum(kept.bytes for kept in manifest.inputs):,} bytes, every one as it came",
            "  run id": f"{manifest.run_id}, the same question",
            "  KPIs": f"{len(read_kpis(run))} of {len(read_kpis(run))} the same to the last digit, "
            f"with the {len(read_health(run))} parts of the health score",
            "  checks": _checks(run),
            "  tables": f"{len(reproduced.same_bytes)} with the same bytes"
            + f", {len(reproduced.same_rows)} with the same rows in other bytes"
            * bool(reproduced.same_rows),
        },
    )


def _checks(run: SealedRun) -> str:
    quality = run.manifest.quality
    checks = quality["checks"]
    count = len(checks) if isinstance(checks, dict) else 0
    also = "" if quality["reconciliation"] is None else ", and the reconciliation"
    return f"{count} quality checks find the same rows{also}"
