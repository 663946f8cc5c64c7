"""`tapewatch inspect` and `tapewatch schema`: what a file is, before anything of it is read."""

import json
import re

import pytest

from warehouse.kinds import KINDS

SPANISH = (
    "ID Préstamo,Código Cliente,Saldo Capital,Días de Mora,Asesor\n"
    "P-1,CLI1,100.00,0,Ana\nP-2,CLI1,50.00,95,Ana\n"
)
AGGREGATE = (
    "measurement_date,total_receivable_usd,dpd_0_7_usd,dpd_7_30_usd,dpd_30_60_usd,"
    "dpd_60_90_usd,dpd_90_plus_usd\n2025-12-01,1000,900,40,30,10,20\n"
)


def test_a_loan_tape_shows_how_each_column_is_read(home, tapewatch, tmp_path):
    path = tmp_path / "cartera.csv"
    path.write_text(SPANISH)

    done = tapewatch("inspect", path)

    assert done.code == 0
    assert "cartera.csv: a loan tape with one row a loan" in done.out
    assert re.search(r"outstanding_principal +<- Saldo Capital", done.out)
    assert re.search(r"not told +.*disburse_date", done.out)
    assert re.search(r"not read +Asesor", done.out)
    assert re.search(r"PAR 90 +reported", done.out)
    assert re.search(r"Collection rate +snapshot_delta +from the second stored tape on", done.out)
    assert re.search(r"Originations, 30 days +unknown +.*disburse_date", done.out)


def test_a_tape_is_told_as_a_document_too(home, tapewatch, tmp_path):
    path = tmp_path / "loan_tape.csv"
    path.write_text(AGGREGATE)

    told = json.loads(tapewatch("inspect", path, "--json").out)

    assert (told["kind"], told["basis"], told["container"]) == ("aggregate", "bucketed", "csv")
    assert told["tables"]["facility"]["columns"]["dpd_0_7"] == "dpd_0_7_usd"
    bases = {kpi["name"]: kpi["basis"] for kpi in told["kpis"]}
    assert bases["par_90"] == "bucketed"
    assert bases["collection_rate"] is None  # the tape has no cash and no eligible balance
    assert bases["active_loans"] is None


def test_what_inspect_promises_is_what_the_run_gives(home, tapewatch, tape):
    promised = json.loads(tapewatch("inspect", tape, "--json").out)["kpis"]

    given = json.loads(tapewatch("run", "--input", tape, "--json").out)["kpis"]

    assert {k["name"]: k["basis"] for k in promised} == {k["name"]: k["basis"] for k in given}


def test_inspect_keeps_nothing(home, tapewatch, tape):
    tapewatch("inspect", tape)

    assert not (home / "data" / "raw").exists()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a,b\n1,2\n", "NOT_A_LOAN_TAPE"),
        ("loan_id,balance\nL1,5\n", "SCHEMA_MISSING"),
        ("<html>login</html>\n", "NOT_A_LOAN_TAPE"),
    ],
)
def test_a_file_that_is_no_tape_is_told_in_one_line(home, tapewatch, tmp_path, text, code):
    path = tmp_path / "x.csv"
    path.write_text(text)

    done = tapewatch("inspect", path)

    assert (done.code, done.out) == (65, "")
    assert done.err.startswith(f"TAPEWATCH-{code}: x.csv ")
    assert done.err.count("\n") == 1


def test_the_schema_of_every_kind_is_written(home, tapewatch, tmp_path):
    target = tmp_path / "loan_tape.json"

    done = tapewatch("schema", "--out", target)

    written = json.loads(target.read_text())
    assert done.code == 0
    assert [kind["title"] for kind in written["oneOf"]] == list(KINDS)
    assert json.loads(tapewatch("schema", "--json").out) == written


def test_a_cell_of_the_schema_is_a_cell_that_the_reader_takes(home, tapewatch):
    written = json.loads(tapewatch("schema", "--json").out)
    [loans] = [k["properties"]["loans"] for k in written["oneOf"] if k["title"] == "loan_tape"]
    cells = loans["items"]["properties"]

    assert re.search(cells["outstanding_principal"]["pattern"], "1604.67")
    assert not re.search(cells["outstanding_principal"]["pattern"], "1.604,67")
    assert not re.search(cells["disburse_date"]["pattern"], "31/12/2025")
    assert "saldo_capital" in cells["outstanding_principal"]["x-also-called"]


def test_the_schema_for_people_names_every_kind_and_its_other_spellings(tapewatch):
    told = tapewatch("schema").out

    assert all(f"{kind.name}: {kind.title}" in told for kind in KINDS.values())
    assert "dias_de_mora" in told
