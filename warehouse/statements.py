"""Learn from the code of a run what it makes its tables of, without running a statement."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from warehouse.engine import SQL_ROOT, one_row

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_CREATE = re.compile(
    r'\s*create (?:or replace )?(?:temp )?(?:table|view) "?(\w+)"? (as\s)?(.*)', re.DOTALL
)
_COPY = re.compile(r"\s*copy \((.*)\) to '(.*?)' \(", re.DOTALL)


@dataclass(frozen=True)
class Made:
    """What a statement makes a table of: the SQL file in it, tables by name, and files."""

    sql: Path | None
    tables: tuple[str, ...]
    files: tuple[Path, ...]


NOTHING = Made(None, (), ())


class Statements:
    """In place of a connection: notes what each statement would make, and of what; runs none."""

    def __init__(self, parser: DuckDBPyConnection) -> None:
        self.made: dict[str, Made] = {}
        self._parser = parser
        self._raw: tuple[Path, ...] = ()  # the file that `raw` offers at this moment
        self._texts = {p.read_text(encoding="utf-8"): p for p in SQL_ROOT.rglob("*.sql")}

    def execute(self, sql: str, _parameters: object = None) -> Statements:
        """Note one statement; the first that makes a table is the one that counts."""
        if copied := _COPY.match(sql):
            self._note(Path(copied[2]).stem, copied[1])
            Path(copied[2]).touch()  # who asks whether the table is there, finds it
        elif created := _CREATE.match(sql):
            self._note(created[1], created[3] if created[2] else None)
        return self

    def executemany(self, _sql: str, _parameters: object) -> Statements:
        """Fill a table that was made without SQL: it is noted already."""
        return self

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return the day that the tape would be asked for."""
        return [(date.min.replace(year=2000),)]

    def fetchone(self) -> tuple[Any, ...]:
        """Return the count of the rows that would have been written."""
        return (1,)

    def made_of(self, name: str) -> Made | None:
        """Return what a table is made of: as it was noted, or by the SQL file of its name."""
        file = next(SQL_ROOT.glob(f"*/{name}.sql"), None)
        if name in self.made or file is None:
            return self.made.get(name)
        return self.read_by(file.read_text(encoding="utf-8"))

    def read_by(self, sql: str) -> Made:
        """Return what a query reads, as DuckDB parses it; names given by `with` are none."""
        (text,) = one_row(self._parser, "select json_serialize_sql($query)", {"query": sql})
        tree = list(_walk(json.loads(text)))
        own = {entry["key"] for node in tree for entry in node.get("cte_map", {}).get("map", ())}
        tables = {n["table_name"] for n in tree if n.get("type") == "BASE_TABLE"} - own
        calls = [n["function"]["arguments"] for n in tree if n.get("type") == "TABLE_FUNCTION"]
        files = {Path(first["expression"]["literal"]["text"]) for first, *_ in calls}
        source = next((path for text, path in self._texts.items() if text in sql), None)
        if "raw" in tables:
            tables, files = tables - {"raw"}, {*files, *self._raw}
        return Made(source, tuple(sorted(tables)), tuple(sorted(files)))

    def _note(self, name: str, sql: str | None) -> None:
        made = NOTHING if sql is None else self.read_by(sql)
        if name == "raw":
            self._raw = made.files
        else:
            self.made.setdefault(name, made)


def _walk(tree: object) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        node = cast("dict[str, Any]", tree)
        yield node
        for below in node.values():
            yield from _walk(below)
    elif isinstance(tree, list):
        for below in cast("list[object]", tree):
            yield from _walk(below)
