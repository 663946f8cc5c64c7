"""One tape in every shape it may come, and once more: the same values, and nothing twice."""

import random
import shutil
import zipfile

import duckdb
import pytest

from tests.warehouse.tape_runs import TODAY, YESTERDAY, Desk, break_text, set_cell, write_good
from warehouse.sealed_kpis import read_kpis
from warehouse.tape import TAPE_TABLES

TABLES = [table.source for table in TAPE_TABLES]


def values(outcome):
    return {kpi.name: (kpi.value, kpi.numerator) for kpi in read_kpis(outcome.sealed)}


@pytest.fixture
def plain(published_yesterday):
    """Return the KPIs of the good tape as its four CSVs gave them, valued yesterday."""
    [run] = (published_yesterday / "data" / "runs").iterdir()
    with duckdb.connect() as db:
        sql = "select kpi, kpi_value, numerator from read_parquet(?)"
        rows = db.execute(sql, [str(run / "kpi_value.parquet")]).fetchall()
    return {name: (number, numerator) for name, number, numerator in rows}


def as_zip(folder):
    archive = folder.with_name("export.zip")
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("readme.txt", "not a table")
        for name in TABLES:
            packed.write(folder / f"{name}.csv", f"export 2025-12-26/{name}.csv")
    return [archive]


def as_files(folder):
    return [folder / f"{name}.csv" for name in reversed(TABLES)]


def for_each(change):
    """Return a way to send the folder with every CSV rewritten as text."""

    def rewrite(folder):
        for name in TABLES:
            break_text(folder, name, change)
        return [folder]

    return rewrite


def reorder_columns(text):
    """Return the CSV with its columns in another order; no cell holds a comma."""
    rows = [line.split(",") for line in text.splitlines()]
    places = random.Random(7).sample(range(len(rows[0])), len(rows[0]))  # noqa: S311 - no secret
    return "".join(",".join(row[place] for place in places) + "\n" for row in rows)


def add_column(name, cell):
    def change(text):
        header, *rows = text.splitlines()
        return "\n".join([f"{header},{name}", *(f"{row},{cell}" for row in rows), ""])

    return change


def without_empty_columns(folder):
    """Leave out the columns that an export may leave out: here they are empty anyway."""

    def change(text):
        rows = [line.split(",") for line in text.splitlines()]
        kept = [place for place, cell in enumerate(rows[1]) if cell]
        return "".join(",".join(row[place] for place in kept) + "\n" for row in rows)

    break_text(folder, "loans", change)
    return [folder]


def quote_every_cell(text):
    return "".join('"' + line.replace(",", '","') + '"\n' for line in text.splitlines())


SHAPES = {
    "a ZIP": as_zip,
    "four CSVs": as_files,
    "a byte order mark": for_each(lambda text: "\ufeff" + text),
    "CR LF": for_each(lambda text: text.replace("\n", "\r\n")),
    "blank lines": for_each(lambda text: text.replace("\n", "\n\n", 3) + "\n"),
    "quotes": for_each(quote_every_cell),
    "a quoted line end": for_each(lambda text: text.replace("factoring", '"facto\nring"')),
    "other columns first": for_each(reorder_columns),
    "a further column twice": for_each(add_column("x,x", "1,2")),
    "a column without a name": for_each(add_column("", "")),
    "a column named in SQL": for_each(add_column('"x""); drop table loan; --"', "';--")),
    "a column named over two lines": for_each(add_column('"x\ny"', "1")),
    "optional columns left out": without_empty_columns,
    "float noise": lambda folder: [
        set_cell(folder, "transactions", 3, "principal", "100.00000000000001")
    ],
}


@pytest.mark.parametrize("send", SHAPES.values(), ids=SHAPES)
def test_the_shape_of_an_export_changes_no_value(tmp_path, plain, send):
    desk = Desk(tmp_path / "root")

    outcome = desk.run(*send(write_good(tmp_path / "tape")), as_of=YESTERDAY)

    assert outcome.outcome == "published"
    noise = {"data_quality_score"} if send is SHAPES["float noise"] else set()
    for name in plain.keys() - noise:
        assert values(outcome)[name] == plain[name]
    assert outcome.sealed.manifest.quality["reconciliation"] == {"matched": 191, "compared": 191}


