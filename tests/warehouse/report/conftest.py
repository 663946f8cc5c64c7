"""A book with three years behind it and a loan in every bucket, its report, and a browser."""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.warehouse.report.browser import open_browser
from tests.warehouse.tape_builder import Tape, month_ends
from tests.warehouse.tape_runs import NOW, TODAY, YESTERDAY, Desk
from warehouse.backfill import PastDays, backfill
from warehouse.report.facts import ReportFacts, collect_facts
from warehouse.report.page import render_page

LATE_DAYS = (6, 7, 29, 30, 59, 60, 89, 90, 180, 181)
HOSTILE = (
    "</td></svg></style><script>document.title='stolen'</script><img src=x onerror=alert(1)>\"'&"
)


def old_tape() -> Tape:
    """Return a loan of 1,000 that is not due yet and one of 10 x days for each of LATE_DAYS.

    Before them a loan of 100 each month for 36 months, paid to the day, and six of 200 that were
    paid 106 days late: rdr_90 is known for the last months, and unknown before.
    """
    tape = Tape().loan("ON-TIME", disbursed="2025-12-01", principal=1_000, due="2026-02-01")
    for days in LATE_DAYS:
        due = TODAY - timedelta(days=days)
        tape.loan(f"LATE-{days}", disbursed=due - timedelta(days=30), principal=10 * days, due=due)
    for end in month_ends(date(2022, 11, 1), date(2025, 10, 31)):
        due = end + timedelta(days=10)
        tape.loan(f"OLD-{end}", disbursed=end, principal=100, due=due, payments=[(due, 100)])
    for number in range(6):
        paid = [("2025-02-15", 200)]
        tape.loan(
            f"CURED-{number}",
            disbursed="2024-10-01",
            principal=200,
            due="2024-11-01",
            payments=paid,
        )
    return tape


@dataclass(frozen=True)
class Told:
    """A data folder with two runs, the report of the second, and its facts."""

    desk: Desk
    facts: ReportFacts
    page: bytes
    path: Path

    @property
    def text(self) -> str:
        """The page as text."""
        return self.page.decode()


@pytest.fixture(scope="session")
def told(tmp_path_factory):
    """The report of TODAY, with YESTERDAY before it and three years backfilled."""
    root = tmp_path_factory.mktemp("told")
    desk = Desk(root / "root")
    tape = old_tape().write(root / "tape")
    desk.run(tape, as_of=YESTERDAY)
    run = desk.run(tape, as_of=TODAY).sealed
    backfill(desk.layout, run, desk.settings, PastDays(), NOW, lambda _done, _of: None)
    facts = collect_facts(run, desk.layout, desk.settings, root / "spill")
    page = render_page(facts)
    path = root / "report.html"
    path.write_bytes(page)
    return Told(desk, facts, page, path)


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """One Chromium for all tests of this folder."""
    with open_browser(tmp_path_factory.mktemp("chromium")) as page:
        yield page
