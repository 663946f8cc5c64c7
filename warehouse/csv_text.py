"""Read one table of a tape as text, by column name, and refuse what is no such table."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from settings.errors import DataRejectedError
from warehouse.engine import identifier, literal
from warehouse.tape import TapeTable

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, Error

HEADER_BYTES = 1 << 16
_LINE = re.compile(r"[Ll]ine:? (\d+)")


class NotALoanTapeError(DataRejectedError):
    """The file is something else than a table of a loan tape."""

    code = "NOT_A_LOAN_TAPE"


class NotUtf8Error(DataRejectedError):
    """The file is not UTF-8 text."""

    code = "NOT_UTF8"


class RaggedFileError(DataRejectedError):
    """A line of the file has too few or too many cells, or an unclosed quote."""

    code = "TRUNCATED_OR_RAGGED"


class EmptyTableError(DataRejectedError):
    """A table has a header and no row."""

    code = "EMPTY_TABLE"


@dataclass(frozen=True)
class TableFile:
    """One table of a tape, ready to be read: where it lies and at which column everything is.

    `width` is the number of columns of the file, `unread` names those outside the contract.
    """

    table: TapeTable
    path: Path
    format: Literal["csv", "parquet"]
    columns: Mapping[str, int]
    width: int
    unread: tuple[str, ...] = ()


def read_names(head: bytes, name: str) -> tuple[str, ...]:
    """Return the column names of a CSV from its first bytes; `name` is what people call it.

    Raises:
        NotALoanTapeError: There is no header of a table.
        NotUtf8Error: The header is not UTF-8.
        RaggedFileError: It holds a carriage return alone, or does not end.
    """
    first = _first_line(head)
    if len(first) >= HEADER_BYTES:
        raise RaggedFileError(
            f"{name} has a header without an end in its first {HEADER_BYTES >> 10} KB",
            fix="look for an unclosed quote in line 1, then export it again",
        )
    if b"\0" in first:  # every other byte of an English header in UTF-16
        raise _not_utf8(name, 1)
    try:
        names = [cell for row in csv.reader([first.decode("utf-8-sig")]) for cell in row]
    except UnicodeDecodeError as error:
        raise _not_utf8(name, 1) from error
    except csv.Error as error:
        raise RaggedFileError(
            f"{name} has a header that breaks off at line 1",
            fix="end every line the same way, with LF or CR LF, and export it again",
        ) from error
    if not names or first.lstrip().startswith((b"<", b"{", b"[")):
        raise NotALoanTapeError(
            f"{name} does not begin with the header of a table",
            fix="open the file: it may be a login page or an error message; export it again",
        )
    return tuple(names)


def _first_line(head: bytes) -> bytes:
    """Return the first line; a line end between quotes is part of a name."""
    end = head.find(b"\n")
    while end >= 0 and head.count(b'"', 0, end) % 2:
        end = head.find(b"\n", end + 1)
    return head[: end + 1] or head


def view_table(db: DuckDBPyConnection, file: TableFile) -> None:
    """Offer a file as view `raw`: text cells under contract names, NULL for absent columns.

    The sender's own names never reach SQL: columns are read by position.
    """
    cells = _csv_cells(file) if file.format == "csv" else _parquet_cells(db, file)
    chosen = ", ".join(
        f"{cells[file.columns[name]] if name in file.columns else 'cast(null as varchar)'} "
        f"as {identifier(name)}"
        for name in file.table.columns
    )
    db.execute(f"create or replace temp view raw as select {chosen} from {_source(file)}")


def _csv_cells(file: TableFile) -> list[str]:
    return [f"c{position}" for position in range(file.width)]


def _source(file: TableFile) -> str:
    names = _csv_cells(file)
    path = literal(str(file.path))
    if file.format == "parquet":
        return f"read_parquet({path}) as cells ({', '.join(names)})"
    columns = ", ".join(f"{name}: 'VARCHAR'" for name in names)
    return (
        f"read_csv({path}, columns = {{{columns}}}, header = true, auto_detect = false, "
        "delim = ',', quote = '\"', escape = '\"', strict_mode = true)"
    )


def _parquet_cells(db: DuckDBPyConnection, file: TableFile) -> list[str]:
    """Return each column as the text that a CSV would hold."""
    described = db.execute(f"describe from {_source(file)}").fetchall()
    return [_as_text(name, kind) for name, kind, *_ in described]


def _as_text(name: str, kind: str) -> str:
    if kind.startswith("TIMESTAMP"):
        day, whole = f"cast({name} as date)", f"cast({name} as timestamp)"
        text = f"cast({name} as varchar)"
        return f"case when {whole} = {day} then cast({day} as varchar) else {text} end"
    if kind in ("DOUBLE", "FLOAT"):
        text = f"regexp_replace(cast({name} as varchar), '\\.0$', '')"
        return f"case when isfinite({name}) then {text} else 'NaN' end"
    if kind == "VARCHAR":
        return f"nullif({name}, '')"
    return f"cast({name} as varchar)"


def explain_csv_error(error: Error, table: TapeTable) -> DataRejectedError:
    """Return the typed error of what the reader could not take; never a cell of the file."""
    text = str(error)
    found = _LINE.search(text)
    line = int(found.group(1)) if found else None
    if "Invalid unicode (byte sequence" in text:
        return _not_utf8(table.file_name, line)
    where = f"line {line}" if line else "an unknown line"
    return RaggedFileError(
        f"{table.file_name} breaks off or has the wrong number of cells at {where}",
        fix=f"look at {where} of the file, then export it again",
        evidence={"file": table.file_name, "line": line},
    )


def _not_utf8(name: str, line: int | None) -> NotUtf8Error:
    return NotUtf8Error(
        f"{name} is not UTF-8" + (f" at line {line}" if line else ""),
        fix="export it as UTF-8 text",
        evidence={"file": name, "line": line},
    )
