"""`tapewatch compliance`: the report of a month, as a page and as JSON."""

from datetime import UTC, datetime

from deployments.documents import print_json
from deployments.render import open_console, print_facts, short_path
from settings.model import Settings
from settings.who import user_name
from warehouse.compliance.facts import collect_compliance, month_named
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