@pytest.mark.parametrize(
    "loan_id", ["'; drop table loan; --", 'x"; select 1; --', "$as_of", "=1+1", "préstamo ⚠"]
)
def test_a_loan_id_is_data_whatever_it_says(tmp_path, plain, loan_id):
    desk, folder = Desk(tmp_path / "root"), write_good(tmp_path / "tape")
    quoted = '"' + loan_id.replace('"', '""') + '"'
    for name in TABLES:
        break_text(folder, name, lambda text: text.replace("KEEP-0001", quoted))

    outcome = desk.run(folder, as_of=YESTERDAY)

    assert values(outcome) == plain
    with duckdb.connect() as db:
        path = str(outcome.sealed.folder / "book.parquet")
        ids = db.execute("select loan_id from read_parquet(?)", [path]).fetchall()
    assert (loan_id,) in ids


def test_no_customer_is_told_apart_from_another_by_a_name_of_the_tape(desk):
    published = desk.published()

    for name, content in published.items():
        assert b"CLI9" not in content, name


# ---------------------------------------------------------------- again


def test_the_same_tape_again_is_already_published_and_changes_no_file(desk, tape):
    before = desk.published()

    outcome = desk.run(tape, as_of=YESTERDAY)

    assert (outcome.outcome, outcome.sealed.name) == ("already_published", desk.served())
    assert desk.published() == before
    assert desk.last_attempt().status == "success"


def test_the_same_tape_from_elsewhere_is_the_same_tape(desk, tmp_path):
    elsewhere = write_good(tmp_path / "another folder")

    assert desk.run(*as_files(elsewhere), as_of=YESTERDAY).outcome == "already_published"


def test_the_same_bytes_on_another_day_are_another_run(desk, tape):
    yesterday = desk.served()

    outcome = desk.run(tape, as_of=TODAY)

    assert outcome.outcome == "published"
    assert outcome.sealed.name.startswith("2025-12-27-")
    assert desk.served() == outcome.sealed.name
    assert outcome.previous is not None
    assert outcome.previous.name == yesterday
    assert desk.runs() == [yesterday, outcome.sealed.name]


def test_without_a_declared_day_a_tape_is_of_its_last_ledger_day(tmp_path):
    desk = Desk(tmp_path / "root")

    first = desk.run(write_good(tmp_path / "tape"), as_of=None)
    again = desk.run(tmp_path / "tape", as_of=None)

    manifest = first.sealed.manifest
    assert manifest.identity.as_of == YESTERDAY  # the newest loan; its label is 2025-12-31
    assert manifest.ingestion["as_of_basis"] == "last_ledger_date"
    assert (again.outcome, again.sealed.name) == ("already_published", first.sealed.name)


def test_the_day_declared_and_the_same_day_read_off_are_one_run(desk, tape):
    assert desk.run(tape, as_of=None).outcome == "already_published"


def test_a_restatement_supersedes_the_run_of_its_day(desk, tape):
    first = desk.served()
    before = desk.published()
    set_cell(tape, "loans", 3, "total_fees", "1.25")

    outcome = desk.run(tape, as_of=YESTERDAY)

    assert outcome.outcome == "published"
    assert desk.served() == outcome.sealed.name != first
    assert [name[:10] for name in desk.runs()] == ["2025-12-26", "2025-12-26"]
    [superseded] = outcome.sealed.manifest.supersedes
    assert first is not None
    assert superseded.startswith(first[-8:])
    for name, content in desk.published().items():
        assert "/current/" in f"/{name}" or before.get(name, content) == content


def test_the_tape_that_was_superseded_does_not_come_back(desk, tape, tmp_path):
    original = tmp_path / "original"
    shutil.copytree(tape, original)
    set_cell(tape, "loans", 3, "total_fees", "1.25")
    restated = desk.run(tape, as_of=YESTERDAY)

    outcome = desk.run(original, as_of=YESTERDAY)

    assert outcome.outcome == "already_published"
    assert desk.served() == restated.sealed.name


def test_the_order_of_the_rows_changes_no_value(tmp_path, plain):
    desk, folder = Desk(tmp_path / "root"), write_good(tmp_path / "tape")
    for name in TABLES:
        break_text(folder, name, shuffle_rows)

    assert values(desk.run(folder, as_of=YESTERDAY)) == plain


def shuffle_rows(text):
    header, *rows = text.splitlines()
    random.Random(7).shuffle(rows)  # noqa: S311 - no secret
    return "\n".join([header, *rows, ""])
