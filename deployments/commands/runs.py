"""`tapewatch runs`: the sealed runs, the attempts that made them, and those that failed."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import cast

from pydantic import JsonValue
from rich.console import Console
from rich.table import Table
from rich.text import Text

from deployments.bare_table import bare_table
from deployments.documents import print_json, run_document, values_by_name
from deployments.lookup import earlier_run, folder_of
from deployments.render import (
    open_console,
    print_facts,
    print_kpis,
    print_reconciliation,
    status_text,
    trust_facts,
)
from settings.kpis import kpis_by_name
from settings.model import Settings
from warehouse.attempt_folder import SUMMARY
from warehouse.attempt_state import AttemptRecord, list_attempts
from warehouse.json_text import JsonObject
from warehouse.layout import Layout
from warehouse.manifest import HashMismatchError, load_manifest
from warehouse.run_folder import SealedRun, list_runs, read_current, run_folders
from warehouse.served import NothingPublishedError
from warehouse.withdrawn import is_withdrawn

_SHOWN_RUNS = 30
_SHOWN_FAILURES = 10


def list_all(settings: Settings, *, is_json: bool) -> None:
    """Show every run, newest first, and the attempts that did not succeed."""
    layout = Layout.of(settings)
    runs, attempts = list_runs(layout), list_attempts(layout)
    if is_json:
        print_json(_list_document(layout, runs, attempts))
        return
    console = open_console()
    if runs:
        console.print(_runs_table(layout, runs, attempts))
        if len(runs) > _SHOWN_RUNS:
            console.print(f"and {len(runs) - _SHOWN_RUNS:,} older ones: tapewatch runs --json")
    else:
        console.print("no run yet: tapewatch run --input PATH", markup=False)
    for name in _unreadable(layout, runs):
        console.print(f"{name} cannot be read: tapewatch verify {name}", style="bold red")
    failed = [attempt for attempt in reversed(attempts) if attempt.error is not None]
    if failed:
        console.print(f"\n{len(failed)} of {len(attempts)} attempts did not succeed:")
    for attempt in failed[:_SHOWN_FAILURES]:
        _print_failure(console, attempt)


def show_latest(settings: Settings, *, is_json: bool) -> None:
    """Show the newest attempt: how it ended, its phases, and where its log is.

    Raises:
        NothingPublishedError: There was no attempt yet.
    """
    layout = Layout.of(settings)
    attempts = list_attempts(layout)
    if not attempts:
        raise NothingPublishedError(
            f"nothing was ever run under {layout.data}", fix="tapewatch run --input PATH"
        )
    attempt, phases = attempts[-1], _phases(layout, attempts[-1])
    if is_json:
        print_json({**_attempt_document(attempt), "phases": {**phases}})
        return
    console = open_console()
    print_facts(console, _attempt_facts(layout, attempt, phases))


def show_run(settings: Settings, name: str, *, is_json: bool) -> None:
    """Show one run: its question, its KPIs, its files and its attempts."""
    layout = Layout.of(settings)
    folder = layout.runs / folder_of(layout, name)
    run = SealedRun(folder, load_manifest(folder))
    before, state = earlier_run(layout, run), _states(layout, list_runs(layout))[run.name]
    attempts = [a for a in list_attempts(layout) if a.run_id == run.manifest.run_id]
    if is_json:
        told = run_document(run, before, run.name if state == "served" else None)
        files: dict[str, JsonValue] = {n: asdict(f) for n, f in run.manifest.files.items()}
        made: list[JsonValue] = [_attempt_document(attempt) for attempt in attempts]
        print_json({**told, "state": state, "files": files, "attempts": made})
        return
    console = open_console()
    print_facts(console, _run_facts(run, state))
    console.print()
    print_kpis(console, run, before)
    console.print()
    print_reconciliation(console, run)
    print_facts(console, trust_facts(run))
    console.print()
    for attempt in attempts:
        _print_attempt(console, attempt)


def _states(layout: Layout, runs: list[SealedRun]) -> dict[str, str]:
    """Return of each run: served, withdrawn, superseded by another tape of its day, or stored."""
    superseded = {run_id for run in runs for run_id in run.manifest.supersedes}
    books = {run.manifest.identity.book for run in runs}
    served = {_served_name(layout.of_book(book)) for book in books}
    return {
        run.name: "served"
        if run.name in served
        else "withdrawn"
        if is_withdrawn(layout, run.name)
        else "superseded"
        if run.manifest.run_id in superseded
        else "stored"
        for run in runs
    }


def _served_name(layout: Layout) -> str | None:
    try:
        served = read_current(layout)
    except HashMismatchError:
        return None  # it is among the unreadable runs, and named there
    return served and served.name


def _unreadable(layout: Layout, runs: list[SealedRun]) -> list[str]:
    return sorted({folder.name for folder in run_folders(layout)} - {run.name for run in runs})


def _loans(run: SealedRun) -> int | None:
    facts = run.manifest.files.get("loan.parquet")
    return facts and facts.rows


def _runs_table(layout: Layout, runs: list[SealedRun], attempts: list[AttemptRecord]) -> Table:
    states = _states(layout, runs)
    tries = Counter(attempt.run_id for attempt in attempts)
    kpis = kpis_by_name()
    table = bare_table()
    for name in ("as of", "run", "portfolio", "state", "sealed (UTC)"):
        table.add_column(name, no_wrap=True)
    for name in ("loans", "PAR 90", "attempts"):
        table.add_column(name, justify="right")
    for run in runs[: -_SHOWN_RUNS - 1 : -1]:
        par_90 = values_by_name(run).get("par_90")
        shown = "" if par_90 is None else kpis["par_90"].format(par_90.value)
        table.add_row(
            run.manifest.identity.as_of.isoformat(),
            run.name,
            run.manifest.identity.portfolio,
            Text(states[run.name], "green" if states[run.name] == "served" else "dim"),
            f"{run.manifest.created_at:%Y-%m-%d %H:%M}",
            f"{_loans(run) or 0:,}",
            Text(shown) if par_90 is None else Text(shown, status_text(par_90.status).style),
            f"{tries[run.manifest.run_id]:,}",
        )
    return table


def _print_attempt(console: Console, attempt: AttemptRecord) -> None:
    told = f"{attempt.started_at[:16]}Z  {attempt.status:<10}{attempt.outcome or ''}"
    console.print(f"{told}  {attempt.log_folder}", markup=False, soft_wrap=True)


def _print_failure(console: Console, attempt: AttemptRecord) -> None:
    line = Text(f"{attempt.started_at[:16]}Z  ", "dim") + Text(f"{attempt.status}  ", "yellow")
    if attempt.error is not None:
        line.append(attempt.error.line())
    console.print(line, soft_wrap=True)


def _phases(layout: Layout, attempt: AttemptRecord) -> Mapping[str, JsonValue]:
    """Return what the summary says of the phases; nothing when people removed or changed it."""
    try:
        text = (layout.log_runs / attempt.log_folder / SUMMARY).read_bytes()
        return cast("Mapping[str, JsonValue]", json.loads(text)["phases"])
    except (OSError, ValueError, LookupError, TypeError):
        return {}


def _attempt_facts(
    layout: Layout, attempt: AttemptRecord, phases: Mapping[str, JsonValue]
) -> dict[str, str]:
    told = [
        f"{name} {phase['status']} {phase.get('duration_seconds', 0)} s"
        for name, phase in cast("Mapping[str, Mapping[str, object]]", phases).items()
    ]
    facts = {
        "attempt": attempt.attempt_id,
        "status": attempt.status,
        "outcome": attempt.outcome or "",
        "error": "" if attempt.error is None else attempt.error.line(),
        "started": attempt.started_at,
        "ended": attempt.ended_at or "",
        "run": attempt.run_folder or "",
        "trace": attempt.trace_id or "",
        "phases": ", ".join(told),
        "log folder": str(layout.log_runs / attempt.log_folder),
    }
    return {label: said for label, said in facts.items() if said}


def _run_facts(run: SealedRun, state: str) -> dict[str, str]:
    manifest = run.manifest
    rows = {name: facts.rows for name, facts in manifest.files.items() if facts.rows is not None}
    return {
        "run": f"{run.name}, {state}",
        "run id": manifest.run_id,
        "portfolio": f"{manifest.identity.portfolio} ({manifest.identity.environment})",
        "sealed": f"{manifest.created_at:%Y-%m-%d %H:%M:%S} UTC by Tapewatch {manifest.code}",
        "input": "\n".join(f"{kept.name} {kept.sha256}" for kept in manifest.inputs),
        "previous": manifest.previous_run or "none",
        "rows": ", ".join(f"{name.split('.')[0]} {count:,}" for name, count in rows.items()),
        "folder": str(run.folder),
    }


def _attempt_document(attempt: AttemptRecord) -> dict[str, JsonValue]:
    return asdict(attempt)


def _list_document(
    layout: Layout, runs: list[SealedRun], attempts: list[AttemptRecord]
) -> JsonObject:
    states = _states(layout, runs)
    tries = Counter(attempt.run_id for attempt in attempts)
    listed: list[JsonValue] = []
    for run in reversed(runs):
        par_90 = values_by_name(run).get("par_90")
        listed.append(
            {
                "run": run.name,
                "run_id": run.manifest.run_id,
                "as_of": run.manifest.identity.as_of.isoformat(),
                "portfolio": run.manifest.identity.portfolio,
                "state": states[run.name],
                "sealed_at": run.manifest.created_at.isoformat(timespec="seconds"),
                "loans": _loans(run),
                "par_90": None if par_90 is None or par_90.value is None else f"{par_90.value:f}",
                "attempts": tries[run.manifest.run_id],
            }
        )
    return {
        "runs": listed,
        "unreadable": [*_unreadable(layout, runs)],
        "attempts": [_attempt_document(attempt) for attempt in reversed(attempts)],
    }
