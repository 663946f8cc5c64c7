"""Export the audit store to Parquet: every table as of one moment, its chain proven whole."""

import os
import secrets
import shutil
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pyarrow as pa  # pyright: ignore[reportMissingTypeStubs]
from psycopg import sql
from pyarrow import parquet  # pyright: ignore[reportMissingTypeStubs]

from blocks.clients.audit_manifest import (
    MANIFEST,
    TABLES,
    ChainHead,
    ExportManifest,
    TableFacts,
    file_of,
)
from blocks.clients.audit_postgres import (
    PostgresStore,
    chain_problems,
    limit,
    problem_line,
)
from blocks.clients.audit_store import SCHEMA
from settings.errors import DataRejectedError, InternalError, UsageError
from warehouse.durable import (
    create_private,
    durable_write,
    fsync_dir,
    fsync_file,
    make_folder,
    sha256_file,
)
from warehouse.storage_errors import typed_storage

_SECONDS = 3_600.0
_ROWS = 20_000  # fetched and written at once: what memory holds
_Cells = tuple[Any, ...]

# What Parquet would round or bend is kept as its text: numeric, uuid, jsonb.
_TYPES: Mapping[str, Any] = {
    "uuid": pa.string(),  # pyright: ignore
    "text": pa.string(),  # pyright: ignore
    "numeric": pa.string(),  # pyright: ignore
    "jsonb": pa.string(),  # pyright: ignore
    "date": pa.date32(),  # pyright: ignore
    "timestamptz": pa.timestamp("us", "UTC"),  # pyright: ignore
    "int8": pa.int64(),  # pyright: ignore
    "bytea": pa.binary(),  # pyright: ignore
    "bool": pa.bool_(),  # pyright: ignore
}
_AS_TEXT = ("uuid", "numeric", "jsonb")
_COLUMNS = """
select a.attname, t.typname from pg_attribute a join pg_type t on t.oid = a.atttypid
 where a.attrelid = %s::regclass and a.attnum > 0 and not a.attisdropped order by a.attnum
"""
_KEY = """
select a.attname
  from pg_index i
 cross join unnest(i.indkey) with ordinality k (number, place)
  join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number
 where i.indrelid = %s::regclass and i.indisprimary order by k.place
"""
_HEAD = (
    "select seq, encode(entry_hash, 'hex') from analytics.audit_ledger order by seq desc limit 1"
)


class ChainBrokenError(DataRejectedError):
    """The store's own chain does not hold."""

    code = "AUDIT_CHAIN_BROKEN"


class ExportExistsError(UsageError):
    """The folder of an export is there already."""

    code = "AUDIT_EXPORT_EXISTS"


def export_store(
    store: PostgresStore, folder: Path, tell: Callable[[str], object] = lambda _: None
) -> ExportManifest:
    """Export every table to the new `folder`; nothing is there unless all of it is.

    Args:
        store: Whose login may read; it is asked inside one snapshot.
        folder: Must not exist.
        tell: Called with what is at work, as it goes on.

    Raises:
        ExportExistsError: The folder is there.
        ChainBrokenError: What the store holds is not what was recorded.
        StorageError: The disk refused.
        TapewatchError: The store did not answer, or does not let the login read.
    """
    if os.path.lexists(folder):
        raise ExportExistsError(f"{folder} exists", fix="name a folder that does not exist yet")
    with _beside(folder) as part, store.connect(_SECONDS) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        limit(connection, _SECONDS)  # the login's own may be short
        connection.execute("set local timezone = 'UTC'")
        taken_at = _one(connection, "select now()")  # the first to read: the snapshot is of now
        tell("verifying the chain …")
        _refuse_broken(connection, store.address)
        facts = {table: _export_table(connection, table, part, tell) for table in TABLES}
        manifest = ExportManifest(
            taken_at=taken_at,
            server_version=_one(connection, "show server_version"),
            chain_head=chain_head(connection),
            tables=facts,
        )
        durable_write(part / MANIFEST, manifest.to_json())
    return manifest


