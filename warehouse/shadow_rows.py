"""Count the rows that a run has and another has not: as many need not be the same ones."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from settings.running import EngineSettings
from warehouse.compare import row_files
from warehouse.engine import identifier, literal, one_row, open_engine
from warehouse.run_folder import SealedRun


def rows_apart(one: SealedRun, other: SealedRun, engine: EngineSettings) -> Mapping[str, int]:
    """Return for each table of both how many rows of `one` the other has not got.

    A column that only `other` has is what its code brings, and is not looked at; one that it has
    not got makes every row another. Tables of the same bytes are not read.

    Raises:
        StorageError: The engine could not read a run, or it did not fit into the temporary folder.
    """
    names = sorted(row_files(one) & row_files(other))
    files, others = one.manifest.files, other.manifest.files
    apart = dict.fromkeys(names, 0)
    unlike = [name for name in names if files[name].sha256 != others[name].sha256]
    if not unlike:
        return apart
    with (
        TemporaryDirectory(prefix="tapewatch-shadow-") as spill,
        open_engine(engine, Path(spill).resolve(), (one.folder, other.folder)) as db,
    ):
        for name in unlike:
            here, there = (f"read_parquet({literal(str(r.folder / name))})" for r in (one, other))
            columns, known = (
                [column for column, *_ in db.execute(f"describe from {rows}").fetchall()]
                for rows in (here, there)
            )
            if not {*columns} <= {*known}:
                apart[name] = files[name].rows or 0
                continue
            listed = ", ".join(identifier(column) for column in columns)
            query = f"select {listed} from {here} except all select {listed} from {there}"
            [apart[name]] = one_row(db, f"select count(*) from ({query})", {})
    return apart
