"""Which kind of tape an input is, and which of its columns is which, whatever it calls them."""

import pytest
import xlsxwriter

from tests.warehouse.kind_tapes import DAILY_HEADER, LOAN_HEADER, write_csv
from tests.warehouse.tape_runs import Desk
from warehouse.columns import ALIASES, SchemaDuplicateError, SchemaMissingError, match_columns
from warehouse.csv_text import NotALoanTapeError
from warehouse.kinds import AGGREGATE, FOUR_TABLES, LOAN_LIST, SNAPSHOTS
from warehouse.recognize import Candidate, SeveralTapesError, TableMissingError, recognize
from warehouse.tape import (
    FACILITY,
    LOAN_TAPE,
    LOANS,
    PAR_BALANCES,
    SCHEDULES,
    TRANSACTIONS,
    TapeTable,
)

# domain.md, section 2: what senders call the columns, each as people write it
SPELLINGS = {
    "loan_id": (
        "Loan ID Raw,ID Préstamo,Préstamo ID,Número Préstamo,Operación,Número Operación,"
        "Código Desembolso"
    ),
    "customer_id": "Client ID,Borrower ID,Obligor ID,ID Cliente,Código Cliente",
    "outstanding_principal": (
        "Outstanding Balance,Current Balance,Balance,Principal Outstanding,Saldo,Saldo Capital,"
        "Saldo Pendiente,Saldo Insoluto,Capital Vigente"
    ),
    "dpd": "Days Past Due,Days in Default,Días Mora,Días de Mora,Días Atraso,Mora",
    "disbursed_principal": (
        "Disburse Principal,Disbursement Amount,Original Balance,Original Amount,"
        "Principal Amount,Monto Desembolsado,Monto,Capital"
    ),
    "disburse_date": "Disbursement Date,Origination Date,Fecha Desembolso,Fecha Otorgamiento",
    "maturity_date": "Fecha Vencimiento,Vencimiento",
    "due_date": "Date Due,Payment Date,Fecha Pago Programado",
    "paid_date": "Date Paid,True Payment Date,Fecha Pago",
    "principal": "True Principal Payment,Actual Principal,Abono Capital",
    "interest": "True Interest Payment,Interés,Intereses",
    "fees": "Comisión,Comisiones",
    "other": "Otros",
    "tax": "To Tax,IVA,Impuesto,Impuestos",
    "reporting_date": "Measurement Date,As of Date,Fecha Corte,Fecha",
    "apr": "Interest Rate,Interest Rate APR,Tasa,Tasa Interés,Tasa Anual",
    "term_days": "Term,Plazo,Plazo Días",
    "status": "Loan Status,Estado",
    "state_province": "Location State Province,Departamento",
    "currency": "Loan CCY,Moneda",
}
EVERY_SPELLING = [(alias, name) for name, told in SPELLINGS.items() for alias in told.split(",")]


def table_of(column, source=""):
    source = source or ("schedules" if column == "due_date" else "table")
    return TapeTable(source, source, (column,))


@pytest.mark.parametrize(("alias", "column"), EVERY_SPELLING)
def test_a_column_is_found_by_each_of_its_names(alias, column):
    table = table_of(column)

    for spelling in (alias, alias.upper(), f"  {alias.replace(' ', '_')} ", f"{alias} USD"):
        assert match_columns(["x", spelling], table).found == {column: 1}, spelling


def test_no_alias_is_known_that_is_not_told():
    told = {column: len(aliases.split(",")) for column, aliases in SPELLINGS.items()}
    ambiguous = {"outstanding_principal": 1, "disbursed_principal": 2, "reporting_date": 1}
    in_one_table = {"due_date": 1}

    known = {
        column: len(aliases) + ambiguous.get(column, 0) + in_one_table.get(column, 0)
        for column, aliases in ALIASES.items()
    }

    assert known == told


def test_a_payment_date_is_a_due_date_in_a_schedule_alone():
    assert match_columns(["payment_date"], table_of("due_date")).found == {"due_date": 0}
    assert (
        "payment_date"
        in match_columns(["payment_date", *TRANSACTIONS.required], TRANSACTIONS).unread
    )


