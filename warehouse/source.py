"""Take an export as it came (ZIP, folder or CSVs): keep its bytes, find its four tables."""

import errno
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO, TypeVar, cast

from settings.errors import DataRejectedError, SourceUnavailableError, UsageError
from warehouse.csv_text import read_header
from warehouse.durable import Copied, copy_with_sha256, sha256_file
from warehouse.layout import Layout, RunPaths
from warehouse.manifest import InputFacts
from warehouse.run_folder import keep_raw
from warehouse.storage_errors import typed_storage
from warehouse.tape import TAPE_TABLES, TapeTable

Item = TypeVar("Item")
_HASHERS = 2  # hashing lets go of the interpreter, so two files go side by side
_ENCRYPTED = 0x1
_ZIP_MAGIC = b"PK"
_DAMAGED = (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, NotImplementedError)
_MAX_EXPANSION = 200  # a tape of digits and commas compresses about 12 times
_SPARE_BYTES = 64 << 20


class InputNotFoundError(SourceUnavailableError):
    """The input path does not exist or cannot be read."""

    code = "INPUT_NOT_FOUND"
    can_heal = False


class UnknownInputError(UsageError):
    """The input is neither a ZIP, nor a folder, nor the four CSVs."""

    code = "UNKNOWN_INPUT"


class BadArchiveError(DataRejectedError):
    """The ZIP is damaged, or holds something an export never does."""

    code = "BAD_ARCHIVE"


class TableMissingError(DataRejectedError):
    """The export lacks one of its four tables."""

    code = "TABLE_MISSING"


class CutFileError(DataRejectedError):
    """A CSV ends in the middle of a line."""

    code = "CUT_FILE"


@dataclass(frozen=True)
class StagedTape:
    """The kept inputs and the four CSVs, by source table name, ready to be parsed."""

    kind: str
    inputs: tuple[InputFacts, ...]
    files: Mapping[str, Path]

    @property
    def input_sha256s(self) -> tuple[str, ...]:
        """The hashes that identify the bytes of this tape."""
        return tuple(sorted(facts.sha256 for facts in self.inputs))


def hash_inputs(inputs: Sequence[Path]) -> tuple[str, ...]:
    """Return the hashes of the inputs as they lie there, two files at a time, sorted.

    Raises:
        InputNotFoundError: One does not exist.
        StorageError: One cannot be read.
    """
    with ThreadPoolExecutor(_HASHERS) as pool:
        return tuple(sorted(pool.map(sha256_file, _input_files(inputs))))


def input_sizes(inputs: Sequence[Path]) -> tuple[int, ...]:
    """Return the sizes in bytes of the inputs.

    Raises:
        InputNotFoundError: One does not exist.
    """
    return tuple(path.stat().st_size for path in _input_files(inputs))


def stage_tape(inputs: Sequence[Path], layout: Layout, paths: RunPaths) -> StagedTape:
    """Copy the inputs into the raw archive, hashing on the way, and lay out the four CSVs.

    Raises:
        InputNotFoundError: An input does not exist.
        UnknownInputError: It is neither a ZIP nor CSVs.
        BadArchiveError: The ZIP is damaged or hostile.
        TableMissingError: One of the four tables is not there.
        CutFileError: A CSV does not end with a line end.
        DataRejectedError: Such a CSV is no table at all; the subclasses in `csv_text` say how.
        StorageError: The disk refused.
    """
    files = _input_files(inputs)
    if len(files) == 1 and zipfile.is_zipfile(files[0]):
        kept, facts, _ = _keep(files[0], layout, paths)
        return StagedTape("zip", (facts,), _unpack(kept, paths))
    if len(files) == 1 and _is_meant_as_zip(files[0]):
        raise _bad_archive(files[0].name, "it is cut off, or no ZIP")
    if any(path.suffix.lower() != ".csv" for path in files):
        raise UnknownInputError(
            f"{files[0].name} is neither a ZIP nor a CSV of an export",
            fix="give the export's ZIP, the folder of its four CSVs, or the four CSVs",
        )
    chosen = _choose(_by_name(files), "the input")
    with ThreadPoolExecutor(_HASHERS) as pool:
        kept_files = pool.map(partial(_keep, layout=layout, paths=paths), chosen.values())
        staged = dict(zip(chosen, kept_files, strict=True))
    for table in TAPE_TABLES:
        kept, _, copied = staged[table.source]
        _refuse_cut(kept, table, copied)
    kind = "folder" if inputs[0].is_dir() else "csv"
    return StagedTape(
        kind,
        tuple(facts for _, facts, _ in staged.values()),
        {source: kept for source, (kept, _, _) in staged.items()},
    )


