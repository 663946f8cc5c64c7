"""What a stranger's workbook must keep before anything parses it."""

import re
import zipfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from settings.errors import DataRejectedError
from warehouse.archive import read_chunks
from warehouse.archive_directory import open_archive
from warehouse.archive_rules import ArchiveLimits, BadArchiveError, judge_members

_BOOK = "xl/workbook.xml"
_MAX_CELLS = 8_000_000  # of one sheet, as calamine holds it: 32 bytes for each, empty or not
_REFERENCE = re.compile(rb"""\sr\s{0,9}=\s{0,9}["']([A-Za-z]*)([0-9]+)""")
_ODD_REFERENCE = re.compile(rb"\sr\s{10}|\sr\s*=\s{10}")
_LONGEST_REFERENCE = 40
_FIX = "open it in a spreadsheet, save it anew as .xlsx, and send that"


class BadWorkbookError(DataRejectedError):
    """The workbook is damaged, or holds something a loan tape never does."""

    code = "BAD_WORKBOOK"


def is_workbook(path: Path) -> bool:
    """Say by its content whether the file is a workbook; a damaged ZIP is none.

    Raises:
        StorageError: The file cannot be read.
    """
    try:
        with open_archive(path) as opened:
            return _BOOK in opened.namelist()
    except BadArchiveError:
        return False


def check_workbook(path: Path, limits: ArchiveLimits) -> None:
    """Refuse a workbook that would hurt, before anything parses it.

    Of the rules for archives these apply: a whole directory, names that stay inside, regular
    members, no encryption, none twice, the caps on members, bytes and expansion. Base names may
    repeat in other folders, and archives may lie inside (xl/media, xl/embeddings): nobody opens
    those. Each member is unpacked once into nothing, because calamine believes no stated size.

    Raises:
        BadWorkbookError: A rule is broken, or a sheet spans more cells than memory should hold.
        StorageError: The file cannot be read.
    """
    with as_workbook(path), open_archive(path) as opened:
        judge_members(opened, path, limits)
        if _BOOK not in opened.namelist():
            raise bad_workbook(path, "no_workbook", f"it is no workbook: {_BOOK} is not in it")
        for info in opened.infolist():
            _judge_part(opened, info, path)


@contextmanager
def as_workbook(path: Path) -> Generator[None, None, None]:
    """Tell a bad ZIP of this block as a bad workbook, with the fix for one."""
    try:
        yield
    except BadArchiveError as error:
        raise BadWorkbookError(error.message, fix=_FIX, evidence=error.evidence) from error


def bad_workbook(path: Path, reason: str, why: str) -> BadWorkbookError:
    """Return the error that names the workbook; `reason` is the one word for reports."""
    evidence = {"archive": path.name, "reason": reason}
    return BadWorkbookError(f"{path.name}: {why}", fix=_FIX, evidence=evidence)


def _judge_part(opened: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> None:
    """Unpack a part into nothing, and bound the box its cells span.

    Calamine holds the whole box between the outermost cells, and where memory does not suffice
    for it the process is ended: two cells in opposite corners are enough.
    """
    is_xml = info.filename.lower().endswith((".xml", ".rels"))
    columns: set[bytes] = set()
    last_row = 0
    end = b""
    for chunk in read_chunks(opened, info, path):
        if not is_xml:
            continue
        text = end + chunk
        if b"\0" in chunk:  # UTF-16, of which calamine reads an empty sheet without a word
            raise bad_workbook(path, "encoding", f"{info.filename} is not UTF-8")
        if _ODD_REFERENCE.search(text):
            raise bad_workbook(path, "too_wide", f"{info.filename} hides where its cells are")
        for column, row in set(_REFERENCE.findall(text)):
            columns.add(column)
            last_row = max(last_row, int(row[:9]))
        end = text[-_LONGEST_REFERENCE:]
    width = max(map(_column_number, columns), default=0)
    if last_row * max(width, 1) > _MAX_CELLS:
        why = f"{info.filename} spans more than {_MAX_CELLS:,} cells"
        raise bad_workbook(path, "too_wide", why)


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters[:9].upper():
        number = number * 26 + letter - 64
    return number
