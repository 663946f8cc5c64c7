"""Open DuckDB the one way we use it: bounded memory, sandboxed, configuration locked."""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from importlib import import_module
from pathlib import Path
from threading import Event, Thread, Timer
from typing import TYPE_CHECKING, Any

from settings.errors import BusyError, InternalError, StorageError, TapewatchError
from settings.running import EngineSettings
from warehouse.layout import SPARE_BYTES
from warehouse.storage_errors import disk_full

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, Error

SQL_ROOT = Path(__file__).parent / "sql"
# How `--profile` sees every statement: what it returns is used in place of the connection.
WATCH: ContextVar[Callable[[DuckDBPyConnection], DuckDBPyConnection] | None] = ContextVar(
    "WATCH", default=None
)
_OPEN: set[DuckDBPyConnection] = set()
_PARAMETER = re.compile(r"\$([a-z_][a-z0-9_]*)")
_COMMENT = re.compile(r"--[^\n]*")


class OutOfMemoryError(StorageError):
    """DuckDB needed more than its memory limit and its spill space."""

    code = "OUT_OF_MEMORY"


class EngineIoError(StorageError):
    """DuckDB could not read or write one of the run's files."""

    code = "ENGINE_IO"


class PhaseTimeoutError(BusyError):
    """A phase took longer than its settings allow."""

    code = "PHASE_TIMEOUT"


@contextmanager
def open_engine(
    settings: EngineSettings,
    spill: Path,
    folders: Sequence[Path],
    timeout_seconds: float | None = None,
) -> Generator[DuckDBPyConnection]:
    """Yield an in-memory DuckDB that can see `folders` and `spill` and nothing else.

    Whatever runs when `timeout_seconds` are over is interrupted, also inside one statement.

    Raises:
        OutOfMemoryError: The memory limit and the spill space were not enough.
        DiskFullError: No room was left for a file of the run.
        EngineIoError: A file of the run could not be read or written.
        PhaseTimeoutError: The time was over.
    """
    _load_duckdb()
    import duckdb  # not at the top: what Prefect keeps alive must not keep the engine alive

    spill.mkdir(parents=True, exist_ok=True, mode=0o700)
    db = duckdb.connect(":memory:", config=_config(settings, spill))
    timed_out = Event()

    def time_out() -> None:
        timed_out.set()
        _interrupt(db)

    timer = Timer(timeout_seconds or 0, time_out)
    timer.daemon = True  # a signal may be raised in `finally`: no process waits for the limit then
    try:
        db.execute("set TimeZone = 'UTC'")
        allowed = ", ".join(literal(f"{folder}/") for folder in (*folders, spill))
        db.execute(f"set allowed_directories = [{allowed}]")
        db.execute("set enable_external_access = false")
        db.execute("set lock_configuration = true")
        if timeout_seconds is not None:
            timer.start()
        _OPEN.add(db)
        watch = WATCH.get()
        yield watch(db) if watch else db
    except RuntimeError as error:
        if str(error) != "Query interrupted":
            raise
        raise KeyboardInterrupt from error  # DuckDB swallows what a signal handler raises
    except duckdb.InterruptException:
        if not timed_out.is_set():
            raise KeyboardInterrupt from None  # `interrupt_engines` was quicker than the handler
        raise _timeout(timeout_seconds) from None
    except duckdb.Error as error:
        raise _typed(error, settings, spill) from None  # its text may quote a cell of the tape
    finally:
        try:
            _OPEN.discard(db)
            timer.cancel()
        finally:
            db.close()


def _config(
    settings: EngineSettings, spill: Path
) -> dict[str, str | bool | int | float | list[str]]:
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": settings.memory_limit,
        "temp_directory": str(spill),
        "max_temp_directory_size": settings.max_temp_size,
        "preserve_insertion_order": True,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    if settings.threads is not None:
        config["threads"] = settings.threads
    return config