def _input_files(inputs: Sequence[Path]) -> list[Path]:
    for path in inputs:
        if not path.exists():
            raise InputNotFoundError(f"{path} does not exist", fix="check the path of --input")
    if len(inputs) == 1 and inputs[0].is_dir():
        names = {table.file_name for table in TAPE_TABLES}
        found = sorted(path for path in inputs[0].iterdir() if path.name in names)
        if not found:
            raise TableMissingError(
                f"{inputs[0]} holds none of {', '.join(sorted(names))}",
                fix="give the folder that holds the four CSVs of the export",
            )
        return found
    return list(inputs)


def _is_meant_as_zip(path: Path) -> bool:
    if path.suffix.lower() == ".zip":
        return True
    with typed_storage(path), path.open("rb") as opened:
        return opened.read(len(_ZIP_MAGIC)) == _ZIP_MAGIC


def _by_name(files: Sequence[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in files:
        if path.name in found:
            raise UnknownInputError(
                f"{path.name} is given twice", fix="give each CSV of one export once"
            )
        found[path.name] = path
    return found


def _keep(path: Path, layout: Layout, paths: RunPaths) -> tuple[Path, InputFacts, Copied]:
    part = paths.tape / f"{path.name}.part"
    part.unlink(missing_ok=True)  # of an earlier try
    copied = copy_with_sha256(path, part)
    kept = keep_raw(layout, part, copied.sha256, path.name)
    return kept, InputFacts(path.name, copied.sha256, copied.size), copied


def _choose(found: Mapping[str, Item], where: str) -> dict[str, Item]:
    missing = [table.file_name for table in TAPE_TABLES if table.file_name not in found]
    if missing:
        raise TableMissingError(
            f"{where} has no {', '.join(missing)}",
            fix="export all four tables: " + ", ".join(t.file_name for t in TAPE_TABLES),
        )
    return {table.source: found[table.file_name] for table in TAPE_TABLES}


def _unpack(archive: Path, paths: RunPaths) -> dict[str, Path]:
    try:
        with zipfile.ZipFile(archive) as opened:
            members = _choose(_members(opened), archive.name)
            return {
                table.source: _unpack_member(opened, members[table.source], table, paths.tape)
                for table in TAPE_TABLES
            }
    except OSError as error:
        if error.errno != errno.EINVAL:  # a seek to where no file can be: the directory lies
            raise
        raise _bad_archive(archive.name, "its directory is damaged") from error
    except _DAMAGED as error:
        raise _bad_archive(archive.name, "it is damaged or packed in an unknown way") from error


def _members(opened: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    found: dict[str, zipfile.ZipInfo] = {}
    names = {table.file_name for table in TAPE_TABLES}
    for member in opened.infolist():
        name = PurePosixPath(member.filename).name
        if name not in names:
            continue
        if name in found:
            raise _bad_archive(str(opened.filename), f"{name} is in it twice")
        if member.flag_bits & _ENCRYPTED:
            raise _bad_archive(str(opened.filename), f"{name} is encrypted")
        if member.file_size > member.compress_size * _MAX_EXPANSION + _SPARE_BYTES:
            raise _bad_archive(str(opened.filename), f"{name} unpacks to far more than a tape")
        found[name] = member
    return found


def _unpack_member(
    opened: zipfile.ZipFile, member: zipfile.ZipInfo, table: TapeTable, folder: Path
) -> Path:
    target = folder / table.file_name
    target.unlink(missing_ok=True)  # of an earlier try
    with opened.open(member) as stream:  # ZipFile stops at the stated size and checks the CRC
        copied = copy_with_sha256(cast("BinaryIO", stream), target)
    _refuse_cut(target, table, copied)
    return target


def _bad_archive(name: str, why: str) -> BadArchiveError:
    return BadArchiveError(
        f"{Path(name).name}: {why}", fix="export the ZIP again and compare its size"
    )


def _refuse_cut(path: Path, table: TapeTable, copied: Copied) -> None:
    if not copied.size or copied.ends_with_newline:
        return
    read_header(path, table)  # a login page or UTF-16 is told as what it is
    raise CutFileError(
        f"{table.file_name} ends in the middle of line {copied.newlines + 1}",
        fix="export it again: a whole CSV ends with a line end",
    )