@pytest.mark.parametrize(
    ("word", "specific", "column"),
    [
        ("saldo", "saldo_capital", "outstanding_principal"),
        ("monto", "monto_desembolsado", "disbursed_principal"),
        ("capital", "original_amount", "disbursed_principal"),
        ("fecha", "fecha_corte", "reporting_date"),
    ],
)
def test_an_ambiguous_word_counts_only_where_nothing_is_more_specific(word, specific, column):
    both = match_columns([word, specific], table_of(column))

    assert (both.found, both.unread) == ({column: 1}, (word,))
    assert match_columns([word], table_of(column)).found == {column: 0}


def test_two_ambiguous_words_for_one_column_are_refused():
    with pytest.raises(SchemaDuplicateError, match="Monto and Capital"):
        match_columns(["Monto", "Capital"], table_of("disbursed_principal"))


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["mora", "Días Mora"], "two columns for dpd: mora and Días Mora"),
        (["dpd", "DPD"], "two columns for dpd: dpd and DPD"),
        (["dpd", "days_past_due"], "two columns for dpd: dpd and days_past_due"),
        (["dpd", "dpd"], "column dpd twice"),
    ],
)
def test_two_columns_for_one_are_refused_by_both_their_names(names, told):
    with pytest.raises(SchemaDuplicateError) as caught:
        match_columns(names, table_of("dpd"))

    assert told in caught.value.message


def test_a_missing_column_is_named_with_the_nearest_one():
    names = ["loan_id", "outstanding_principle", "dpd"]

    with pytest.raises(SchemaMissingError) as caught:
        match_columns(names, LOAN_TAPE)

    told = "has no column outstanding_principal (did you mean outstanding_principle?)"
    assert told in caught.value.message


def test_a_header_with_semicolons_is_told_as_such():
    with pytest.raises(SchemaMissingError, match="separated by semicolons"):
        match_columns([LOAN_HEADER.replace(",", ";")], LOAN_TAPE)


@pytest.mark.parametrize("table", [LOANS, SCHEDULES, PAR_BALANCES, LOAN_TAPE, FACILITY])
def test_the_contracts_own_header_is_found_in_any_order_and_case(table):
    names = [name.upper().replace("_", " ") for name in reversed(table.columns)]

    found = match_columns(names, table)

    assert {column: names[at] for column, at in found.found.items()} == {
        column: column.upper().replace("_", " ") for column in table.columns
    }
    assert found.unread == ()


def test_the_unit_is_optional_where_the_contract_has_it():
    names = [name.removesuffix("_usd") for name in PAR_BALANCES.required]

    assert set(match_columns(names, PAR_BALANCES).found) == set(PAR_BALANCES.required)


def candidate(name, header):
    names = tuple(header.split(","))
    return Candidate(name, f"{name}.csv", "csv", lambda: names)


def of_table(table, name=None):
    return candidate(name or table.source, ",".join(table.required))


@pytest.mark.parametrize(
    ("tables", "kind"),
    [
        ([of_table(table) for table in FOUR_TABLES.tables], FOUR_TABLES),
        ([of_table(PAR_BALANCES)], SNAPSHOTS),
        ([of_table(PAR_BALANCES, "cartera")], SNAPSHOTS),
        ([candidate("loan_tape", LOAN_HEADER)], LOAN_LIST),
        ([candidate("loan_tape", DAILY_HEADER)], AGGREGATE),
        ([of_table(LOANS, "loan_tape")], LOAN_LIST),
        ([candidate("notes", "a,b"), candidate("cartera", LOAN_HEADER)], LOAN_LIST),
    ],
)
def test_the_kind_is_told_by_names_and_columns(tables, kind):
    assert recognize(tables, "the input").kind is kind


def test_what_nobody_reads_is_told():
    known = recognize([candidate("notes", "a,b"), candidate("cartera", LOAN_HEADER)], "the input")

    assert known.unread == ("notes.csv",)


def test_some_of_the_four_tables_are_refused_by_those_that_are_missing():
    tables = [of_table(LOANS), of_table(PAR_BALANCES), candidate("loan_tape", LOAN_HEADER)]

    with pytest.raises(TableMissingError) as caught:
        recognize(tables, "export.zip")

    assert caught.value.message == "export.zip has no schedules.csv, transactions.csv"


def test_loans_alone_are_refused_with_a_way_to_value_them():
    with pytest.raises(TableMissingError) as caught:
        recognize([of_table(LOANS)], "loans.csv")

    assert "name it loan_tape.csv" in caught.value.fix


def test_a_table_that_nearly_is_a_tape_is_told_what_it_lacks():
    with pytest.raises(SchemaMissingError) as caught:
        recognize([candidate("x", "loan_id,client_id,balance")], "x.csv")

    assert caught.value.message == "x.csv has no column dpd"


