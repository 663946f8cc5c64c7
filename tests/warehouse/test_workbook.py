"""Workbooks: each kind of cell as text, and none that would hurt is parsed."""

import csv
import re
import stat
import zipfile
from datetime import datetime

import pytest
import xlsxwriter

from settings.errors import StorageError
from warehouse.archive_rules import ArchiveLimits
from warehouse.workbook import sheet_headers, write_sheet_csv
from warehouse.workbook_rules import BadWorkbookError, check_workbook, is_workbook

LIMITS = ArchiveLimits(max_members=200, max_bytes=1 << 30)
SHEET = "xl/worksheets/sheet1.xml"
DAY = {"num_format": "yyyy-mm-dd"}
MOMENT = {"num_format": "yyyy-mm-dd hh:mm:ss"}


@pytest.fixture
def book(tmp_path):
    """Return a function that makes a workbook: `fill` gets it with its first sheet, `loans`."""

    def make(fill):
        path = tmp_path / "tape.xlsx"
        with xlsxwriter.Workbook(path) as opened:
            fill(opened, opened.add_worksheet("loans"))
        return path

    return make


@pytest.fixture
def plain(book):
    return book(lambda _, sheet: sheet.write_row(0, 0, ["loan_id", "dpd"]))


def written(path, sheet="loans"):
    """Return the text of the CSV that a sheet becomes."""
    check_workbook(path, LIMITS)
    target = path.with_name(f"{sheet}.csv")
    facts = write_sheet_csv(path, sheet, target)
    assert facts.size == target.stat().st_size
    return target.read_bytes().decode()


def edit(path, change, name=SHEET):
    """Rewrite one part of a workbook; `change` returns None to leave it out."""
    with zipfile.ZipFile(path) as opened:
        parts = {info.filename: opened.read(info) for info in opened.infolist()}
    parts[name] = change(parts[name])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for part, data in parts.items():
            if data is not None:
                packed.writestr(part, data)
    return path


def with_cells(path, cells):
    """Put raw XML in place of the rows of the first sheet."""
    data = b"<sheetData>" + cells + b"</sheetData>"
    return edit(path, lambda xml: re.sub(rb"<sheetData>.*</sheetData>", lambda _: data, xml))


def refuse(path, act=lambda path: check_workbook(path, LIMITS)):
    with pytest.raises(BadWorkbookError) as refused:
        act(path)
    assert refused.value.message.startswith("tape.xlsx: ")
    return refused.value.evidence["reason"]


# ---------------------------------------------------------------- cells


@pytest.mark.parametrize(
    ("cell", "style", "text"),
    [
        (5, None, "5"),
        (-0.0, None, "0"),
        (1604.67, None, "1604.67"),
        (0.1, None, "0.1"),
        (1e20, None, "1e+20"),
        (1e-7, None, "1e-07"),
        (999_999_999_999_999, None, "999999999999999"),
        (True, None, "true"),
        (False, None, "false"),
        (datetime(2024, 2, 29), DAY, "2024-02-29"),
        (datetime(2024, 2, 29), MOMENT, "2024-02-29"),
        (datetime(2024, 2, 29, 13, 5, 9), MOMENT, "2024-02-29T13:05:09"),
        ("007", None, "007"),
        ("Ahuachapán", None, "Ahuachapán"),
        ("a,b", None, '"a,b"'),
        ('the "A" grade', None, '"the ""A"" grade"'),
        ("two\nlines", None, '"two\nlines"'),
        ("two\r\nlines", None, '"two\nlines"'),
        ("tab\there", None, "tab\there"),
        ("=cmd|' /C calc'!A0", None, "=cmd|' /C calc'!A0"),
        ("@SUM(A1)", None, "@SUM(A1)"),
    ],
)
def test_a_cell_becomes_its_text(book, cell, style, text):
    def fill(opened, sheet):
        sheet.write_string(0, 0, "head")
        form = opened.add_format(style) if style else None
        write = sheet.write_string if isinstance(cell, str) else sheet.write
        write(1, 0, cell, form)

    assert written(book(fill)) == f"head\n{text}\n"


