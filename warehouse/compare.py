"""Compare what two run folders say: every figure to the last digit, every table row by row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from settings.model import Settings
from warehouse.engine import literal, one_row, open_engine
from warehouse.manifest import FileFacts
from warehouse.run_folder import SealedRun
from warehouse.sealed_kpis import read_health, read_kpis

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# Of the attempt, not of the tape: when it came, by which way, in what wrapping.
_OF_ATTEMPT = frozenset({"attempt_id", "origin", "source_kind", "received_at"})
_NOTHING = "nothing"


@dataclass(frozen=True)
class Difference:
    """One thing that comes out otherwise: what, as it was sealed, and as it comes out now."""

    what: str
    sealed: str
    again: str


@dataclass(frozen=True)
class Reproduced:
    """A sealed run beside what its raw bytes give now: nothing where they are refused.

    The tables that agree do so by their bytes, or by their rows in other bytes.
    """

    run: SealedRun
    again: SealedRun | None
    same_bytes: tuple[str, ...]
    same_rows: tuple[str, ...]
    differences: tuple[Difference, ...]


def compare(run: SealedRun, again: SealedRun, settings: Settings, spill: Path) -> Reproduced:
    """Return how `again` agrees with the sealed `run` and how not.

    Raises:
        StorageError: The engine could not read a run, or it did not fit into `spill`.
    """
    said, told = _figures(run), _figures(again)
    found = [
        Difference(name, said.get(name, _NOTHING), told.get(name, _NOTHING))
        for name in {**said, **told}
        if said.get(name) != told.get(name)
    ]
    same: dict[bool, list[str]] = {True: [], False: []}
    sealed, now = run.manifest.files, again.manifest.files
    with open_engine(settings.engine, spill, (run.folder, again.folder)) as db:
        for name in sorted(row_files(run) | row_files(again)):
            is_same = name in sealed and name in now and sealed[name].sha256 == now[name].sha256
            difference = None if is_same else _table_difference(db, name, run, again)
            if difference is None:
                same[is_same].append(name)
            else:
                found.append(difference)
    return Reproduced(run, again, tuple(same[True]), tuple(same[False]), tuple(found))


def row_files(run: SealedRun) -> set[str]:
    """Return the names of the files that hold rows: what else a run keeps tells of its attempt."""
    return {name for name, facts in run.manifest.files.items() if facts.rows is not None}


def _figures(run: SealedRun) -> dict[str, str]:
    """Return all that a run says of its tape, by name and to the last digit."""
    manifest = run.manifest
    quality = dict(manifest.quality)
    checks = cast("Mapping[str, int]", quality.pop("checks"))
    figures: dict[str, object] = {
        "run id": manifest.run_id,
        **{f"{k.name} {field}": v for k in read_kpis(run) for field, v in vars(k).items()},
        **{f"health {p.kpi} {field}": v for p in read_health(run) for field, v in vars(p).items()},
        "reconciliation": quality.pop("reconciliation"),
        **{f"bad rows of {name}": count for name, count in checks.items()},
        **quality,
        **{name: v for name, v in manifest.ingestion.items() if name not in _OF_ATTEMPT},
    }
    return {name: "unknown" if value is None else str(value) for name, value in figures.items()}


def _table_difference(
    db: DuckDBPyConnection, name: str, run: SealedRun, again: SealedRun
) -> Difference | None:
    """Return how two tables differ in columns or rows, None when they hold the same rows."""
    sealed, now = run.manifest.files.get(name), again.manifest.files.get(name)
    if sealed is None or now is None:
        return Difference(name, _rows(sealed), _rows(now))
    first, second = (f"from read_parquet({literal(str(r.folder / name))})" for r in (run, again))
    columns = [db.execute(f"describe {rows}").fetchall() for rows in (first, second)]
    if columns[0] != columns[1]:
        return Difference(name, *(", ".join(f"{c[0]} {c[1]}" for c in told) for told in columns))
    lost, new = (
        one_row(db, f"select count(*) from ({a} except all {b})", {})[0]
        for a, b in ((first, second), (second, first))
    )
    if not lost and not new:
        return None
    return Difference(name, f"{_rows(sealed)}, {lost:,} alone", f"{_rows(now)}, {new:,} alone")


def _rows(facts: FileFacts | None) -> str:
    return _NOTHING if facts is None else f"{facts.rows or 0:,} rows"
