"""Read one CSV of a tape as text, by column name, and refuse what is no such table."""

from __future__ import annotations

import csv
import difflib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from settings.errors import DataRejectedError
from warehouse.engine import literal
from warehouse.tape import TapeTable

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, Error

_HEADER_BYTES = 1 << 16
_LINE = re.compile(r"[Ll]ine:? (\d+)")


class NotALoanTapeError(DataRejectedError):
    """The file is something else than a table of a loan tape."""

    code = "NOT_A_LOAN_TAPE"


class SchemaMissingError(DataRejectedError):
    """A column of the contract is not in the header."""

    code = "SCHEMA_MISSING"


class SchemaDuplicateError(DataRejectedError):
    """A column of the contract is in the header twice."""

    code = "SCHEMA_DUPLICATE"


class NotUtf8Error(DataRejectedError):
    """The file is not UTF-8 text."""

    code = "NOT_UTF8"


class RaggedFileError(DataRejectedError):
    """A line of the file has too few or too many cells, or an unclosed quote."""

    code = "TRUNCATED_OR_RAGGED"


class EmptyTableError(DataRejectedError):
    """A table has a header and no row."""

    code = "EMPTY_TABLE"


def read_header(path: Path, table: TapeTable) -> tuple[str, ...]:
    """Return the column names of a CSV, in file order, after holding them against the contract.

    Raises:
        NotALoanTapeError: There is no header of a table.
        SchemaMissingError: Required columns are missing; the nearest names are offered.
        SchemaDuplicateError: A column we read is there twice.
        NotUtf8Error: The header is not UTF-8.
        RaggedFileError: It holds a carriage return alone.
    """
    with path.open("rb") as stream:
        first = stream.readline(_HEADER_BYTES)
    if b"\0" in first:  # every other byte of an English header in UTF-16
        raise _not_utf8(table, 1)
    try:
        names = [name for row in csv.reader([first.decode("utf-8-sig")]) for name in row]
    except UnicodeDecodeError as error:
        raise _not_utf8(table, 1) from error
    except csv.Error as error:
        raise RaggedFileError(
            f"{table.file_name} has a header that breaks off at line 1",
            fix="end every line the same way, with LF or CR LF, and export it again",
        ) from error
    if not names or first.lstrip().startswith((b"<", b"{", b"[")):
        raise NotALoanTapeError(
            f"{table.file_name} does not begin with the header of a table",
            fix="open the file: it may be a login page or an error message; export it again",
        )
    _check_names(names, table)
    return tuple(names)


def _check_names(names: list[str], table: TapeTable) -> None:
    twice = sorted({name for name in names if name in table.columns and names.count(name) > 1})
    if twice:
        raise SchemaDuplicateError(
            f"{table.file_name} has column {', '.join(twice)} twice",
            fix="export the table again with each column once",
        )
    missing = [name for name in table.required if name not in names]
    if not missing:
        return
    if len(names) == 1 and ";" in names[0]:
        raise SchemaMissingError(
            f"{table.file_name} is separated by semicolons",
            fix="export it with commas between the columns",
        )
    spare = [name for name in names if name not in table.columns]
    told = [_with_nearest(name, spare) for name in missing]
    raise SchemaMissingError(
        f"{table.file_name} has no column {', '.join(told)}",
        fix="export the table with its full header, or name the columns as the contract does",
    )


def _with_nearest(name: str, spare: list[str]) -> str:
    folded = {other.strip().casefold(): other for other in spare}
    near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    return f"{name} (did you mean {_safe(folded[near[0]])}?)" if near else name


def _safe(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)[:40]


def view_csv(db: DuckDBPyConnection, path: Path, table: TapeTable, header: tuple[str, ...]) -> None:
    """Offer the CSV as view `raw`: text cells under contract names, NULL for absent columns.

    Names that are not in the contract never reach SQL: those columns are read by position.
    """
    columns = ", ".join(
        f"{literal(name if name in table.columns else f'ignored_{position}')}: 'VARCHAR'"
        for position, name in enumerate(header)
    )
    chosen = ", ".join(
        f'"{name}"' if name in header else f'cast(null as varchar) as "{name}"'
        for name in table.columns
    )
    db.execute(
        f"create or replace temp view raw as select {chosen} from read_csv("
        f"{literal(str(path))}, columns = {{{columns}}}, header = true, auto_detect = false, "
        "delim = ',', quote = '\"', escape = '\"', strict_mode = true)"
    )


def explain_csv_error(error: Error, table: TapeTable) -> DataRejectedError:
    """Return the typed error of what the reader could not take; never a cell of the file."""
    text = str(error)
    found = _LINE.search(text)
    line = int(found.group(1)) if found else None
    if "Invalid unicode (byte sequence" in text:
        return _not_utf8(table, line)
    where = f"line {line}" if line else "an unknown line"
    return RaggedFileError(
        f"{table.file_name} breaks off or has the wrong number of cells at {where}",
        fix=f"look at {where} of the file, then export it again",
        evidence={"file": table.file_name, "line": line},
    )


def _not_utf8(table: TapeTable, line: int | None) -> NotUtf8Error:
    return NotUtf8Error(
        f"{table.file_name} is not UTF-8" + (f" at line {line}" if line else ""),
        fix="export it as UTF-8 text",
        evidence={"file": table.file_name, "line": line},
    )