def _load_duckdb() -> None:
    """Import DuckDB out of the reach of signals.

    An exception while its native module starts would abort the process; handlers run in the main
    thread alone. Not `Thread.join`: one that a handler interrupts takes the thread for ended
    (Python 3.11), and the process would end under its import and abort as well.
    """
    if "duckdb" in sys.modules:
        return
    loaded = Event()

    def load() -> None:
        try:
            import_module("duckdb")
        finally:
            loaded.set()

    Thread(target=load).start()
    loaded.wait()


def interrupt_engines() -> None:
    """End the statement that each open engine is at, from another thread.

    A signal's handler waits for its thread, and DuckDB may keep that for a whole statement.
    """
    for db in tuple(_OPEN):
        _interrupt(db)


def _interrupt(db: DuckDBPyConnection) -> None:
    import duckdb

    with suppress(duckdb.ConnectionException):  # it has just been closed
        db.interrupt()


def _timeout(seconds: float | None) -> PhaseTimeoutError:
    return PhaseTimeoutError(
        f"the phase was stopped after {seconds or 0:g} seconds",
        fix="raise phases.<phase>.timeout_seconds, or see docs/performance.md for what is slow",
    )


def _typed(error: Error, settings: EngineSettings, spill: Path) -> TapewatchError:
    import duckdb

    if isinstance(error, duckdb.OutOfMemoryException):
        return OutOfMemoryError(
            f"the data did not fit in engine.memory_limit {settings.memory_limit}",
            fix="raise TAPEWATCH_ENGINE__MEMORY_LIMIT or free space for spilling",
        )
    if isinstance(error, duckdb.IOException):
        if os.strerror(errno.ENOSPC) in str(error):
            return disk_full(spill.parent, SPARE_BYTES, os.strerror(errno.ENOSPC))
        return EngineIoError(
            "the engine could not read or write a file of the run",
            fix="check free space and permissions of the data folder, then run again",
        )
    return InternalError(
        f"the engine refused a statement: {type(error).__name__}",
        fix="report this line: it is a mistake of Tapewatch",
    )


@cache
def read_sql(folder: str, name: str) -> str:
    """Return the text of `sql/<folder>/<name>.sql`."""
    return (SQL_ROOT / folder / f"{name}.sql").read_text(encoding="utf-8")


def sql_names(folder: str) -> tuple[str, ...]:
    """Return the names of the SQL files of a folder, sorted."""
    return tuple(sorted(path.stem for path in (SQL_ROOT / folder).glob("*.sql")))


def bound(sql: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return those parameters that the text uses; DuckDB refuses any other.

    Raises:
        KeyError: The text uses a parameter that was not given.
    """
    used = set(_PARAMETER.findall(_COMMENT.sub("", sql)))
    return {name: parameters[name] for name in used}


def of_each_row(sql: str, table: str) -> str:
    """Return the text that reads a column of `table` wherever `sql` binds a parameter.

    In a lateral join with `table` it then answers for every row at once.
    """
    return _PARAMETER.sub(rf"{table}.\1", sql)


def literal(text: str) -> str:
    """Return `text` as an SQL string literal (for paths, which cannot be bound in a view)."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return `name` as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def copy_to_parquet(
    db: DuckDBPyConnection, sql: str, path: Path, parameters: Mapping[str, Any]
) -> int:
    """Write the rows of a query to Parquet and return how many; the seal syncs the file."""
    statement = f"copy (\n{sql}\n) to {literal(str(path))} (format parquet, compression zstd)"
    row = db.execute(statement, bound(sql, parameters)).fetchone()
    return int(row[0]) if row else 0


def view_parquet(db: DuckDBPyConnection, name: str, path: Path) -> None:
    """Offer a Parquet file of the run under its table name."""
    db.execute(f"create or replace view {name} as from read_parquet({literal(str(path))})")


def one_row(db: DuckDBPyConnection, sql: str, parameters: Mapping[str, Any]) -> tuple[Any, ...]:
    """Run a query that must return exactly one row.

    Raises:
        ValueError: It returned none or several.
    """
    rows = db.execute(sql, bound(sql, parameters)).fetchall()
    if len(rows) != 1:
        raise ValueError(f"expected one row, got {len(rows)}")
    return rows[0]
