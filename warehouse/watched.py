"""A connection that tells somebody of every statement, and of which SQL file it is."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from warehouse.engine import SQL_ROOT

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

T = TypeVar("T")
INLINE = "(inline statements)"


class Watcher(Protocol):
    """Runs each step of a statement in place of the connection."""

    def measure(self, name: str, step: Callable[[], T], calls: int = 1) -> T:
        """Run one step of a statement of the file `name`; `calls` is 0 when rows are fetched."""
        ...


def watched(db: DuckDBPyConnection, watcher: Watcher) -> DuckDBPyConnection:
    """Return a connection whose statements go through `watcher`."""
    return cast("DuckDBPyConnection", _Watched(db, watcher))


class _Watched:
    """A connection that lets its watcher run what it is asked; the rest goes through."""

    def __init__(self, db: DuckDBPyConnection, watcher: Watcher) -> None:
        self._db = db
        self._watcher = watcher
        self._name = INLINE

    def execute(self, sql: str, parameters: object = None) -> _Watched:
        """Run one statement; its rows are fetched in this name."""
        self._name = _file_of(sql)
        self._watcher.measure(self._name, lambda: self._db.execute(sql, parameters))
        return self

    def executemany(self, sql: str, parameters: object) -> _Watched:
        """Run one statement for many parameters."""
        self._name = _file_of(sql)
        self._watcher.measure(self._name, lambda: self._db.executemany(sql, parameters))
        return self

    def fetchall(self) -> list[Any]:
        """Return the rows of the last statement."""
        return self._watcher.measure(self._name, self._db.fetchall, calls=0)

    def fetchone(self) -> Any:  # noqa: ANN401 - a row is whatever the statement selects
        """Return the next row of the last statement."""
        return self._watcher.measure(self._name, self._db.fetchone, calls=0)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a connection has
        return getattr(self._db, name)


@cache
def _headers() -> dict[str, str]:
    """Return each SQL file by its first line, which no other file has."""
    return {
        path.read_text(encoding="utf-8").split("\n", 1)[0]: path.relative_to(SQL_ROOT).as_posix()
        for path in SQL_ROOT.rglob("*.sql")
    }


def _file_of(sql: str) -> str:
    start = sql.find("-- ")
    return _headers().get(sql[start:].split("\n", 1)[0], INLINE) if start >= 0 else INLINE