def test_a_formula_gives_the_value_that_was_kept(book):
    path = book(lambda _, sheet: sheet.write_formula("A1", "=40+2", None, 42))

    assert written(path) == "42\n"


@pytest.mark.parametrize("error", ["#N/A", "#REF!", "#DIV/0!"])
def test_an_error_cell_keeps_its_name(book, error):
    def fill(_, sheet):
        sheet.write_row(0, 0, ["loan_id", "dpd", "rate"])
        sheet.write_row(1, 0, ["L1"])
        sheet.write_formula(1, 1, "=X()", None, error)
        sheet.write_number(1, 2, 0.5)

    assert written(book(fill)) == f"loan_id,dpd,rate\nL1,{error},0.5\n"


def test_empty_cells_are_empty_and_empty_margins_are_left_out(book):
    def fill(_, sheet):
        sheet.write_row(2, 3, ["a", "b", "c"])
        sheet.write_row(4, 3, [1, "", 3])
        for cell in ("A1", "B4", "H9"):  # a kept empty text is no cell either
            sheet.write_formula(cell, '=""', None, "")

    assert written(book(fill)) == "a,b,c\n,,\n1,,3\n"


def test_the_csv_is_for_its_owner_alone_and_counts_its_rows(plain, tmp_path):
    facts = write_sheet_csv(plain, "loans", tmp_path / "loans.csv")

    assert (facts.rows, facts.size) == (1, len("loan_id,dpd\n"))
    assert stat.S_IMODE(facts.path.stat().st_mode) == 0o600


def test_many_rows_come_out_whole_and_in_order(book):
    def fill(_, sheet):
        for row in range(3_000):
            sheet.write_row(row, 0, [f"L{row}", row, "x" * 500])

    rows = list(csv.reader(written(book(fill)).splitlines()))

    assert rows == [[f"L{row}", str(row), "x" * 500] for row in range(3_000)]


@pytest.mark.parametrize("letter", ["\x00", "\x01", "\x1b", "\r", "\x7f", "\x85"])
def test_a_control_character_is_refused_by_its_row(book, letter, tmp_path):
    def fill(_, sheet):
        sheet.write_row(0, 0, ["loan_id"])
        sheet.write_row(3, 0, [f"L{letter}1"])

    path = book(fill)
    target = tmp_path / "loans.csv"
    with pytest.raises(BadWorkbookError, match=r"row 4 of sheet 'loans' holds a control"):
        write_sheet_csv(path, "loans", target)

    assert not target.exists()


# ---------------------------------------------------------------- sheets


def test_visible_sheets_are_told_with_their_first_row(book):
    def fill(opened, sheet):
        sheet.write_row(1, 1, ["loan_id", 2024, True])
        opened.add_worksheet("empty")
        opened.add_worksheet("pagos").write_row(0, 0, ["fecha", "monto"])
        hidden = opened.add_worksheet("hidden")
        hidden.write("A1", "secret")
        hidden.hide()

    assert sheet_headers(book(fill)) == {
        "loans": ("loan_id", "2024", "true"),
        "pagos": ("fecha", "monto"),
    }


def test_a_sheet_that_is_not_there_is_refused(plain, tmp_path):
    write = tmp_path / "out.csv"

    assert refuse(plain, lambda path: write_sheet_csv(path, "other", write)) == "sheet"


def test_a_file_at_the_target_stays(plain, tmp_path):
    target = tmp_path / "loans.csv"
    target.write_text("mine")

    with pytest.raises(StorageError):
        write_sheet_csv(plain, "loans", target)

    assert target.read_text() == "mine"


def test_a_workbook_is_known_by_its_content(plain, tmp_path):
    renamed = plain.rename(tmp_path / "download")
    other = tmp_path / "other.xlsx"
    with zipfile.ZipFile(other, "w") as packed:
        packed.writestr("loans.csv", "loan_id\n")
    cut = tmp_path / "cut.xlsx"
    cut.write_bytes(renamed.read_bytes()[:-30])

    assert [is_workbook(path) for path in (renamed, other, cut)] == [True, False, False]


