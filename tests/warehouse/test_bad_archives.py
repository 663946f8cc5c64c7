"""Archives that are damaged, incomplete or none, and inputs that are no export at all."""

import shutil
import zipfile

import pytest

from tests.warehouse.tape_runs import break_text
from warehouse.tape import TAPE_TABLES

TABLES = [table.source for table in TAPE_TABLES]
SECRET = "S3CRET-CELL"  # noqa: S105 - a text that nobody may quote


@pytest.fixture
def zipped(tmp_path, tape):
    """Return a function that packs tables of the tape, and more, into an export's ZIP."""

    def pack(*names, folder=""):
        path = tmp_path / "export.zip"
        with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
            for name in names:
                archive.write(tape / f"{name}.csv", f"{folder}{name}.csv")
        return path

    return pack


@pytest.mark.parametrize("table", TABLES)
def test_a_zip_without_one_of_its_tables_is_refused(desk, zipped, table):
    archive = zipped(*(name for name in TABLES if name != table))

    assert f"export.zip has no {table}.csv" in desk.refuse(archive, code="TABLE_MISSING")


def test_a_zip_with_a_table_twice_is_refused(desk, zipped):
    zipped(*TABLES)
    archive = zipped("loans", folder="other/")

    assert "loans.csv is in it twice" in desk.refuse(archive, code="BAD_ARCHIVE")


@pytest.mark.parametrize("place", ["first byte", "loans", "transactions", "directory"])
def test_a_damaged_zip_is_refused(desk, zipped, place):
    archive = zipped(*TABLES)
    damaged = bytearray(archive.read_bytes())
    at = {
        "first byte": 0,
        "loans": 100,
        "transactions": damaged.index(b"transactions.csv") + 60,
        "directory": damaged.index(b"PK\x01\x02") + 16,  # the checksum
    }[place]
    damaged[at] ^= 0xFF
    archive.write_bytes(damaged)

    assert "export.zip: it is damaged" in desk.refuse(archive, code="BAD_ARCHIVE")


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.999])
@pytest.mark.parametrize("name", ["export.zip", "download"])
def test_a_zip_that_was_cut_off_is_refused(desk, zipped, tmp_path, kept, name):
    whole = zipped(*TABLES).read_bytes()
    archive = tmp_path / name
    archive.write_bytes(whole[: int(len(whole) * kept)])

    assert f"{name}: it is cut off, or no ZIP" in desk.refuse(archive, code="BAD_ARCHIVE")


def test_a_login_page_in_place_of_the_zip_is_refused(desk, tmp_path):
    page = tmp_path / "export.zip"
    page.write_text(f"<html>{SECRET}</html>")

    assert "no ZIP" in desk.refuse(page, code="BAD_ARCHIVE", secrets=[SECRET])


def test_a_cut_table_inside_a_whole_zip_is_refused(desk, zipped, tape):
    break_text(tape, "transactions", lambda text: text[:-3])

    line = desk.refuse(zipped(*TABLES), code="CUT_FILE")

    assert "transactions.csv ends in the middle of line 212" in line


# ---------------------------------------------------------------- what is no input


def test_an_input_that_does_not_exist_is_refused(desk, tmp_path):
    line = desk.refuse(tmp_path / "absent.zip", code="INPUT_NOT_FOUND", exit_code=69)

    assert "absent.zip does not exist" in line


def test_an_input_of_another_kind_is_refused(desk, tmp_path):
    report = tmp_path / "report.pdf"
    report.write_text("%PDF")

    line = desk.refuse(report, code="UNKNOWN_INPUT", exit_code=64)

    assert "give the export as it came: a ZIP, an XLSX, a folder of CSVs, or one table" in line


def test_a_folder_without_any_table_is_refused(desk, tmp_path):
    (tmp_path / "empty").mkdir()

    assert "empty holds no table" in desk.refuse(tmp_path / "empty", code="TABLE_MISSING")


def test_one_table_given_twice_is_refused(desk, tape, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(tape, other)

    line = desk.refuse(
        *sorted(tape.iterdir()), other / "loans.csv", code="UNKNOWN_INPUT", exit_code=64
    )

    assert "loans.csv is given twice" in line
