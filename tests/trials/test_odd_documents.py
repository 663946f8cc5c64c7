"""Documents nobody would send; and neither a header's order, nor the rows', nor the box matters."""

from decimal import Decimal
from random import Random

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from settings.errors import DataRejectedError, TapewatchError
from tests.trials.mutations import (
    BAD_NUMBERS,
    DAY,
    GATE,
    GOOD,
    HEADER,
    HOSTILE,
    MONEY,
    ODD_NUMBERS,
    ROW,
    TABLES,
    TEXT,
    Mutant,
    good,
    mutate,
    render,
)
from tests.trials.test_mutated_tapes import (
    LIMITS,
    SECRETS,
    judge,
    open_bench,
    write_files,
)
from tests.warehouse.tape_runs import Desk
from warehouse.columns import ALIASES, match_columns
from warehouse.sealed_kpis import read_kpis
from warehouse.tape import FACILITY, LOAN_TAPE, TAPE_TABLES

pytestmark = pytest.mark.slow

ANY = ROW | GATE | DAY | TEXT | HEADER | {"NOT_UTF8", "TABLE_MISSING"}
AGAINST_BEFORE = frozenset({"VOLUME_ANOMALY", "UNIT_CHANGE", "AS_OF_REGRESSION"})
IN_SUITE, IN_SOAK = 150, 2_000
WHOLE_RUNS, WHOLE_RUNS_IN_SOAK = 20, 200

CELLS = st.one_of(
    st.sampled_from((*BAD_NUMBERS, *ODD_NUMBERS, *HOSTILE, "", "NULL", "2025-02-29")),
    st.text(max_size=8),
    st.decimals(allow_nan=True).map(str),
    st.dates().map(str),
)
QUOTES = st.sampled_from(('"', '"', '"', "'", ""))


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    with open_bench(tmp_path_factory.mktemp("documents")) as opened:
        yield opened


def examples(request):
    """Return how many examples are asked for; those of the suite are the same every day."""
    is_soak = request.config.getoption("--trials") >= 1_000
    return settings(
        max_examples=IN_SOAK if is_soak else IN_SUITE,
        deadline=None,
        derandomize=not is_soak,
        database=None,
        phases=(Phase.generate, Phase.shrink),  # to explain a failure costs every example time
        suppress_health_check=list(HealthCheck),
    )


def quoted(draw, cell: str) -> str:
    quote = draw(QUOTES)
    return f"{quote}{cell.replace(quote, quote * 2) if quote else cell}{quote}"


@st.composite
def documents(draw):
    """Draw a table: the good one with odd cells in another order of columns, or any text."""
    table = draw(st.sampled_from(TABLES))
    if draw(st.integers(0, 5)) == 0:
        return table, draw(st.one_of(st.text(), st.binary().map(lambda b: b.decode("latin-1"))))
    rows = good()[table]
    order = draw(st.permutations(range(len(rows[0]))))
    rows = [[line[n] for n in order] for line in rows]
    for _ in range(draw(st.integers(0, 3))):
        line = rows[draw(st.integers(1, len(rows) - 1))]
        line[draw(st.integers(0, len(line) - 1))] = draw(CELLS)
    end = draw(st.sampled_from(("\n", "\n", "\r\n")))
    extra = draw(st.one_of(st.none(), CELLS.filter(lambda name: name not in rows[0])))
    if extra is not None:
        rows = [[*line, extra if n == 0 else ""] for n, line in enumerate(rows)]
    chosen = draw(st.integers(1, len(rows) - 1))  # of a header other quotes are signs: no matter
    lines = [[_cell(cell) for cell in line] for line in rows]
    lines[chosen] = [quoted(draw, cell) for cell in rows[chosen]]
    return table, "".join(",".join(line) + end for line in lines)


def _cell(cell: str) -> str:
    escaped = cell.replace('"', '""')
    return f'"{escaped}"' if any(c in cell for c in '",\r\n') else cell


def test_each_odd_document_is_refused_or_valued_as_the_plain_reader_does(bench, request):
    outcomes = set()

    @examples(request)
    @given(documents())
    def play(document):
        table, text = document
        files = render(GOOD) | {table: text.encode("utf-8", "surrogatepass")}
        outcomes.add(judge(bench, Mutant(files, ANY, may_pass=True), LIMITS["lenient"]))

    play()

    assert "accepted" in outcomes
    assert len(outcomes) > 3


# ---------------------------------------------------------------- laws of the header

