"""Restore an export into a throw-away PostgreSQL and prove that it is what was exported."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa  # pyright: ignore[reportMissingTypeStubs]
from psycopg import sql
from pyarrow import parquet  # pyright: ignore[reportMissingTypeStubs]

from blocks.clients.audit_export import chain_head, count_rows
from blocks.clients.audit_manifest import (
    TABLES,
    ExportManifest,
    TableFacts,
    damaged,
    file_of,
    load_export,
)
from blocks.clients.audit_postgres import PostgresStore, chain_problems, problem_line
from blocks.clients.audit_store import SCHEMA
from blocks.clients.throw_away_postgres import throw_away_server
from blocks.clients.throw_away_store import loopback_settings, loopback_url, migrate_bare_server
from settings.errors import DataRejectedError
from warehouse.durable import sha256_file

_SECONDS = 3_600.0
_ROWS = 20_000  # read and copied at once: what memory holds


class DrillFailedError(DataRejectedError):
    """An export whose files are whole does not give the store that was exported."""

    code = "AUDIT_DRILL_FAILED"


@dataclass(frozen=True)
class DrillResult:
    """What was restored and proven, on which server, and how long it took."""

    folder: Path
    manifest: ExportManifest
    server_version: str
    seconds: float


def restore_drill(folder: Path, tell: Callable[[str], object] = lambda _: None) -> DrillResult:
    """Restore an export aside and hold every row, the whole chain and its head to the manifest.

    Args:
        folder: The export; it is only read.
        tell: Called with what is at work, as it goes on.

    Raises:
        ExportDamagedError: A file is not what was written.
        DrillFailedError: The files do not give what was exported.
        ThrowAwayServerError: No server can be started here.
        StorageError: A file cannot be read.
    """
    started = time.monotonic()
    tell("verifying the files …")
    manifest = load_export(folder)
    for table in TABLES:
        _verify_file(folder / file_of(table), manifest.tables[table])
    tell("starting a throw-away PostgreSQL …")
    with throw_away_server() as url:
        store = PostgresStore(loopback_settings(loopback_url(url)))
        migrate_bare_server(store)
        with store.connect(_SECONDS) as connection:
            for table in TABLES:
                tell(f"restoring {table}: {manifest.tables[table].rows:,} rows …")
                _restore(connection, folder / file_of(table), table)
            tell("verifying the chain …")
            _verify_restored(connection, folder, manifest)
            version = connection.info.parameter_status("server_version") or ""
    return DrillResult(folder, manifest, version, time.monotonic() - started)


def _verify_file(path: Path, facts: TableFacts) -> None:
    if not path.is_file():
        raise damaged(path, "is missing")
    if (size := path.stat().st_size) != facts.bytes:
        raise damaged(path, f"has {size:,} bytes, {facts.bytes:,} were written")
    if sha256_file(path) != facts.sha256:
        raise damaged(path, "is not what was written: its sha256 is another")


def _restore(connection: psycopg.Connection, path: Path, table: str) -> None:
    """Copy one table in as a live store takes rows: its constraints have their say too."""
    try:
        file: Any = parquet.ParquetFile(path)
        names: list[str] = file.schema_arrow.names
        query = sql.SQL("copy {} ({}) from stdin").format(
            sql.Identifier(SCHEMA, table), sql.SQL(", ").join(map(sql.Identifier, names))
        )
        with connection.cursor() as cursor, cursor.copy(query) as copy:
            for row in _rows(file):
                copy.write_row(row)
    except psycopg.Error as error:
        if connection.broken:
            raise
        said = [error.diag.message_primary or str(error), error.diag.message_detail or ""]
        raise _failed(path, f"is not taken by the store: {' '.join(said)}") from None
    except (pa.ArrowException, OSError) as error:  # pyright: ignore
        raise _failed(path, f"cannot be read as Parquet: {error}") from None


def _rows(file: Any) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 - pyarrow is untyped
    for batch in file.iter_batches(_ROWS):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _verify_restored(
    connection: psycopg.Connection, folder: Path, manifest: ExportManifest
) -> None:
    for table in TABLES:
        rows, written = count_rows(connection, table), manifest.tables[table].rows
        if rows != written:
            told = f"gives {rows:,} rows, {written:,} were exported"
            raise _failed(folder / file_of(table), told)
    if problems := [problem_line(p) for p in chain_problems(connection, "the restored store")]:
        told = f"does not hold once restored: {problems[0]} ({len(problems)} problems)"
        raise _failed(folder, f"has a chain that {told}", problems)
    if (head := chain_head(connection)) != manifest.chain_head:
        raise _failed(folder, f"ends with {head}, exported was {manifest.chain_head}")


def _failed(path: Path, what: str, problems: list[str] | None = None) -> DrillFailedError:
    return DrillFailedError(
        f"{path} {what}",
        fix="take an older export, and export the store again while it is there",
        evidence={"problems": problems or []},
    )
