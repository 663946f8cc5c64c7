"""Take a small tape through the code of every phase, without the protocol around it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

from settings.kpis import load_catalogue
from settings.load import load_settings
from settings.model import Settings
from warehouse.book import book_parameters, build_book
from warehouse.canonical import Dates, read_tape
from warehouse.container import open_container
from warehouse.engine import bound, one_row, open_engine, read_sql
from warehouse.gate import sort_out
from warehouse.ingestion import archive_limits
from warehouse.kinds import FOUR_TABLES
from warehouse.kpis import HealthComponent, KpiValue, compute_kpis, health_components, prepare_kpis
from warehouse.past_days import past_days
from warehouse.quality import CheckResult, Reconciliation, reconcile
from warehouse.recognize import recognize
from warehouse.source import lay_out
from warehouse.tape import TAPE_TABLES

KEY = "a key for the tests alone, no secret"


@dataclass(frozen=True)
class BookRow:
    """One loan of the book, in the words of the oracle."""

    residual: Decimal
    is_closed: bool
    days_past_due: int
    is_written_off: bool
    live: Decimal
    written_off: Decimal


@dataclass(frozen=True)
class Valued:
    """What the code makes of a tape on one day."""

    book: Mapping[str, BookRow]
    kpis: Mapping[str, KpiValue]
    health: Mapping[str, HealthComponent]
    snapshots: Mapping[tuple[str, date], date]  # (loan, reporting date) -> the day it is of
    reconciliation: Reconciliation
    history_until: date | None  # the last day on which the history of any loan changes


def settings_for(root: Path, **variables: str) -> Settings:
    """Return development's settings with every output under `root`."""
    return load_settings(
        {
            "PIPELINE_ENV": "development",
            "TAPEWATCH_DATA_DIR": str(root),
            "TAPEWATCH_PII_KEY": KEY,
            **variables,
        }
    )


def value_csvs(csvs: Path, days: tuple[date, ...], settings: Settings) -> list[Valued]:
    """Read the four CSVs of a folder and value them at the end of each of `days`."""
    with _open_tape(csvs, settings, max(days)) as (db, run):
        db.execute("create table quality_result (level varchar, is_passed boolean)")
        return [_value(db, book_parameters(settings, as_of), run, settings) for as_of in days]


def value_past(
    csvs: Path, as_of: date, days: tuple[date, ...], settings: Settings
) -> list[dict[str, KpiValue]]:
    """Read the four CSVs of a folder as of one day and backfill each of `days`."""
    with _open_tape(csvs, settings, as_of) as (db, run):
        build_book(db, run, book_parameters(settings, as_of))
        past = past_days(db, settings, days)
        return [{kpi.name: kpi for kpi in values} for _, values in past]


@contextmanager
def _open_tape(csvs: Path, settings: Settings, last: date):
    read, run = csvs / "read", csvs / "run"
    for made in (read, run):
        made.mkdir(exist_ok=True)
    container = open_container(
        [csvs / table.file_name for table in TAPE_TABLES], read, archive_limits(settings)
    )
    files = lay_out(container, recognize(container.candidates, csvs.name), {})
    with open_engine(settings.engine, csvs / "spill", (csvs,)) as db:
        read_tape(db, FOUR_TABLES, files, read, settings, Dates(None, last))
        sort_out(db, read, run, settings.quality)
        yield db, run


def _value(db, parameters, run: Path, settings: Settings) -> Valued:
    build_book(db, run, parameters)
    prepare_kpis(db, settings.health)
    values = compute_kpis(db, load_catalogue(), parameters)
    return Valued(
        book=dict(_book(db)),
        kpis={value.name: value for value in values},
        health={part.kpi: part for part in health_components(db)},
        snapshots=dict(_snapshots(db)),
        reconciliation=_reconcile(db, parameters),
        history_until=one_row(db, "select max(valid_from) from book_history", {})[0],
    )


def _book(db) -> Iterator[tuple[str, BookRow]]:
    rows = db.execute(
        "select loan_id, residual_principal, is_closed, days_past_due, is_written_off, "
        "live_principal, written_off_principal from book"
    ).fetchall()
    return ((loan_id, BookRow(*row)) for loan_id, *row in rows)


def _snapshots(db) -> Iterator[tuple[tuple[str, date], date]]:
    sql = "select loan_id, reporting_date, as_of_date from balance_snapshot"
    return (((loan_id, label), as_of) for loan_id, label, as_of in db.execute(sql).fetchall())


def _reconcile(db, parameters) -> Reconciliation:
    name = "ledger_differs_from_snapshot"
    sql = read_sql("quality/blocking", name)
    (bad_rows,) = one_row(db, f"select count(*) from ({sql})", bound(sql, parameters))  # noqa: S608
    return reconcile(db, (CheckResult(name, "blocking", bad_rows, ()),), parameters)
