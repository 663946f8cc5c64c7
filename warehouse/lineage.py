"""Tell what a KPI of a sealed run was made of: SQL files and tables, down to the raw bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal, cast

from settings.kpis import find_kpi
from settings.model import Settings
from warehouse.book import book_parameters, build_book
from warehouse.canonical import Dates, read_tape
from warehouse.csv_text import TableFile
from warehouse.durable import sha256_file
from warehouse.engine import SQL_ROOT, open_engine
from warehouse.history import stored_runs, write_history
from warehouse.identity import sql_sha256
from warehouse.kinds import AGGREGATE, TapeFacts, sql_folder
from warehouse.kpis import KpiValue, prepare_kpis
from warehouse.layout import Layout
from warehouse.manifest import MANIFEST, FileFacts, InputFacts, load_manifest
from warehouse.quality import LEVELS
from warehouse.reproduce import comparable, link_runs, sealed_before
from warehouse.restated import view_book_then, view_previous
from warehouse.run_folder import SealedRun
from warehouse.sealed_kpis import read_health, read_kpis
from warehouse.statements import NOTHING, Made, Statements
from warehouse.tables import view_run_tables, view_tape_tables
from warehouse.tape import TapeTable

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_FED = ("kpi_result", "quality_result")  # tables that Python fills, and no SQL
NodeKind = Literal["kpi", "table", "check", "setting", "absent", "earlier_run", "artifact"]


@dataclass(frozen=True)
class SqlFile:
    """The SQL that made a thing; `is_current` is None when nobody can know what it was then."""

    path: str  # from the root of the code
    sha256: str
    is_current: bool | None


@dataclass(frozen=True)
class StoredFile:
    """A file under the data folder, as it was sealed; `rows` is None where none were counted."""

    path: str  # from the data folder
    sha256: str
    bytes: int
    rows: int | None


@dataclass(frozen=True)
class Node:
    """One thing a KPI was made of; `reads` are the ids of those it was made of itself."""

    id: str
    kind: NodeKind
    name: str
    sql: SqlFile | None = None
    file: StoredFile | None = None
    reads: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lineage:
    """The things that a KPI of a run was made of, each once, the KPI first.

    `is_same_sql` tells whether today's SQL is the one that sealed the run: only then are the
    tables between known to be these.
    """

    run: SealedRun
    value: KpiValue
    nodes: Mapping[str, Node]
    is_same_sql: bool


def trace(run: SealedRun, value: KpiValue, settings: Settings) -> Lineage:
    """Return the lineage of one KPI of a run, also of one that is unknown.

    No table is read: the code that makes a run is asked for its statements, and DuckDB's parser
    for the tables in them.

    Raises:
        UnknownKpiError: The KPI has left the catalogue.
        StorageError: No room for an empty folder.
    """
    with TemporaryDirectory(prefix="tapewatch-") as folder:
        root = Path(folder).resolve()
        with open_engine(settings.engine, root / "spill", ()) as parser:
            made = _statements(run, settings, root, Statements(parser))
            tracer = _Tracer(run, made)
            tracer.add_kpi(value)
    return Lineage(run, value, tracer.nodes, tracer.is_same_sql)


def _statements(run: SealedRun, settings: Settings, root: Path, noted: Statements) -> Statements:
    """Ask the code of every phase for its statements, in the order of a run."""
    db = cast("DuckDBPyConnection", noted)
    manifest, tape = run.manifest, TapeFacts.from_json(run.manifest.ingestion)
    layout = Layout(run.folder.parent.parent, root)
    earlier = comparable(run, sealed_before(run, layout))
    compared = earlier[-1] if earlier else None
    as_of = manifest.identity.as_of
    files = {table.source: _table_file(table, run) for table in tape.kind.tables}
    parameters = book_parameters(settings, as_of)
    read_tape(db, tape.kind, files, root, settings, Dates(as_of, as_of))
    view_tape_tables(db, root)
    build_book(db, root, parameters, tape.kind)
    if "earlier_book" in tape.offers:
        aside = Layout(root / "data", root / "logs")
        link_runs(earlier, aside)
        stored = stored_runs(aside, manifest.identity, tape)
        write_history(db, stored, root, parameters, settings.windows.collection_days)
    view_previous(db, compared, tells_facility=tape.kind is AGGREGATE)
    then = compared and compared.manifest.identity.as_of
    view_book_then(db, tape.kind, parameters | {"previous_as_of": then})
    view_run_tables(db, run.folder)
    prepare_kpis(db, settings.health)
    return noted


def _table_file(table: TapeTable, run: SealedRun) -> TableFile:
    path = _raw_path(_input_of(table, run))
    places = {name: place for place, name in enumerate(table.columns)}
    return TableFile(table, path, "csv", places, len(places))


def _input_of(table: TapeTable, run: SealedRun) -> InputFacts:
    """Return the input that a table came in: the only one, or the one of its name."""
    inputs = run.manifest.inputs
    told = cast("Mapping[str, object]", run.manifest.ingestion["columns"])
    named = [facts for facts in inputs if Path(facts.name).stem.casefold() == table.source]
    return next(iter([*named, *(f for f in inputs if f.name in told), *inputs]))


class _Tracer:
    """Follows a KPI down to the raw bytes, and notes each thing on the way once."""

    def __init__(self, run: SealedRun, noted: Statements) -> None:
        self.nodes: dict[str, Node] = {}
        self.is_same_sql = run.manifest.identity.sql_sha256 == sql_sha256(SQL_ROOT)
        self._run = run
        self._noted = noted

    def add_kpi(self, value: KpiValue) -> str:
        """Add a KPI and all below it; return its id."""
        path = SQL_ROOT / sql_folder(find_kpi(value.name), value.basis) / f"{value.name}.sql"
        is_current = sha256_file(path) == value.definition_sha256
        sql = SqlFile(_from_code(path), value.definition_sha256, is_current)
        made = self._noted.read_by(path.read_text(encoding="utf-8"))
        return self._add(Node(f"kpi/{value.name}", "kpi", value.name, sql), made)

    def _add(self, node: Node, made: Made) -> str:
        if node.id not in self.nodes:
            self.nodes[node.id] = node  # its place, the KPI first; what it reads comes below it
            reads = [*self._fed(node), *(self._add_table(name) for name in made.tables)]
            own = self._run.folder  # there a table is read as it was sealed
            reads += [self._add_file(path) for path in made.files if path.parent != own]
            self.nodes[node.id] = replace(node, reads=tuple(dict.fromkeys(reads)))
        return node.id

    def _add_table(self, name: str) -> str:
        facts = self._run.manifest.files.get(f"{name}.parquet")
        file = facts and _stored(Path("runs") / self._run.name / f"{name}.parquet", facts)
        made = self._noted.made_of(name)
        is_told = made is not None and (file or made.tables or made.files or made.sql is None)
        if made is None or not is_told:  # a table of another kind of tape
            return self._add(Node(f"absent/{name}", "absent", name), Made(None, (), self._raw()))
        is_filled = bool(file or made.tables or made.files) or name in _FED
        sql = made.sql and SqlFile(_from_code(made.sql), sha256_file(made.sql), self._is_then)
        kind: NodeKind = "table" if is_filled else "setting"
        return self._add(Node(f"{kind}/{name}", kind, name, sql, file), made)

    def _fed(self, node: Node) -> Iterator[str]:
        """Add what Python, and no SQL, puts into a table: earlier KPIs, the results of checks."""
        if node.id == "table/kpi_result":
            weighed = {part.kpi for part in read_health(self._run)}
            yield from (self.add_kpi(k) for k in read_kpis(self._run) if k.name in weighed)
        if node.id == "table/quality_result":
            checks = cast("Mapping[str, int]", self._run.manifest.quality["checks"])
            for level, name in product(LEVELS, checks):
                path = SQL_ROOT / "quality" / level / f"{name}.sql"
                if path.is_file():
                    sql = SqlFile(_from_code(path), sha256_file(path), self._is_then)
                    made = self._noted.read_by(path.read_text(encoding="utf-8"))
                    yield self._add(Node(f"check/{name}", "check", name, sql), made)

    def _add_file(self, path: Path) -> str:
        if path in self._raw():
            facts = next(f for f in self._run.manifest.inputs if _raw_path(f) == path)
            file = replace(_stored(path, facts), rows=_rows_in(facts, self._run))
            return self._add(Node(f"artifact/{path}", "artifact", path.name, file=file), NOTHING)
        if not (path.parent / MANIFEST).is_file():  # the table as it was read, before the gate
            return self._add_table(path.stem)
        facts = load_manifest(path.parent).files[path.name]
        name = f"{path.parent.name}/{path.name}"
        file = _stored(Path("runs") / name, facts)
        return self._add(Node(f"earlier_run/{name}", "earlier_run", name, file=file), NOTHING)

    @property
    def _is_then(self) -> bool | None:
        return True if self.is_same_sql else None

    def _raw(self) -> tuple[Path, ...]:
        return tuple(map(_raw_path, self._run.manifest.inputs))


def _stored(path: Path, facts: InputFacts | FileFacts) -> StoredFile:
    return StoredFile(path.as_posix(), facts.sha256, facts.bytes, facts.rows)


def _raw_path(facts: InputFacts) -> Path:
    return Path("raw") / facts.sha256 / facts.name


def _rows_in(facts: InputFacts, run: SealedRun) -> int | None:
    """Return the rows that were read from an input, of all its tables; None when none was."""
    tables = TapeFacts.from_json(run.manifest.ingestion).kind.tables
    counts = cast("Mapping[str, int]", run.manifest.ingestion["row_counts"])
    rows = [counts[table.canonical] for table in tables if _input_of(table, run) == facts]
    return sum(rows) if rows else None


def _from_code(path: Path) -> str:
    return path.relative_to(SQL_ROOT.parent.parent).as_posix()