KNOWN = (*ALIASES, *(alias for aliases in ALIASES.values() for alias in aliases))
NAMES = st.one_of(
    st.sampled_from(sorted({c for t in TAPE_TABLES for c in t.columns} | {*KNOWN})),
    st.sampled_from(("saldo", "fecha", "monto", "capital", "Días de Mora", " LOAN_ID ", "x")),
    st.text(max_size=10),
)


def matched(names, table):
    """Return the name found for each column, or the error's code."""
    try:
        columns = match_columns(names, table)
    except DataRejectedError as error:
        return error.code
    assert len(set(columns.found.values())) == len(columns.found)
    assert len(columns.found) + len(columns.unread) == len(names)
    return {column: names[place] for column, place in columns.found.items()}


def test_no_order_of_a_header_changes_what_its_names_mean(request):
    @examples(request)
    @given(st.data())
    def play(data):
        table = data.draw(st.sampled_from((*TAPE_TABLES, LOAN_TAPE, FACILITY)))
        some = data.draw(st.lists(NAMES, max_size=6))
        names = [*table.required, *some] if data.draw(st.booleans()) else some
        shuffled = data.draw(st.permutations(names))

        assert matched(shuffled, table) == matched(names, table)

    play()


# ---------------------------------------------------------------- whole runs


def values(outcome):
    return {kpi.name: (kpi.value, kpi.numerator, kpi.denominator) for kpi in read_kpis(outcome)}


def sent_as(folder, way, files):
    folder.mkdir()
    paths = write_files(files, folder, is_zip=way == "zip")
    return [folder] if way == "folder" else paths


def test_neither_the_order_of_rows_nor_the_box_changes_a_kpi(tmp_path):
    shuffled, random = good(), Random(25)  # noqa: S311
    for lines in shuffled.values():
        lines[1:] = random.sample(lines[1:], len(lines) - 1)
    found = []
    for name, rows in (("good", GOOD), ("shuffled", shuffled)):
        for way in ("zip", "folder", "files"):
            sent = sent_as(tmp_path / f"{name}-{way}", way, render(rows))
            outcome = Desk(tmp_path / f"desk-{name}-{way}").run(*sent, as_of=None)
            found.append(values(outcome.sealed))

    assert [other for other in found if other != found[0]] == []
    assert found[0]["par_90"][1] == 100_000  # LATE-100 alone; the DEF are written off


def pytest_generate_tests(metafunc):
    if "seed" in metafunc.fixturenames:
        is_soak = metafunc.config.getoption("--trials") >= 1_000
        metafunc.parametrize("seed", range(WHOLE_RUNS_IN_SOAK if is_soak else WHOLE_RUNS))


def test_a_whole_run_of_a_mutant_publishes_it_or_leaves_all_as_it_was(seed, tmp_path):
    name, mutant = mutate(seed)
    desk = Desk(tmp_path / "desk")
    desk.run(*sent_as(tmp_path / "good", "folder", render(GOOD)), as_of=None)
    before, served = desk.published(), desk.served()
    try:
        paths = sent_as(tmp_path / "sent", "zip" if mutant.is_zip else "folder", mutant.files)
        outcome = desk.run(*paths, as_of=None)
    except TapewatchError as error:
        assert error.exit_code == 65, name
        assert error.code in mutant.codes | ROW | GATE | AGAINST_BEFORE, (name, error.line())
        assert (desk.published(), desk.served()) == (before, served)
        told = error.line() + desk.told()
    else:
        assert mutant.may_pass, name
        assert desk.served() == outcome.sealed.name
        told = desk.told()
    assert list(desk.layout.staging.iterdir()) == []
    assert [secret for secret in SECRETS if secret in told] == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda rows: _scaled(rows, 100), "UNIT_CHANGE"),
        (lambda rows: _scaled(rows, 5), "VOLUME_ANOMALY"),
        (lambda rows: _without(rows, "LATE-70"), "QUALITY_GATE"),
    ],
    ids=["D21 cents", "D20 five times the balance", "D20 a loan is lost"],
)
def test_a_tape_that_contradicts_the_served_one_is_refused(change, code, tmp_path):
    desk = Desk(tmp_path / "desk")
    desk.run(*sent_as(tmp_path / "good", "folder", render(GOOD)), as_of=None)
    sent = sent_as(tmp_path / "sent", "folder", render(change(good())))

    desk.refuse(*sent, code=code, as_of=None, secrets=SECRETS)


def _scaled(rows, factor):
    for table, columns in MONEY.items():
        for line in rows[table][1:]:
            for place in map(rows[table][0].index, columns):
                line[place] = str(Decimal(line[place]) * factor)
    return rows


def _without(rows, loan):
    return {table: [line for line in lines if loan not in line] for table, lines in rows.items()}
