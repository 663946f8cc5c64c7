"""Take an export in as it came: keep its bytes, tell its kind, lay out its tables."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from settings.errors import DataRejectedError, SourceUnavailableError
from warehouse.archive_rules import ArchiveLimits
from warehouse.columns import Columns, shown
from warehouse.container import Container, UnknownInputError, open_container
from warehouse.csv_text import RaggedFileError, TableFile
from warehouse.durable import Copied, copy_with_sha256, sha256_file
from warehouse.kinds import TapeFacts, TapeKind
from warehouse.layout import Layout, RunPaths
from warehouse.manifest import InputFacts
from warehouse.recognize import Recognized, TableMissingError, recognize
from warehouse.run_folder import keep_raw
from warehouse.storage_errors import typed_storage
from warehouse.tape import TAPE_TABLES

_HASHERS = 2  # hashing lets go of the interpreter, so two files go side by side
_TABLE_NAMES = [table.source for table in TAPE_TABLES]
_SUFFIXES = (".csv", ".parquet", ".xlsx", ".zip")


class InputNotFoundError(SourceUnavailableError):
    """The input path does not exist or cannot be read."""

    code = "INPUT_NOT_FOUND"
    can_heal = False


class CutFileError(DataRejectedError):
    """A CSV ends in the middle of a line."""

    code = "CUT_FILE"


@dataclass(frozen=True)
class StagedTape:
    """The kept inputs and the tables of the tape, ready to be parsed, by source table name."""

    container: str
    kind: TapeKind
    inputs: tuple[InputFacts, ...]
    files: Mapping[str, TableFile]
    unread_tables: tuple[str, ...]

    @property
    def input_sha256s(self) -> tuple[str, ...]:
        """The hashes that identify the bytes of this tape."""
        return tuple(sorted(facts.sha256 for facts in self.inputs))

    @property
    def columns(self) -> frozenset[str]:
        """Every column of the contract that was found."""
        return frozenset(name for file in self.files.values() for name in file.columns)


def hash_inputs(inputs: Sequence[Path]) -> tuple[str, ...]:
    """Return the hashes of the inputs as they lie there, two files at a time, sorted.

    Raises:
        InputNotFoundError: One does not exist.
        StorageError: One cannot be read.
    """
    with ThreadPoolExecutor(_HASHERS) as pool:
        return tuple(sorted(pool.map(sha256_file, input_files(inputs))))


def input_sizes(inputs: Sequence[Path]) -> tuple[int, ...]:
    """Return the sizes in bytes of the inputs.

    Raises:
        InputNotFoundError: One does not exist.
    """
    return tuple(path.stat().st_size for path in input_files(inputs))


@dataclass(frozen=True)
class Survey:
    """What an input is, before anything of it is read but its headers.

    `names` are the sender's own for each column found, by table and contract name.
    """

    container: str
    known: Recognized
    columns: Mapping[str, Columns]
    names: Mapping[str, Mapping[str, str]]

    @property
    def tape(self) -> TapeFacts:
        """What the input offers."""
        found = {name for columns in self.columns.values() for name in columns.found}
        return TapeFacts(self.known.kind, self.known.kind.offered(found))


def survey(inputs: Sequence[Path], folder: Path, limits: ArchiveLimits) -> Survey:
    """Tell what an input is from its names and headers; `folder` is empty scratch space.

    Raises:
        DataRejectedError: It is damaged, hostile, or no loan tape; the subclasses say how.
        SourceUnavailableError: An input does not exist.
        UnknownInputError: It is of no kind that an export comes in.
        StorageError: A file cannot be read.
    """
    container = open_container(input_files(inputs), folder, limits)
    known = recognize(container.candidates, name_of(inputs))
    columns = {source: c.match(table) for source, (table, c) in known.tables.items()}
    names = {
        source: {
            column: shown(known.tables[source][1].read_names()[position])
            for column, position in found.found.items()
        }
        for source, found in columns.items()
    }
    came_in = "folder" if inputs[0].is_dir() else container.kind
    return Survey(came_in, known, columns, names)


@dataclass(frozen=True)
class _Kept:
    path: Path
    facts: InputFacts
    copied: Copied


def stage_tape(
    inputs: Sequence[Path], layout: Layout, paths: RunPaths, limits: ArchiveLimits
) -> StagedTape:
    """Copy the inputs into the raw archive, hashing on the way, and lay out their tables.

    Raises:
        InputNotFoundError: An input does not exist.
        UnknownInputError: It is of no kind that an export comes in.
        DataRejectedError: It is damaged, hostile, or no loan tape; the subclasses say how.
        StorageError: The disk refused.
    """
    files = input_files(inputs)
    with ThreadPoolExecutor(_HASHERS) as pool:
        kept = list(pool.map(partial(_keep, layout=layout, paths=paths), range(len(files)), files))
    container = open_container([copy.path for copy in kept], paths.tape, limits)
    known = recognize(container.candidates, name_of(inputs))
    tables = lay_out(container, known, {copy.path: copy.copied for copy in kept})
    tables = {source: _under_own_name(file, paths.tape) for source, file in tables.items()}
    came_in = "folder" if inputs[0].is_dir() else container.kind
    return StagedTape(came_in, known.kind, tuple(c.facts for c in kept), tables, known.unread)


def lay_out(
    container: Container, known: Recognized, copied: Mapping[Path, Copied]
) -> dict[str, TableFile]:
    """Unpack the tables of a recognized input; return each by its source name.

    `copied` are the facts of those files of the container that are tables themselves.

    Raises:
        DataRejectedError: A table is damaged, or its header is not that of the contract.
        StorageError: The disk refused.
    """
    for table, candidate in known.tables.values():
        candidate.match(table)  # every header before any table is unpacked
    laid_out = container.unpack([candidate for _, candidate in known.tables.values()])
    files: dict[str, TableFile] = {}
    for source, (table, candidate) in known.tables.items():
        path, facts = laid_out[candidate]
        files[source] = candidate.table_file(table, path)
        facts = facts or copied.get(path)
        if facts is not None and candidate.format == "csv":
            _refuse_damaged(candidate.label, facts)
    return files


def _refuse_damaged(name: str, facts: Copied) -> None:
    if facts.nul_line is not None:
        raise RaggedFileError(
            f"{name} has a NUL byte at line {facts.nul_line}",
            fix="export it again: text holds no NUL",
        )
    if facts.size and not facts.ends_with_newline:
        raise CutFileError(
            f"{name} ends in the middle of line {facts.newlines + 1}",
            fix="export it again: a whole CSV ends with a line end",
        )


def name_of(inputs: Sequence[Path]) -> str:
    """Return what people call the input."""
    return inputs[0].name if len(inputs) == 1 else "the input"


def input_files(inputs: Sequence[Path]) -> list[Path]:
    """Return the files of an input: those given, or the tables in the folder given.

    Of a folder that holds tables of Cascade's export by name, only those are taken.

    Raises:
        InputNotFoundError: One does not exist.
        TableMissingError: The folder holds no table.
        UnknownInputError: A file is given twice.
    """
    for path in inputs:
        if not path.exists():
            raise InputNotFoundError(f"{path} does not exist", fix="check the path of --input")
        if not _is_readable_name(path.name) or not (path.is_dir() or path.is_file()):
            raise UnknownInputError(
                f"{shown(path.name)} is no plain file, or has a name that is not UTF-8",
                fix="copy it to a file with a plain name",
            )
    if len(inputs) == 1 and inputs[0].is_dir():
        return _folder_files(inputs[0])
    if any(path.is_dir() for path in inputs):
        raise UnknownInputError(
            "a folder is given beside other inputs", fix="give one folder alone, or the files in it"
        )
    names = [path.name for path in inputs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UnknownInputError(f"{twice} is given twice", fix="give each file of one export once")
    return sorted(inputs, key=_contract_order)


def _folder_files(folder: Path) -> list[Path]:
    with typed_storage(folder):
        found = sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
    tables = [path for path in found if path.suffix.lower() in _SUFFIXES]
    named = [path for path in tables if path.stem.casefold() in _TABLE_NAMES]
    if not tables:
        raise TableMissingError(
            f"{folder} holds no table",
            fix="give the folder that holds the tables of the export as CSV or Parquet",
        )
    return sorted(named or tables, key=_contract_order)


def _is_readable_name(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _contract_order(path: Path) -> tuple[int, str]:
    """Return the place of a file among the four tables; others come after them, by name."""
    name = path.stem.casefold()
    place = _TABLE_NAMES.index(name) if name in _TABLE_NAMES else len(_TABLE_NAMES)
    return place, path.name


def _under_own_name(file: TableFile, folder: Path) -> TableFile:
    """Return the file under a name in staging: a sender's may hold what DuckDB takes for a glob."""
    if file.path.parent == folder:
        return file
    link = folder / f"{file.table.source}.{file.format}"
    link.unlink(missing_ok=True)  # of an earlier try
    link.hardlink_to(file.path)
    return replace(file, path=link)


def _keep(number: int, path: Path, layout: Layout, paths: RunPaths) -> _Kept:
    part = paths.tape / f"input-{number}.part"
    part.unlink(missing_ok=True)  # of an earlier try
    copied = copy_with_sha256(path, part)
    kept = keep_raw(layout, part, copied.sha256, path.name)
    return _Kept(kept, InputFacts(path.name, copied.sha256, copied.size), copied)