def test_the_only_near_tape_of_several_tables_is_told_what_it_lacks():
    tables = [candidate("notes", "a,b"), candidate("x", "loan_id,client_id,balance")]

    with pytest.raises(SchemaMissingError, match=r"x\.csv has no column dpd"):
        recognize(tables, "book.xlsx")


def test_a_table_of_something_else_is_no_loan_tape():
    with pytest.raises(NotALoanTapeError):
        recognize([candidate("x", "name,address")], "x.csv")


def test_several_tapes_in_one_input_are_refused_by_name():
    tables = [candidate("enero", LOAN_HEADER), candidate("febrero", LOAN_HEADER)]

    with pytest.raises(SeveralTapesError, match=r"enero\.csv and febrero\.csv"):
        recognize(tables, "book.xlsx")


def test_several_tapes_in_one_workbook_are_refused_by_their_sheets(tmp_path):
    path = tmp_path / "cartera.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        for sheet in ("Enero", "Febrero"):
            book.add_worksheet(sheet).write_row(0, 0, LOAN_HEADER.split(","))

    line = Desk(tmp_path / "root").refuse(path, code="SEVERAL_TAPES")

    assert "cartera.xlsx, sheet Enero and cartera.xlsx, sheet Febrero" in line


def test_unknown_columns_are_reported_in_the_manifest_and_the_log(tmp_path):
    desk = Desk(tmp_path / "root")
    header = f"{LOAN_HEADER},Grupo,Nota"
    tape = write_csv(tmp_path / "t.csv", header, "A,CLI1,1,0,1,2025-01-02,2026-01-02,x,y")

    manifest = desk.run(tape).sealed.manifest

    assert manifest.ingestion["columns"] == {"t.csv": {"known": 7, "unread": ["Grupo", "Nota"]}}
    told = desk.told()
    assert "not read: outside the contract" in told
    assert '"columns": {"t.csv": ["Grupo", "Nota"]}' in told


@pytest.fixture
def empty_desk(tmp_path):
    """Return a data folder on which nothing has run."""
    return Desk(tmp_path / "root")


def test_two_tables_of_one_name_are_refused_and_named(empty_desk, tmp_path):
    folder = tmp_path / "twins"
    folder.mkdir()
    for name in ("loans.csv", "LOANS.csv", "schedules.csv"):
        (folder / name).write_text("loan_id\nL1\n")

    line = empty_desk.refuse(folder, code="SEVERAL_TAPES")

    assert "LOANS.csv and loans.csv are both the table loans" in line


def test_a_file_name_is_no_pattern(empty_desk, tmp_path):
    header = "loan_id,balance,dpd"
    write_csv(tmp_path / "tape.csv", header, "A,1,0")
    starred = write_csv(tmp_path / "t*.csv", header, "A,1,0", "B,1,0")

    outcome = empty_desk.run(starred)

    assert outcome.sealed.manifest.ingestion["row_counts"] == {"loan": 2}


def test_a_number_that_is_none_in_a_parquet_file_is_a_bad_cell(empty_desk, tmp_path):
    import pyarrow as pa
    from pyarrow import parquet

    rows = 200
    balances = [1.0] * (rows - 1) + [float("nan")]
    table = pa.table(
        {"loan_id": [f"L{n}" for n in range(rows)], "balance": balances, "dpd": [0] * rows}
    )
    parquet.write_table(table, tmp_path / "tape.parquet")

    quality = empty_desk.run(tmp_path / "tape.parquet").sealed.manifest.quality

    assert quality["quarantine"]["reasons"] == {"outstanding_principal:BAD_NUMBER": 1}


def test_a_line_end_in_a_quoted_name_is_part_of_it(empty_desk, tmp_path):
    tape = tmp_path / "tape.csv"
    tape.write_text('loan_id,"remark\nof the branch",balance,dpd\nA,x,1,0\n')

    columns = empty_desk.run(tape).sealed.manifest.ingestion["columns"]["tape.csv"]

    assert columns == {"known": 3, "unread": ["remark?of the branch"]}


def test_a_header_without_an_end_is_refused(empty_desk, tmp_path):
    tape = tmp_path / "tape.csv"
    tape.write_text('loan_id,"balance,dpd\n' + "A,1,0\n" * 20_000)

    assert "header without an end" in empty_desk.refuse(tape, code="TRUNCATED_OR_RAGGED")
