"""`tapewatch retention`: what is kept no longer, and with --apply what was done about it."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from pydantic import JsonValue
from rich.console import Console
from rich.table import Table

from blocks.clients.receivers import receiver_names
from deployments.bare_table import bare_table
from deployments.documents import print_json
from deployments.render import open_console, print_facts, short_path
from settings.model import Settings
from settings.who import user_name
from warehouse.layout import Layout
from warehouse.retention.apply import Order, Retained, Told, retain
from warehouse.retention.log import LOG, Kind
from warehouse.retention.plan import Candidate, Plan, Spared, plan_retention

_SHOWN = 20  # of each list on the screen
_TITLES: Mapping[Kind, str] = {
    "log": "log folders",
    "raw": "raw bytes, to the archive",
    "rejected": "raw bytes of no run",
    "export": "dropped exports",
    "run": "runs",
}


def retain_or_show(
    settings: Settings, *, is_applied: bool, wait_minutes: int, is_json: bool
) -> None:
    """Show the plan, or do it and show what was done.

    Raises:
        LockHeldError: A run is at work, also after the wait.
        RawDamagedError: Raw bytes are not what their hash says; all else is done.
        StorageError: The disk refused; the next retention goes on from here.
    """
    layout, now = Layout.of(settings), datetime.now(UTC)
    receivers = receiver_names(settings)
    if not is_applied:
        done = Retained(plan_retention(layout, settings, receivers, now), 0)
    else:
        order = Order(user_name(), now, wait_minutes * 60)
        with _telling() as told:
            done = retain(layout, settings, receivers, order, told)
    if is_json:
        print_json(_document(done, is_applied=is_applied))
        return
    _show(open_console(), done, layout, is_applied=is_applied)


@contextmanager
def _telling() -> Generator[Told, None, None]:
    """Yield what shows on a terminal what is at work."""
    console = open_console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status("waiting for the lock …") as status:
        yield lambda candidate: status.update(f"{candidate.action} {candidate.name}")


def _document(done: Retained, *, is_applied: bool) -> dict[str, JsonValue]:
    return {
        "is_applied": is_applied,
        "bytes": done.plan.bytes,
        "finished": done.finished,
        "candidates": [
            {
                "kind": candidate.kind,
                "name": candidate.name,
                "action": candidate.action,
                "bytes": candidate.bytes,
                "age_days": candidate.age_days,
                "why": candidate.why,
            }
            for candidate in done.plan.candidates
        ],
        "spared": [
            {"kind": one.kind, "name": one.name, "age_days": one.age_days, "why": one.why}
            for one in done.plan.spared
        ],
    }


def _show(console: Console, done: Retained, layout: Layout, *, is_applied: bool) -> None:
    if done.plan.candidates:
        console.print(_counts(done.plan, is_applied=is_applied))
        console.print()
        _print_list(console, "what", done.plan.candidates)
    if done.plan.spared:
        _print_list(console, "old, and it stays", done.plan.spared)
    facts = {"room": _size(done.plan.bytes)}
    if done.finished:
        facts["finished"] = f"{done.finished} that an earlier retention had left half done"
    if is_applied:
        facts["recorded"] = short_path(layout.data / LOG)
    elif done.plan.candidates:
        facts["try next"] = "tapewatch retention --apply"
    if not done.plan.candidates:
        console.print("nothing is old enough to go", markup=False)
    if is_applied or done.plan.candidates:
        print_facts(console, facts)


def _counts(plan: Plan, *, is_applied: bool) -> Table:
    table = bare_table()
    table.add_column("removed or archived" if is_applied else "would go", no_wrap=True)
    for heading in ("count", "size"):
        table.add_column(heading, justify="right", no_wrap=True)
    for kind, title in _TITLES.items():
        found = [candidate for candidate in plan.candidates if candidate.kind == kind]
        if found:
            size = _size(sum(candidate.bytes for candidate in found))
            table.add_row(title, f"{len(found):,}", size)
    return table


def _print_list(console: Console, title: str, found: Sequence[Candidate | Spared]) -> None:
    table = bare_table()
    table.add_column(title, overflow="ellipsis", no_wrap=True, max_width=42)
    table.add_column("days", justify="right", no_wrap=True)
    table.add_column("why")
    for one in found[:_SHOWN]:
        table.add_row(one.name, f"{one.age_days:,}", one.why)
    console.print(table)
    if len(found) > _SHOWN:
        console.print(f"and {len(found) - _SHOWN:,} more; --json tells all", markup=False)
    console.print()


def _size(size: int) -> str:
    return f"{size / 1_000_000:,.1f} MB"
