"""Tell which kind of tape an input is, from the names and the headers of its tables."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from settings.errors import DataRejectedError
from warehouse.columns import (
    Columns,
    SchemaDuplicateError,
    SchemaMissingError,
    match_columns,
)
from warehouse.csv_text import NotALoanTapeError, TableFile
from warehouse.kinds import AGGREGATE, FOUR_TABLES, LOAN_LIST, SNAPSHOTS, TapeKind
from warehouse.tape import PAR_BALANCES, TAPE_TABLES, TapeTable

_BY_NAME = {table.source: table for table in TAPE_TABLES}
_SINGLE_TABLE = (SNAPSHOTS, AGGREGATE, LOAN_LIST)  # the most demanding one first


class TableMissingError(DataRejectedError):
    """The export lacks one of its four tables."""

    code = "TABLE_MISSING"


class SeveralTapesError(DataRejectedError):
    """More than one table of the input could be the tape."""

    code = "SEVERAL_TAPES"


@dataclass(frozen=True, eq=False)
class Candidate:
    """A table of the input that may be one of the tape.

    `name` is its file's or sheet's name without suffix, `label` what people call it, and
    `read_names` reads its header.
    """

    name: str
    label: str
    format: Literal["csv", "parquet"]
    read_names: Callable[[], tuple[str, ...]]

    def match(self, table: TapeTable) -> Columns:
        """Find the columns of this table of the contract in the header.

        Raises:
            DataRejectedError: The header is not that of the table.
        """
        return match_columns(self.read_names(), replace(table, label=self.label))

    def table_file(self, table: TapeTable, path: Path) -> TableFile:
        """Return the file at `path` as this table of the contract.

        Raises:
            DataRejectedError: The header is not that of the table.
        """
        labelled = replace(table, label=self.label)
        columns = self.match(table)
        width = len(columns.found) + len(columns.unread)
        return TableFile(labelled, path, self.format, columns.found, width, columns.unread)


@dataclass(frozen=True)
class Recognized:
    """The kind of an input, its candidate for each table of that kind, and what nobody reads."""

    kind: TapeKind
    tables: Mapping[str, tuple[TapeTable, Candidate]]
    unread: tuple[str, ...]


def recognize(candidates: Sequence[Candidate], where: str) -> Recognized:
    """Return the kind of tape that these tables are; `where` names the input.

    The four tables of Cascade's export are known by their names, any other tape by its columns.

    Raises:
        TableMissingError: Some of the four tables are there and others are not.
        SeveralTapesError: More than one table could be the tape.
        DataRejectedError: None is a tape; the nearest kind says what is missing.
    """
    named = {c.name: c for c in candidates if c.name in _BY_NAME}
    _refuse_twins(candidates)
    if len(named) == len(_BY_NAME):
        return _recognized(FOUR_TABLES, {s: named[s] for s in _BY_NAME}, candidates)
    if named and set(named) != {PAR_BALANCES.source}:
        raise _table_missing(named, where)
    if named:
        return _recognized(SNAPSHOTS, named, candidates)
    return _by_columns(candidates, where)


def _refuse_twins(candidates: Sequence[Candidate]) -> None:
    """Refuse two tables of one name: nobody can tell which of them is meant."""
    first: dict[str, Candidate] = {}
    for candidate in candidates:
        twin = first.setdefault(candidate.name, candidate)
        if candidate.name in _BY_NAME and twin is not candidate:
            raise SeveralTapesError(
                f"{twin.label} and {candidate.label} are both the table {candidate.name}",
                fix="give each table once",
            )


def _by_columns(candidates: Sequence[Candidate], where: str) -> Recognized:
    if len(candidates) == 1:
        kind = _kind_of(candidates[0])
        return _recognized(kind, {kind.tables[0].source: candidates[0]}, candidates)
    kinds: dict[Candidate, TapeKind] = {}
    near: list[DataRejectedError] = []
    for candidate in candidates:
        try:
            kinds[candidate] = _kind_of(candidate)
        except (SchemaMissingError, SchemaDuplicateError) as error:
            near.append(error)
        except DataRejectedError:
            continue  # a table of something else
    if not kinds:
        if len(near) == 1:
            raise near[0]
        raise TableMissingError(
            f"{where} has no table of a loan tape",
            fix="give the four tables of Cascade's export, or one table of a kind that "
            "`tapewatch schema` lists",
        )
    if len(kinds) > 1:
        told = " and ".join(candidate.label for candidate in kinds)
        raise SeveralTapesError(
            f"{where} holds several tapes: {told}", fix="give one of them alone"
        )
    [(candidate, kind)] = kinds.items()
    return _recognized(kind, {kind.tables[0].source: candidate}, candidates)


def _kind_of(candidate: Candidate) -> TapeKind:
    """Return the kind whose required columns are all there.

    Raises:
        SchemaMissingError: None; the message is that of the kind which lacks the fewest.
    """
    names = candidate.read_names()
    lacking: list[tuple[float, SchemaMissingError]] = []
    for kind in _SINGLE_TABLE:
        table = replace(kind.tables[0], label=candidate.label)
        try:
            match_columns(names, table)
        except SchemaMissingError as error:
            lacking.append((len(error.missing) / len(table.required), error))
        else:
            return kind
    share, nearest = min(lacking, key=lambda found: found[0])
    if share == 1:
        raise NotALoanTapeError(
            f"{candidate.label} has none of the columns of a loan tape",
            fix="check that it is the right file; `tapewatch schema` lists every column and the "
            "names it may have",
        )
    raise nearest


def _recognized(
    kind: TapeKind, chosen: Mapping[str, Candidate], candidates: Sequence[Candidate]
) -> Recognized:
    tables = {t.source: (t, chosen[t.source]) for t in kind.tables}
    unread = tuple(c.label for c in candidates if c not in chosen.values())
    return Recognized(kind, tables, unread)


def _table_missing(named: Mapping[str, Candidate], where: str) -> TableMissingError:
    missing = [table.contract_name for table in TAPE_TABLES if table.source not in named]
    fix = "export all four tables: " + ", ".join(t.contract_name for t in TAPE_TABLES)
    if set(named) == {"loans"}:
        fix += "; to value it alone as a tape with one row a loan, name it loan_tape.csv"
    return TableMissingError(f"{where} has no {', '.join(missing)}", fix=fix)
