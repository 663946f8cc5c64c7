"""Write a synthetic loan tape: any size, the same bytes for the same seed, faults on demand."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from settings.errors import UsageError
from settings.running import EngineSettings
from warehouse.durable import create_private, durable_write, fsync_dir, fsync_file, make_folder
from warehouse.engine import bound, literal, open_engine, read_sql
from warehouse.storage_errors import typed_storage
from warehouse.synthetic_faults import (
    FAULTS,
    PLANTED_ROWS,
    Fault,
    PlantedRow,
    define_faults,
    faults_named,
    plant,
    render_answer_key,
)
from warehouse.tape import TAPE_TABLES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["FAULTS", "SYNTHETIC_AS_OF", "SyntheticTape", "write_tape"]

SYNTHETIC_AS_OF: date = date(2025, 12, 10)
"""The last ledger day of every synthetic tape."""

CHUNK_LOANS = 200_000  # made at once; inside a chunk the rows have the export's order, by date
_FIRST_DAY = date(2023, 1, 3)
_LAST_DISBURSEMENT = date(2025, 12, 9)
_STEPS = ("draw", "loan", "instalment", "course", "payment", "spell")
_LOANS_PER_CLIENT = 53
_CLIENT_SPREAD = 1.9  # of the logarithm of loans per client
_LARGEST_CLIENT = 0.0105  # of the loans: what they add up to then stays below 2 % of the volume
_SPILL = "50GB"
_PART = "part.csv"
ANSWER_KEY = "answer_key.json"


class SyntheticTapeError(UsageError):
    """A synthetic tape was asked for that cannot be made."""

    code = "SYNTHETIC_TAPE"


@dataclass(frozen=True)
class SyntheticTape:
    """A tape on disk: rows by table, and the answer key when faults were planted."""

    folder: Path
    loans: int
    as_of: date
    rows: dict[str, int]
    answer_key: Path | None


@dataclass(frozen=True)
class _Request:
    loans: int
    seed: int
    faults: tuple[Fault, ...]
    fault_rate: float


def write_tape(
    folder: Path,
    loans: int,
    *,
    seed: int = 7,
    faults: Sequence[str] = (),
    fault_rate: float = 0.001,
    memory_limit: str = "1GB",
    threads: int | None = None,
) -> SyntheticTape:
    """Write the four CSVs of a tape of `loans` loans into the new `folder`, all of them or none.

    Args:
        folder: Must be absent or empty.
        loans: How many; 17,688 take 9 MB, a million 0.6 GB.
        seed: Another seed is another book of the same shape.
        faults: Names of `FAULTS` to plant; `answer_key.json` then says where they are.
        fault_rate: Share of the loans that carry each fault, as far as they can; one at least.
        memory_limit: Of DuckDB.
        threads: Of DuckDB; one a core when None. They do not change the bytes.

    Raises:
        SyntheticTapeError: No such tape can be made, or the folder has something in it.
        UnknownFaultError: A fault is not in `FAULTS`.
        FaultNotPlantedError: The tape is too small for a fault.
        StorageError: The disk refused, or the memory limit was too low.
    """
    folder = folder.absolute()
    request = _Request(loans, seed, faults_named(faults), fault_rate)
    _check(request, folder)
    engine = EngineSettings(memory_limit=memory_limit, threads=threads, max_temp_size=_SPILL)
    unfinished = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.tmp")
    make_folder(unfinished)
    try:
        with open_engine(engine, unfinished / "spill", [unfinished]) as db:
            rows, planted = _write_tables(db, unfinished, request)
        if request.faults:
            key = render_answer_key(request.faults, planted)
            durable_write(unfinished / ANSWER_KEY, key.encode())
        _finish(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    key_path = folder / ANSWER_KEY if request.faults else None
    return SyntheticTape(folder, loans, SYNTHETIC_AS_OF, rows, key_path)


def _check(request: _Request, folder: Path) -> None:
    if request.loans < 1:
        raise SyntheticTapeError("a tape needs at least one loan", fix="ask for 1 loan or more")
    if not 0 < request.fault_rate <= 1:
        raise SyntheticTapeError(
            f"fault_rate {request.fault_rate} is no share", fix="use more than 0 and at most 1"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SyntheticTapeError(
            f"{folder} is there already", fix="name a folder that is absent or empty"
        )


def _finish(unfinished: Path, folder: Path) -> None:
    with typed_storage(folder):
        shutil.rmtree(unfinished / "spill")
        (unfinished / _PART).unlink()
        for table in TAPE_TABLES:
            fsync_file(unfinished / table.file_name)
        fsync_dir(unfinished)
        unfinished.rename(folder)
    fsync_dir(folder.parent)


def _write_tables(
    db: DuckDBPyConnection, folder: Path, request: _Request
) -> tuple[dict[str, int], list[PlantedRow]]:
    db.execute(read_sql("synthetic", "macros"))
    define_faults(db, request.faults)
    rows = {table.source: 0 for table in TAPE_TABLES}
    planted: list[PlantedRow] = []
    for first_loan in range(1, request.loans + 1, CHUNK_LOANS):
        last_loan = min(first_loan + CHUNK_LOANS - 1, request.loans)
        parameters = _parameters(request, first_loan, last_loan)
        _build(db, parameters)
        for table in TAPE_TABLES:
            before = rows[table.source]
            sql = read_sql("synthetic", table.source)
            if request.faults:
                found = plant(db, table.source, sql, parameters)
                planted += [
                    PlantedRow(fault, table.file_name, before + row, loan_id)
                    for fault, row, loan_id in found
                ]
                sql = PLANTED_ROWS
            written = _append(db, folder / table.file_name, sql, parameters)
            rows[table.source] += written
    return rows, planted


def _build(db: DuckDBPyConnection, parameters: Mapping[str, Any]) -> None:
    for step in (*_STEPS, "victim"):
        sql = read_sql("synthetic", step)
        db.execute(f"create or replace temp table {step} as {sql}", bound(sql, parameters))


def _append(db: DuckDBPyConnection, file: Path, sql: str, parameters: Mapping[str, Any]) -> int:
    part = file.with_name(_PART)
    is_new = not file.exists()
    target = literal(str(part))
    copy = f"copy (\n{sql}\n) to {target} (format csv, header {is_new})"
    row = db.execute(copy, bound(sql, parameters)).fetchone()
    if is_new:
        os.close(create_private(file))
    with typed_storage(file, part.stat().st_size), file.open("ab") as out, part.open("rb") as rows:
        shutil.copyfileobj(rows, out, 1 << 20)
    return int(row[0]) if row else 0


def _parameters(request: _Request, first_loan: int, last_loan: int) -> dict[str, Any]:
    clients = max(1, request.loans // _LOANS_PER_CLIENT)
    return {
        "loans": request.loans,
        "first_loan": first_loan,
        "last_loan": last_loan,
        "seed": request.seed,
        "as_of": SYNTHETIC_AS_OF,
        "first_day": _FIRST_DAY,
        "last_day": _LAST_DISBURSEMENT,
        "clients": clients,
        "large_client_rank": _large_client_rank(clients),
        "faults": len(request.faults),
        "per_fault": max(1, round(request.fault_rate * (last_loan - first_loan + 1))),
    }


def _large_client_rank(clients: int) -> float:
    """Return the rank above which clients share the loans alike, so that none is too large.

    A loan's client has rank N(spread, 1) while clients have N(0, 1); above the rank, a client's
    part of the loans is its part of the clients times the cap.
    """
    cap = max(_LARGEST_CLIENT * clients, 1.5)
    normal = NormalDist()
    low, high = -8.0, 8.0
    for _ in range(60):
        rank = (low + high) / 2
        if normal.cdf(_CLIENT_SPREAD - rank) < cap * normal.cdf(-rank):
            low = rank
        else:
            high = rank
    return low
