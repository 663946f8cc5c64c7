"""Mutants of a good tape: each is refused with its error, or gives the plain reader's figures.

`pytest --trials 1000 "tests/trials/test_mutated_tapes.py::NAME[1700]"` plays one block again, with
`MUTANT_SEED=1723` before it one seed alone; `MUTANT_JOURNAL=FILE` keeps a line a mutant.
"""

import json
import os
import shutil
import zipfile
from collections.abc import Mapping
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from itertools import count
from pathlib import Path

import pytest

import warehouse.canonical
from settings.errors import TapewatchError
from settings.kpis import load_catalogue
from tests.trials.mutations import GOOD, MUTATIONS, Mutant, mutate, render
from tests.trials.plain_reader import Figures, UnusableError, read_plainly
from tests.warehouse.valued_tape import settings_for
from warehouse.book import book_parameters, build_book
from warehouse.canonical import Dates, read_tape
from warehouse.container import open_container
from warehouse.durable import copy_with_sha256, sha256_file
from warehouse.engine import bound, open_engine, read_sql
from warehouse.gate import sort_out
from warehouse.ingestion import archive_limits
from warehouse.kinds import FOUR_TABLES
from warehouse.kpis import compute_kpis, prepare_kpis
from warehouse.quality import check_names, refuse_bad_tape, run_checks
from warehouse.recognize import recognize
from warehouse.restated import view_previous
from warehouse.source import lay_out

pytestmark = pytest.mark.slow

RECEIVED = date(2025, 12, 28)
LIMITS = {"strict": Decimal("0.01"), "lenient": Decimal("0.4")}
KPIS = ("par_30", "par_90", "outstanding", "written_off", "active_loans", "collection_rate")
BLOCK, IN_SUITE, IN_SOAK = 100, 2_000, 20_000
KEPT_TABLES = 100
SECRETS = ("DEF-", "LATE-", "CLI7", "MONTHLY", "Cuscatl")


class Bench:
    """One open engine, and the steps of a run over it without the protocol around them."""

    def __init__(self, root: Path, db, settings) -> None:
        self.root, self.db, self.settings = root, db, settings
        self._numbers = count()
        prepare_kpis(db, settings.health)
        self._catalogue = [kpi for kpi in load_catalogue() if kpi.name in KPIS]

    def value(self, files: Mapping[str, bytes], limit: Decimal, *, is_zip=False) -> Figures:
        """Return the figures that the product publishes, or raise what it raises."""
        folder = self.root / f"m{next(self._numbers)}"
        sent, tape, run = (folder / name for name in ("sent", "tape", "run"))
        for made in (folder, sent, tape, run):
            made.mkdir()
        try:
            return self._value(write_files(files, sent, is_zip=is_zip), tape, run, limit)
        finally:
            shutil.rmtree(folder)

    def _value(self, sent: list[Path], tape: Path, run: Path, limit: Decimal) -> Figures:
        laid_out = stage(sent, tape, self.settings)
        read = read_tape(self.db, FOUR_TABLES, laid_out, tape, self.settings, Dates(None, RECEIVED))
        limits = {"max_rejected_row_ratio": limit, "max_rejected_balance_ratio": limit}
        sort_out(self.db, tape, run, self.settings.quality.model_copy(update=limits))
        return self._judge(read.last_date, run, laid_out)

    def _judge(self, as_of: date, run: Path, laid_out) -> Figures:
        parameters = book_parameters(self.settings, as_of) | {
            "received_date": RECEIVED,
            "last_date": as_of,
            "previous_as_of": None,
        }
        build_book(self.db, run, parameters)
        view_previous(self.db, None)
        columns = {name for file in laid_out.values() for name in file.columns}
        names = check_names(FOUR_TABLES, columns) | {"quarantine": [], "warning": []}
        if self._has_bad_row(names["blocking"], parameters):
            refuse_bad_tape(run_checks(self.db, parameters, b"a key", names))
        values = compute_kpis(self.db, self._catalogue, parameters)
        return Figures(as_of, {kpi.name: (kpi.numerator, kpi.denominator) for kpi in values})

    def _has_bad_row(self, names: list[str], parameters) -> bool:
        """Ask all checks in one statement, which takes less time than one each."""
        sqls = [read_sql("quality/blocking", name) for name in names]
        sql = "\nunion all\n".join(f"select 1 from ({sql})" for sql in sqls)  # noqa: S608
        return self.db.execute(sql, bound(sql, parameters)).fetchone() is not None


def stage(sent: list[Path], tape: Path, settings):
    """Open what was sent and lay its tables out, as `stage_tape` does without keeping it."""
    copied = {path: copy_with_sha256(path, tape / f"{path.name}.part") for path in sent}
    container = open_container(sent, tape, archive_limits(settings))
    return lay_out(container, recognize(container.candidates, "the input"), copied)


