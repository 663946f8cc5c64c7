"""Read the sheets of a workbook that was judged, and write one as the CSV it is read as."""

from __future__ import annotations

import csv
import io
import os
import re
import zipfile
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from warehouse.archive_directory import open_archive
from warehouse.durable import create_private, write_all
from warehouse.storage_errors import typed_storage
from warehouse.workbook_rules import as_workbook, bad_workbook

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

_BATCH = 1 << 20  # characters of CSV held before they are written
_EXACT = 10**15  # a whole number below it is one in a double, and is written without a fraction
_ERROR_CELL = re.compile(rb"""(<(?:\w+:)?c\b[^<>]*?\st=)(["'])e\2""")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class SheetCsv:
    """The CSV that was written of a sheet: its bytes, and its rows with the header."""

    path: Path
    size: int
    rows: int


def sheet_headers(path: Path) -> dict[str, tuple[str, ...]]:
    """Return each visible sheet that is not empty, with the cells of its first row as text.

    Raises:
        BadWorkbookError: The workbook cannot be read as one.
    """
    found: dict[str, tuple[str, ...]] = {}
    with _open_book(path, path) as book:
        for name in _visible_sheets(book, path):
            first = next(_text_rows(_sheet(book, name, path), name, path), None)
            if first is not None:
                found[name] = tuple(first)
    return found


def write_sheet_csv(path: Path, sheet: str, target: Path) -> SheetCsv:
    """Write a sheet as the new file `target`: the CSV that a tape's reader takes.

    Formulas give the values Excel kept for them, its errors their names, such as #N/A.

    Raises:
        BadWorkbookError: The sheet is not there, is cut, or holds a character no CSV can carry.
        StorageError: The disk refused, or `target` exists.
    """
    source = _with_error_texts(path) or path
    with _open_book(source, path) as book:
        rows = _text_rows(_sheet(book, sheet, path), sheet, path)
        with typed_storage(target):
            fd = create_private(target)
        try:
            return _write_csv(rows, fd, target)
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        finally:
            os.close(fd)


@contextmanager
def _open_book(source: Path | io.BytesIO, path: Path) -> Generator[CalamineWorkbook, None, None]:
    with _calamine_typed(path), _opened(source) as book:
        yield book


def _opened(source: Path | io.BytesIO) -> CalamineWorkbook:
    from python_calamine import CalamineWorkbook

    if isinstance(source, Path):  # its stub leaves PathLike open
        return CalamineWorkbook.from_path(str(source))  # pyright: ignore[reportUnknownMemberType]
    return CalamineWorkbook.from_filelike(source)


@contextmanager
def _calamine_typed(path: Path) -> Generator[None, None, None]:
    from python_calamine import CalamineError

    damaged = "it is damaged, or no workbook"
    try:
        yield
    except CalamineError as error:
        raise bad_workbook(path, "damaged", damaged) from error
    except BaseException as error:
        if type(error).__module__ != "pyo3_runtime":  # a panic of the parser is no Exception
            raise
        raise bad_workbook(path, "damaged", damaged) from error


def _visible_sheets(book: CalamineWorkbook, path: Path) -> list[str]:
    from python_calamine import SheetTypeEnum, SheetVisibleEnum

    names = [
        sheet.name
        for sheet in book.sheets_metadata
        if sheet.visible == SheetVisibleEnum.Visible and sheet.typ == SheetTypeEnum.WorkSheet
    ]
    if len(set(names)) < len(names):
        raise bad_workbook(path, "twice", "two of its sheets have one name")
    return names


def _sheet(book: CalamineWorkbook, name: str, path: Path) -> CalamineSheet:
    if name not in book.sheet_names:
        raise bad_workbook(path, "sheet", "it has no sheet of that name")
    return book.get_sheet_by_name(name)


def _with_error_texts(path: Path) -> io.BytesIO | None:
    """Return the workbook with its error cells as texts; None where it has no such cell.

    Calamine gives an error cell as an empty one, and what cannot be known would read as absent.
    """
    with as_workbook(path), open_archive(path) as opened:
        parts = [info for info in opened.infolist() if _is_sheet(info)]
        if not any(_has_errors(opened.read(info)) for info in parts):
            return None
        copied = io.BytesIO()
        with zipfile.ZipFile(copied, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
            for info in opened.infolist():
                data = opened.read(info)
                if _is_sheet(info):
                    data = _ERROR_CELL.sub(rb"\1\2str\2", data)
                packed.writestr(info.filename, data)
    copied.seek(0)
    return copied


def _has_errors(data: bytes) -> bool:
    likely = b'"e"' in data or b"'e'" in data  # a tenth of the time of the search
    return likely and _ERROR_CELL.search(data) is not None


def _is_sheet(info: zipfile.ZipInfo) -> bool:
    return info.filename.lower().startswith("xl/worksheets/")


def _text_rows(sheet: CalamineSheet, name: str, path: Path) -> Iterator[list[str]]:
    """Yield the rows as text, from the first that is not empty to the last, without the margins."""
    left, right = _used_columns(sheet)
    held = 0
    begun = False
    first = sheet.start[0] + 1 if sheet.start else 1
    for number, row in enumerate(sheet.iter_rows(), first):
        cells = [_TEXT[type(cell)](cell) for cell in row[left:right]]
        if not any(cells):
            held += begun
            continue
        if any(not text.isprintable() for text in cells):
            cells = [_printable(text, f"row {number} of sheet {name!r}", path) for text in cells]
        for _ in range(held):
            yield [""] * len(cells)
        held = 0
        begun = True
        yield cells


def _used_columns(sheet: CalamineSheet) -> tuple[int, int]:
    left, right = sheet.width, 0
    for row in sheet.iter_rows():
        used = [column for column, cell in enumerate(row) if cell != ""]
        if used:
            left, right = min(left, used[0]), max(right, used[-1] + 1)
        if (left, right) == (0, sheet.width):
            break
    return left, right


def _printable(text: str, where: str, path: Path) -> str:
    text = text.replace("\r\n", "\n")
    if _CONTROL.search(text):
        raise bad_workbook(path, "control", f"{where} holds a control character")
    return text


def _number_text(value: float) -> str:
    if value.is_integer() and -_EXACT < value < _EXACT:
        return str(int(value))
    return repr(value)


def _moment_text(value: datetime) -> str:
    return value.date().isoformat() if value.time() == time() else value.isoformat()


_TEXT: dict[type, Callable[..., str]] = {
    str: str,
    float: _number_text,
    int: str,
    bool: {True: "true", False: "false"}.__getitem__,
    date: date.isoformat,
    datetime: _moment_text,
    time: time.isoformat,
    timedelta: str,
}


def _write_csv(rows: Iterator[list[str]], fd: int, target: Path) -> SheetCsv:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    size = count = 0
    for cells in rows:
        writer.writerow(cells)
        count += 1
        if text.tell() >= _BATCH:
            size += _flush(text, fd, target, size)
    size += _flush(text, fd, target, size)
    return SheetCsv(target, size, count)


def _flush(text: io.StringIO, fd: int, target: Path, written: int) -> int:
    data = text.getvalue().encode()
    with typed_storage(target, written + len(data)):
        write_all(fd, data)
    text.seek(0)
    text.truncate()
    return len(data)
