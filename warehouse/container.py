"""Open what a tape comes in (ZIP, workbook, CSV or Parquet files) and list the tables in it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePath

from settings.errors import UsageError
from warehouse.archive import Member, list_members, read_head, unpack
from warehouse.archive_rules import ArchiveLimits, BadArchiveError
from warehouse.csv_text import HEADER_BYTES, NotALoanTapeError, read_names
from warehouse.durable import Copied
from warehouse.recognize import Candidate
from warehouse.storage_errors import typed_storage
from warehouse.workbook import sheet_headers, write_sheet_csv
from warehouse.workbook_rules import check_workbook, is_workbook

_ZIP_MAGIC, _PARQUET_MAGIC = b"PK", b"PAR1"
_ZIP, _WORKBOOK = ".zip", ".xlsx"


class UnknownInputError(UsageError):
    """The input is of no kind that an export comes in."""

    code = "UNKNOWN_INPUT"


Unpacked = tuple[Path, Copied | None]  # where a table lies now; facts when it was copied there


@dataclass(frozen=True)
class Container:
    """What a tape came in: its tables, and how to lay the chosen ones out as files.

    `kind` is zip, workbook, csv or parquet.
    """

    kind: str
    candidates: tuple[Candidate, ...]
    unpack: Callable[[Sequence[Candidate]], Mapping[Candidate, Unpacked]]


def open_container(files: Sequence[Path], folder: Path, limits: ArchiveLimits) -> Container:
    """Open one archive or workbook, or several files of one table each.

    Nothing is written before `unpack` is called, and then only into `folder`; a workbook inside
    an archive alone is unpacked there at once.

    Raises:
        UnknownInputError: A file is of no kind that an export comes in.
        BadArchiveError: The archive is damaged or hostile.
        BadWorkbookError: The workbook is.
        StorageError: A file cannot be read.
    """
    first = files[0]
    if len(files) == 1 and is_workbook(first):
        return _workbook(first, first.name, folder, limits)
    if len(files) == 1 and (first.suffix.lower() in (_ZIP, _WORKBOOK) or _magic(first, _ZIP_MAGIC)):
        return _archive(first, folder, limits)
    candidates = {_file_candidate(path): path for path in files}
    return Container(
        next(iter(candidates)).format,
        tuple(candidates),
        lambda chosen: {candidate: (candidates[candidate], None) for candidate in chosen},
    )


def _magic(path: Path, magic: bytes) -> bool:
    return _head(path, len(magic)) == magic


def _head(path: Path, size: int) -> bytes:
    with typed_storage(path), path.open("rb") as opened:
        return opened.read(size)


def _file_candidate(path: Path) -> Candidate:
    if _magic(path, _PARQUET_MAGIC):
        return Candidate(_stem(path.name), path.name, "parquet", partial(_parquet_names, path))
    if path.suffix.lower() != ".csv":
        raise UnknownInputError(
            f"{path.name} is no ZIP, workbook, CSV or Parquet file",
            fix="give the export as it came: a ZIP, an XLSX, a folder of CSVs, or one table",
        )
    return Candidate(
        _stem(path.name),
        path.name,
        "csv",
        lambda: read_names(_head(path, HEADER_BYTES), path.name),
    )


def _stem(name: str) -> str:
    return PurePath(name).stem.casefold()


def _parquet_names(path: Path) -> tuple[str, ...]:
    import pyarrow as pa  # costs a third of a second  # pyright: ignore[reportMissingTypeStubs]
    from pyarrow import parquet  # pyright: ignore[reportMissingTypeStubs]

    try:
        schema: pa.Schema = parquet.read_schema(path)  # pyright: ignore
        return tuple(str(name) for name in schema.names)  # pyright: ignore
    except (pa.ArrowException, OSError):  # pyright: ignore
        raise NotALoanTapeError(
            f"{path.name} is a damaged Parquet file", fix="write it again and compare its size"
        ) from None


def _archive(archive: Path, folder: Path, limits: ArchiveLimits) -> Container:
    members = list_members(archive, limits)
    tables = [member for member in members if PurePath(member.name).suffix.lower() == ".csv"]
    books = [m for m in members if PurePath(m.name).suffix.lower() == _WORKBOOK]
    if not tables and len(books) == 1:
        target = folder / "workbook.xlsx"
        target.unlink(missing_ok=True)  # of an earlier try
        unpack(archive, {books[0]: target}, limits)
        return _workbook(target, books[0].name, folder, limits)
    if not tables:
        raise BadArchiveError(
            f"{archive.name} holds neither CSVs nor one workbook",
            fix="export the ZIP again, or give the file in it alone",
        )
    candidates = {_member_candidate(archive, member): member for member in tables}

    def lay_out(chosen: Sequence[Candidate]) -> dict[Candidate, Unpacked]:
        targets = {candidates[c]: folder / f"{i}.csv" for i, c in enumerate(chosen)}
        for target in targets.values():
            target.unlink(missing_ok=True)  # of an earlier try
        copied = unpack(archive, targets, limits)
        return {c: (facts.path, facts) for c, facts in zip(chosen, copied, strict=True)}

    return Container("zip", tuple(candidates), lay_out)


def _member_candidate(archive: Path, member: Member) -> Candidate:
    return Candidate(
        _stem(member.name),
        member.name,
        "csv",
        lambda: read_names(read_head(archive, member, HEADER_BYTES), member.name),
    )


def _workbook(book: Path, label: str, folder: Path, limits: ArchiveLimits) -> Container:
    check_workbook(book, limits)
    headers = sheet_headers(book)
    if not headers:
        raise NotALoanTapeError(
            f"{label} has no sheet with cells in it", fix="open it and save it again"
        )
    names = {_sheet_candidate(sheet, header, label): sheet for sheet, header in headers.items()}

    def lay_out(chosen: Sequence[Candidate]) -> dict[Candidate, Unpacked]:
        laid_out: dict[Candidate, Unpacked] = {}
        for number, candidate in enumerate(chosen):
            target = folder / f"{number}.csv"
            target.unlink(missing_ok=True)  # of an earlier try
            write_sheet_csv(book, names[candidate], target)
            laid_out[candidate] = (target, None)
        return laid_out

    return Container("workbook", tuple(names), lay_out)


def _sheet_candidate(sheet: str, header: tuple[str, ...], label: str) -> Candidate:
    where = f"{label}, sheet {sheet}"
    return Candidate(sheet.strip().casefold(), where, "csv", lambda: header)