def write_files(files: Mapping[str, bytes], folder: Path, *, is_zip: bool = False) -> list[Path]:
    """Write the CSVs, or one ZIP of them; return the paths."""
    if is_zip:
        path = folder / "export.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for table, data in files.items():
                archive.writestr(f"{table}.csv", data)
        return [path]
    paths = [folder / f"{table}.csv" for table in files]
    for path, data in zip(paths, files.values(), strict=True):
        path.write_bytes(data)
    return paths


@contextmanager
def open_bench(root: Path):
    settings = settings_for(
        root / "data", TAPEWATCH_ENGINE__THREADS="1", TAPEWATCH_ENGINE__MEMORY_LIMIT="500MB"
    )
    reader = remembered(warehouse.canonical._copy_table)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(warehouse.canonical, "_copy_table", reader)
        with open_engine(settings.engine, root / "spill", (root,)) as db:
            yield Bench(root, db, settings)


def remembered(copy_table):
    """Read each table once: a mutation changes one of four, and reading is a third of the cost."""
    seen: dict[str, tuple[bytes, int]] = {}

    def copy(db, file, folder: Path, parameters) -> int:
        sql = warehouse.canonical.read_sql("canonical", "macros")
        asked = (file.table.source, file.columns, file.width, sorted(parameters.items()), sql)
        key = repr(asked) + sha256_file(file.path)
        target = folder / f"{file.table.canonical}.parquet"
        if key in seen:
            data, rows = seen[key]
            target.write_bytes(data)
            return rows
        rows = copy_table(db, file, folder, parameters)
        if len(seen) < KEPT_TABLES:  # the tables of the good tape come first
            seen[key] = (target.read_bytes(), rows)
        return rows

    return copy


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    with open_bench(tmp_path_factory.mktemp("mutants")) as opened:
        yield opened


def judge(bench: Bench, mutant: Mutant, limit: Decimal) -> str:
    """Return the code of the refusal, or `accepted`; a wrong outcome is an AssertionError."""
    try:
        figures = bench.value(mutant.files, limit, is_zip=mutant.is_zip)
    except TapewatchError as error:
        assert error.exit_code == 65, error.line()
        assert error.code in mutant.codes, f"{error.line()}, expected {set(mutant.codes)}"
        told = error.line()
        assert [secret for secret in SECRETS if secret in told] == []
        return error.code
    assert mutant.may_pass, "accepted"
    try:
        plain = read_plainly(mutant.plain or mutant.files, RECEIVED, limit)
    except UnusableError as error:
        raise AssertionError(f"accepted, though {error}") from error
    assert figures.as_of == plain.as_of
    assert rounded(figures) == rounded(plain)
    return "accepted"


def rounded(figures: Figures) -> dict[str, tuple]:
    """Return the sums; of nothing there is none, or 0."""
    return {name: (n or 0, d or 0) for name, (n, d) in figures.values.items()}


def play(bench: Bench, seed: int) -> tuple[str, str]:
    """Play the mutant of a seed; return what was done to it, and what became of it."""
    name, mutant = mutate(seed)
    limit = LIMITS["lenient" if seed % 2 else "strict"]
    try:
        return name, judge(bench, mutant, limit)
    except Exception as error:  # also an untyped one: that is what the trial is for
        raise AssertionError(f"seed {seed}, {name}: {type(error).__name__}: {error}") from error


def pytest_generate_tests(metafunc):
    if "first_seed" in metafunc.fixturenames:
        is_soak = metafunc.config.getoption("--trials") >= 1_000
        metafunc.parametrize("first_seed", range(0, IN_SOAK if is_soak else IN_SUITE, BLOCK))


def test_each_mutant_is_refused_or_valued_as_the_plain_reader_does(bench, first_seed):
    alone = os.environ.get("MUTANT_SEED")
    wrong = []
    for seed in [int(alone)] if alone else range(first_seed, first_seed + BLOCK):
        try:
            outcome = play(bench, seed)
        except AssertionError as error:
            outcome = ("wrong", str(error))
            wrong.append(str(error))
        keep_journal(seed, *outcome)

    assert wrong == []


def keep_journal(seed: int, name: str, outcome: str) -> None:
    """Append one line to the journal, if the environment names one."""
    path = os.environ.get("MUTANT_JOURNAL")
    if path:
        with Path(path).open("a", encoding="utf-8") as journal:
            journal.write(json.dumps({"seed": seed, "name": name, "outcome": outcome}) + "\n")


def test_the_good_tape_is_accepted_and_shows_every_figure(bench):
    mutant = Mutant(render(GOOD), may_pass=True)

    assert judge(bench, mutant, LIMITS["strict"]) == "accepted"
    figures = read_plainly(mutant.files, RECEIVED, LIMITS["strict"])
    assert figures.as_of == date(2025, 12, 10)
    assert all(numerator > 0 for numerator, _ in figures.values.values())


def test_every_kind_of_mutation_is_drawn():
    drawn = {mutate(seed)[0] for seed in range(IN_SUITE)}

    assert drawn == set(MUTATIONS)
    assert {name[:3] for name in drawn} == {f"D{number:02}" for number in range(1, 27)}