# ---------------------------------------------------------------- damage and bombs


@pytest.mark.parametrize("kept", [-1, -30, 400, 100])
def test_a_sheet_that_is_cut_is_refused(plain, tmp_path, kept):
    edit(plain, lambda xml: xml[:kept])

    write = tmp_path / "loans.csv"
    assert refuse(plain, lambda path: write_sheet_csv(path, "loans", write)) == "damaged"
    assert not write.exists()


def test_a_zip_that_is_no_workbook_is_refused(plain):
    assert refuse(edit(plain, lambda _: None, "xl/workbook.xml")) == "no_workbook"


@pytest.mark.parametrize("part", [SHEET, "xl/sharedStrings.xml"])
def test_a_workbook_without_one_of_its_parts_is_refused(plain, part):
    edit(plain, lambda _: None, part)

    assert refuse(plain, sheet_headers) == "damaged"


def test_an_entity_is_never_followed(plain, tmp_path):
    (tmp_path / "secret").write_text("S3CRET")
    with_cells(plain, b'<row r="1"><c r="A1" t="inlineStr"><is><t>&x;</t></is></c></row>')
    kind = f'?><!DOCTYPE a [<!ENTITY x SYSTEM "file://{tmp_path}/secret">]>'.encode()
    edit(plain, lambda xml: xml.replace(b"?>", kind, 1))

    assert refuse(plain, sheet_headers) == "damaged"


def test_a_workbook_bomb_is_refused_before_it_is_parsed(plain):
    with zipfile.ZipFile(plain, "a", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/media/image1.png", bytes(100 << 20))

    assert refuse(plain) == "bomb"


def test_a_part_that_states_too_small_a_size_is_refused(plain):
    edit(plain, lambda xml: xml + b" " * 100_000)
    data = bytearray(plain.read_bytes())
    size = len(zipfile.ZipFile(plain).read(SHEET)).to_bytes(4, "little")
    assert data.count(size) == 2
    plain.write_bytes(data.replace(size, (500).to_bytes(4, "little")))

    assert refuse(plain) in {"size", "damaged"}


def test_a_workbook_with_too_many_parts_is_refused(plain):
    parts = len(zipfile.ZipFile(plain).namelist())

    check_workbook(plain, ArchiveLimits(parts, 1 << 20))
    with pytest.raises(BadWorkbookError, match="too many members"):
        check_workbook(plain, ArchiveLimits(parts - 1, 1 << 20))


@pytest.mark.parametrize(
    "cells",
    [
        b'<row r="1"><c r="A1"><v>1</v></c></row><row r="9"><c r="XFD1048576"><v>1</v></c></row>',
        b"<row r='1'><c r='A1'><v>1</v></c><c s='0' r = 'zzzzzz7'><v>1</v></c></row>",
        b'<row r="9000000"><c><v>1</v></c></row>',
        b'<row r="1"><c r' + b" " * 5_000 + b'="XFD1048576"><v>1</v></c></row>',
    ],
)
def test_cells_so_far_apart_that_they_fill_the_memory_are_refused(plain, cells):
    assert refuse(with_cells(plain, cells)) == "too_wide"


def test_a_sheet_in_utf_16_is_refused_as_it_would_read_as_empty(plain):
    edit(plain, lambda xml: xml.decode().replace("UTF-8", "UTF-16").encode("utf-16"))

    assert refuse(plain) == "encoding"


def test_an_archive_among_the_media_is_no_matter(plain):
    with zipfile.ZipFile(plain, "a") as packed:
        packed.writestr("xl/embeddings/notes.zip", b"PK\x03\x04" + bytes(50))

    check_workbook(plain, LIMITS)


@pytest.mark.parametrize("name", ["../../x.xml", "/etc/x.xml", "XL/Workbook.xml"])
def test_a_workbook_keeps_the_rules_of_archives(plain, name):
    with zipfile.ZipFile(plain, "a") as packed:
        packed.writestr(name, b"<a/>")

    assert refuse(plain) in {"traversal", "absolute", "twice"}
