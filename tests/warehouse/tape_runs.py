"""Run small tapes through the whole of `run_daily` and look at what is left on the disk."""

import csv
import io
import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from settings.errors import TapewatchError
from tests.warehouse.tape_builder import Tape, day, write_tables
from tests.warehouse.valued_tape import settings_for
from warehouse.attempt_state import AttemptRecord, list_attempts
from warehouse.job import AcceptedAnomaly, RunOutcome, RunRequest
from warehouse.layout import Layout
from warehouse.run import Start, run_daily
from warehouse.run_folder import list_runs, read_current

YESTERDAY, TODAY = date(2025, 12, 26), date(2025, 12, 27)
NOW = datetime(2025, 12, 28, 9, 0, tzinfo=UTC)  # 03:00 of the 28th in El Salvador
LOANS = 120
CANARIES = ("KEEP-", "CLI9", "Cuscatl")  # in every row of loans.csv: no message, no log may tell


def good_tape() -> Tape:
    """Return 120 loans of 100 for 30 days, of which every fourth is not paid, and a new one.

    Its last ledger day is YESTERDAY, its live balance 31 x 100.
    """
    tape = Tape()
    for number in range(LOANS):
        disbursed = date(2025, 9, 1) + timedelta(days=number % 80)
        due = disbursed + timedelta(days=30)
        tape.loan(
            f"KEEP-{number:04}",
            customer=f"CLI9{number:04}",
            disbursed=disbursed,
            principal=100,
            due=[(due, 100, 5)],
            payments=[(due, 100, 5)] if number % 4 else [],
        )
    return tape.loan(
        "KEEP-new", customer="CLI9", disbursed=YESTERDAY, principal=100, due="2026-01-25"
    )


class Desk:
    """One data folder, the runs on it, and what they leave behind."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.settings = settings_for(root)
        self.layout = Layout.of(self.settings)

    def run(
        self,
        *inputs: Path,
        as_of: date | str | None = TODAY,
        backfill: bool = False,
        accept: tuple[str, str] | None = None,
    ) -> RunOutcome:
        """Run a tape with the plain runner: no Prefect, no retries."""
        request = RunRequest(
            inputs, as_of and day(as_of), backfill, accept and AcceptedAnomaly(*accept)
        )
        attempt_id = f"a{len(list_attempts(self.layout)) if self.root.exists() else 0}"
        return run_daily(request, self.settings, Start(attempt_id, NOW, "test"), run_phase)

    def refuse(self, *inputs: Path, code: str, exit_code: int = 65, secrets=(), **asked) -> str:
        """Run a tape that must be refused, check all that must hold then; return the line."""
        before = self.published()
        with pytest.raises(TapewatchError) as caught:
            self.run(*inputs, **asked)

        error, record = caught.value, self.last_attempt()
        assert (error.code, error.exit_code) == (code, exit_code), error.line()
        assert self.published() == before
        assert list(self.layout.staging.iterdir()) == []
        assert record.error is not None
        assert (record.status, record.error.code) == ("failed", code)
        assert error.fix
        assert error.line().startswith(f"TAPEWATCH-{code}: ")
        assert "\n" not in error.line()
        told = error.line() + self.told()
        assert [secret for secret in (*CANARIES, *secrets) if secret in told] == []
        return error.line()

    def published(self) -> Mapping[str, bytes]:
        """Return every byte that is published: the run folders and `current`."""
        files = [path for path in self.layout.runs.rglob("*") if path.is_file()]
        files += [self.layout.current] if self.layout.current.exists() else []
        return {str(path.relative_to(self.layout.data)): path.read_bytes() for path in files}

    def told(self) -> str:
        """Return all that the last attempt wrote for people to read."""
        record = self.last_attempt()
        files = [self.layout.attempts / f"{record.attempt_id}.json"]
        files += [path for path in self.layout.latest.iterdir() if path.is_file()]
        return "".join(path.read_text(encoding="utf-8") for path in files)

    def report(self) -> dict:
        """Return the last attempt's validation report."""
        return json.loads((self.layout.latest / "validation_report.json").read_bytes())

    def last_attempt(self) -> AttemptRecord:
        """Return the record of the newest attempt."""
        return max(list_attempts(self.layout), key=lambda record: int(record.attempt_id[1:]))

    def served(self) -> str | None:
        """Return the name of the run that is served."""
        run = read_current(self.layout)
        return run and run.name

    def runs(self) -> list[str]:
        """Return the names of the sealed runs, oldest first."""
        return [run.name for run in list_runs(self.layout)]


def run_phase(_name, step):
    return step()


def break_text(folder: Path, table: str, change: Callable[[str], str]) -> Path:
    """Rewrite one CSV of an export as text; return the folder."""
    path = folder / f"{table}.csv"
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8", newline="")
    return folder


def set_cell(folder: Path, table: str, row: int, column: str, cell: str) -> Path:
    """Rewrite one cell of one CSV; rows count from 1 below the header. Return the folder."""

    def change(text: str) -> str:
        header, *rows = csv.reader(io.StringIO(text))
        rows[row - 1][header.index(column)] = cell
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows([header, *rows])
        return out.getvalue()

    return break_text(folder, table, change)


def row_of(folder: Path, table: str, loan_id: str) -> int:
    """Return the row of a loan's first line in a CSV, counted from 1 below the header."""
    lines = (folder / f"{table}.csv").read_text(encoding="utf-8").splitlines()
    return next(n for n, line in enumerate(lines) if line.startswith(f"{loan_id},"))


def write_good(folder: Path) -> Path:
    """Write the good tape as four CSVs; return the folder."""
    return write_tables(GOOD_TABLES, folder)


GOOD_TABLES = good_tape().tables()
