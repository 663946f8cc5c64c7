"""Two runs without the protocol around them, of books written loan by loan or of two tapes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from pydantic import TypeAdapter

from settings.kpis import load_catalogue
from settings.model import Settings
from tests.warehouse.tape_builder import Tape
from tests.warehouse.valued_tape import value_csvs
from warehouse.book import book_parameters
from warehouse.change import KpiChange, changes_between
from warehouse.engine import copy_to_parquet, open_engine
from warehouse.identity import RunIdentity
from warehouse.kinds import LEDGER, LOAN_LIST, TapeFacts
from warehouse.kpis import KpiValue, compute_kpis, prepare_kpis
from warehouse.manifest import Manifest
from warehouse.run_folder import SealedRun

BEFORE, NOW = date(2025, 12, 26), date(2025, 12, 27)
TOLD_IN_PARTS = tuple(kpi for kpi in load_catalogue() if kpi.has_parts)
EVERYTHING = TapeFacts(LOAN_LIST, LOAN_LIST.offered(("disburse_date", "disbursed_principal")))


@dataclass(frozen=True)
class Row:
    """One loan of a book."""

    loan_id: str
    live: float = 0
    late: int = 0
    lost: float | None = None  # written off, also with nothing owed
    disbursed: date = date(2025, 1, 2)
    principal: float = 1000


def moved(
    before: Iterable[Row],
    now: Iterable[Row],
    root: Path,
    settings: Settings,
    days: tuple[date, date] = (BEFORE, NOW),
) -> Mapping[str, KpiChange]:
    """Return the changes between the two books, with all of their loans, by KPI."""
    runs = [
        _sealed(rows, day, root / name, settings)
        for name, rows, day in zip(("before", "now"), (before, now), days, strict=True)
    ]
    changes = changes_between(runs[1], runs[0], settings, root / "spill", 1000)
    return {change.kpi: change for change in changes}


def _sealed(rows: Iterable[Row], as_of: date, folder: Path, settings: Settings) -> SealedRun:
    folder.mkdir(parents=True)
    with open_engine(settings.engine, folder / "spill", (folder,)) as db:
        _write_book(db, rows, folder)
        prepare_kpis(db, settings.health)
        kpis = compute_kpis(db, TOLD_IN_PARTS, book_parameters(settings, as_of), EVERYTHING)
    return sealed_run(folder, as_of, kpis, EVERYTHING, settings)


def _write_book(db, rows: Iterable[Row], folder: Path) -> None:
    db.execute(
        "create table book (loan_key ubigint, loan_id varchar, disburse_date date, "
        "disbursed_principal decimal(18, 2), days_past_due integer, is_written_off boolean, "
        "live_principal decimal(18, 2), written_off_principal decimal(18, 2))"
    )
    for row in rows:  # the key is of another engine's hash: two runs are not joined by it
        told = [row.loan_id, row.disbursed, row.principal, row.late, row.lost is not None]
        db.execute(
            "insert into book values (hash(? || 'x'), ?, ?, ?, ?, ?, ?, ?)",
            [row.loan_id, *told, row.live, row.lost or 0],
        )
    copy_to_parquet(db, "from book", folder / "book.parquet", {})


def told_run(tape: Tape, as_of: date, root: Path, settings: Settings) -> SealedRun:
    """Return the run of a tape that no gate has judged."""
    folder = tape.write(root)
    [valued] = value_csvs(folder, (as_of,), settings)
    return sealed_run(folder / "run", as_of, tuple(valued.kpis.values()), LEDGER, settings)


def sealed_run(
    folder: Path, as_of: date, kpis: tuple[KpiValue, ...], tape: TapeFacts, settings: Settings
) -> SealedRun:
    """Return a folder of tables as a run that has these KPIs."""
    identity = RunIdentity(
        environment=settings.environment,
        portfolio=settings.portfolio.name,
        as_of=as_of,
        input_sha256s=("0" * 64,),
        contract_version="1",
        sql_sha256="0" * 64,
        settings=settings.value_settings(),
        pii_key_id="key",
    )
    values = TypeAdapter(tuple[KpiValue, ...]).dump_python(kpis, mode="json")
    manifest = Manifest(
        identity=identity,
        inputs=(),
        ingestion={**tape.to_json()},
        kpis={"values": values, "health": []},
        quality={},
        previous_run=None,
        prev_manifest_sha256=None,
        supersedes=(),
        code="test",
        created_at=datetime(2025, 12, 28, tzinfo=UTC),
    )
    return SealedRun(folder, manifest)