def chain_head(connection: psycopg.Connection) -> ChainHead | None:
    """Return the newest link, None when there is none."""
    row = connection.execute(_HEAD).fetchone()
    return None if row is None else ChainHead(*row)


def count_rows(connection: psycopg.Connection, table: str) -> int:
    """Return how many rows a table of analytics has."""
    query = sql.SQL("select count(*) from {}").format(sql.Identifier(SCHEMA, table))
    row = connection.execute(query).fetchone()
    return row[0] if row else 0


@contextmanager
def _beside(folder: Path) -> Generator[Path, None, None]:
    """Yield a folder beside `folder` that gets its name at the end, or is gone."""
    make_folder(folder.parent)
    part = make_folder(folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.tmp"))
    try:
        yield part
        fsync_dir(part)
        with typed_storage(folder):
            part.rename(folder)
    except BaseException:
        with suppress(OSError):  # the first error is the one to report
            shutil.rmtree(part)
        raise
    fsync_dir(folder.parent)


def _refuse_broken(connection: psycopg.Connection, address: str) -> None:
    problems = [problem_line(problem) for problem in chain_problems(connection, address)]
    if problems:
        raise ChainBrokenError(
            f"{address} is not exported, its chain is broken: {problems[0]} "
            f"({len(problems)} problems)",
            fix="run `tapewatch audit verify`, and keep the last good export",
            evidence={"problems": problems},
        )


def _export_table(
    connection: psycopg.Connection, table: str, folder: Path, tell: Callable[[str], object]
) -> TableFacts:
    name = f"{SCHEMA}.{table}"
    columns: list[tuple[str, str]] = connection.execute(_COLUMNS, [name]).fetchall()
    schema = _schema(table, columns)
    path = folder / file_of(table)
    rows = 0
    with (
        typed_storage(path),
        os.fdopen(create_private(path), "wb") as file,
        parquet.ParquetWriter(file, schema, compression="zstd") as writer,
    ):
        for batch in _batches(connection, table, columns):
            columnar = map(pa.array, zip(*batch, strict=True), schema.types)  # pyright: ignore
            writer.write_table(pa.Table.from_arrays(list(columnar), schema=schema))  # pyright: ignore
            rows += len(batch)
            tell(f"exporting {table}: {rows:,} rows …")
    if rows != count_rows(connection, table):
        raise InternalError(f"{name} gave {rows} rows, not all", fix="export again and report this")
    fsync_file(path)
    return TableFacts(rows, sha256_file(path), path.stat().st_size)


def _schema(table: str, columns: list[tuple[str, str]]) -> Any:  # noqa: ANN401 - pyarrow is untyped
    unknown = sorted({type_ for _, type_ in columns} - _TYPES.keys())
    if unknown:
        raise InternalError(
            f"{SCHEMA}.{table} has a column of type {', '.join(unknown)}, which no export knows",
            fix="upgrade Tapewatch to the version whose migrations the store has",
        )
    return pa.schema([(name, _TYPES[type_]) for name, type_ in columns])  # pyright: ignore


def _batches(
    connection: psycopg.Connection, table: str, columns: list[tuple[str, str]]
) -> Iterator[list[_Cells]]:
    """Yield the rows in the order of the key: an unchanged table gives the same bytes again."""
    casts: Mapping[bool, LiteralString] = {True: "{}::text", False: "{}"}
    fields = [
        sql.SQL(casts[type_ in _AS_TEXT]).format(sql.Identifier(name)) for name, type_ in columns
    ]
    key = connection.execute(_KEY, [f"{SCHEMA}.{table}"]).fetchall()
    query = sql.SQL("select {} from {} order by {}").format(
        sql.SQL(", ").join(fields),
        sql.Identifier(SCHEMA, table),
        sql.SQL(", ").join(sql.Identifier(name) for (name,) in key),
    )
    with connection.cursor(name=f"export_{table}") as cursor:
        cursor.execute(query)
        while batch := cursor.fetchmany(_ROWS):
            yield batch


def _one(connection: psycopg.Connection, query: LiteralString) -> Any:  # noqa: ANN401
    row = connection.execute(query).fetchone()
    return row and row[0]
