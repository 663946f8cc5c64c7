"""`tapewatch maintain`: the steps that a maintenance flow does, here and now."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

from pydantic import JsonValue
from rich.console import Console
from rich.table import Table
from rich.text import Text

from deployments.bare_table import bare_table
from deployments.documents import print_json
from deployments.render import open_console, print_facts, short_path
from settings.model import Settings
from tasks.maintenance_run import MaintenanceFailedError, Outcome, StepDone, maintain
from tasks.maintenance_steps import Kind, Step, steps_of
from warehouse.layout import Layout

_COLOURS: Mapping[Outcome, str] = {
    "ok": "green",
    "failed": "bold red",
    "not run": "yellow",
    "by hand": "yellow",
}


def list_steps(kind: Kind, settings: Settings, *, is_json: bool) -> None:
    """Show what would be done; nothing is."""
    steps = steps_of(kind, settings, datetime.now(UTC))
    if is_json:
        print_json(
            {
                "kind": kind,
                "is_applied": False,
                "steps": [
                    {"step": s.name, "told": s.told, "command": s.typed, "not_run": s.not_run}
                    for s in steps
                ],
            }
        )
        return
    console = open_console()
    table = _table(f"{kind} maintenance", "what it is about")
    for step in steps:
        told = step.told if step.not_run is None else f"not run here: {step.not_run}"
        table.add_row(Text(step.typed or f"by hand: {step.name}"), Text(told))
    console.print(table)
    console.print()
    print_facts(console, {"try next": f"tapewatch maintain {kind} --apply"})


def do_maintenance(kind: Kind, settings: Settings, *, is_json: bool) -> None:
    """Do every step and show how each went.

    Raises:
        LockHeldError: Another maintenance was at work for longer than this one may wait.
        MaintenanceFailedError: A step failed; the others were done.
        StorageError: The disk refused.
    """
    now = datetime.now(UTC)
    console = open_console(stderr=True)
    done: list[StepDone] = []

    def run(step: Step, work: Callable[[], StepDone]) -> StepDone:
        if step.command and not console.is_terminal:
            console.print(f"{step.name} …", markup=False)
        with console.status(f"{step.name}: {step.told} …"):
            done.append(work())
        return done[-1]

    failure: MaintenanceFailedError | None = None
    with console.status("waiting for another maintenance …") as waiting:

        def run_first(step: Step, work: Callable[[], StepDone]) -> StepDone:
            waiting.stop()
            return run(step, work)

        try:
            maintain(kind, settings, now, run_first, {})
        except MaintenanceFailedError as error:
            failure = error
    if is_json:
        steps: list[JsonValue] = [
            {"step": d.step.name, "outcome": d.outcome, "said": d.said, "seconds": d.seconds}
            for d in done
        ]
        print_json({"kind": kind, "is_applied": True, "steps": steps})
    else:
        _show(open_console(), kind, done, settings)
    if failure is not None:
        raise failure


def _show(console: Console, kind: Kind, done: Iterable[StepDone], settings: Settings) -> None:
    table = _table(f"{kind} maintenance", "outcome", "seconds", "said")
    for one in done:
        outcome = Text(one.outcome, _COLOURS[one.outcome])
        seconds = f"{one.seconds:,.1f}" if one.log else ""
        table.add_row(Text(one.step.name), outcome, seconds, Text(one.said))
    console.print(table)
    console.print()
    print_facts(console, {"logs": short_path(Layout.of(settings).maintenance_logs)})


def _table(*headings: str) -> Table:
    table = bare_table()
    for heading in headings:
        table.add_column(heading, justify="right" if heading == "seconds" else "left")
    return table
