"""`tapewatch compliance`: the report of a month, as a page and as JSON."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from deployments.documents import print_json
from deployments.render import open_console, print_facts, short_path
from deployments.snapshot import list_snapshots
from settings.model import Settings
from settings.who import user_name
from warehouse.compliance.access import NOT_TOLD, Access
from warehouse.compliance.facts import collect_compliance
from warehouse.compliance.month import Month, month_named
from warehouse.compliance.page import attempts_line, verdict
from warehouse.compliance.write import compliance_document, write_compliance
from warehouse.layout import Layout


def report_month(settings: Settings, name: str | None, *, is_json: bool) -> None:
    """Write the report of the month, the last one without a name, and say where it lies.

    Raises:
        MonthError: No month is written like that, or it has not begun.
        StorageError: A file cannot be read, or the disk refused.
    """
    layout, now = Layout.of(settings), datetime.now(UTC)
    month = month_named(name, settings.portfolio.time_zone, now)
    facts = collect_compliance(layout, settings, month, now, user_name())
    access = sorted([*facts.access, *_deployments(settings, month)], key=lambda one: one.at)
    facts = replace(facts, access=tuple(access))
    page, document = write_compliance(facts, layout)
    if is_json:
        print_json({"page": str(page), "json": str(document), **compliance_document(facts)})
        return
    console = open_console()
    console.print(f"{facts.portfolio} in {month.name}", style="bold", markup=False)
    print_facts(
        console,
        {
            "verdict": verdict(facts),
            "runs": attempts_line(facts),
            "json": short_path(document),
            "report": short_path(page),
        },
    )


def _deployments(settings: Settings, month: Month) -> Iterator[Access]:
    """Yield what was deployed: each snapshot is of another code, lock, settings or served run."""
    for taken in list_snapshots(settings):
        if month.holds(taken.taken_at):
            about = f"{taken.code}, lock {taken.lock_shown}, settings {taken.settings_shown}"
            by, kept = taken.by or NOT_TOLD, f"kept as {taken.name}"
            yield Access(taken.taken_at, by, "deployed", about, kept)
