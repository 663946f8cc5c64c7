"""Planted faults: each where the answer key says, and every other row as in the clean tape."""

import json
from collections import defaultdict
from decimal import Decimal

import pytest

from tests.warehouse.tape_rows import cash, lines, read
from warehouse.engine import sql_names
from warehouse.synthetic import FAULTS, write_tape
from warehouse.synthetic_faults import FaultNotPlantedError, UnknownFaultError
from warehouse.tape import TAPE_TABLES


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    return write_tape(tmp_path_factory.mktemp("faulty") / "tape", 3_000, faults=tuple(FAULTS))


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    return write_tape(tmp_path_factory.mktemp("clean") / "tape", 3_000)


@pytest.fixture(scope="module")
def answers(faulty):
    return json.loads(faulty.answer_key.read_text(encoding="utf-8"))


@pytest.mark.parametrize("level", ["blocking", "quarantine", "warning"])
def test_a_fault_names_a_check_of_its_level(answers, level):
    checks = {answer["check"] for answer in answers.values() if answer["level"] == level}

    assert checks
    assert checks <= set(sql_names(f"quality/{level}"))


def test_each_fault_is_planted_at_its_rate(answers):
    assert set(answers) == set(FAULTS)
    assert {len(answer["rows"]) for answer in answers.values()} == {3}  # 0.001 x 3,000


def test_no_loan_carries_two_faults(answers):
    loan_ids = [row["loan_id"] for answer in answers.values() for row in answer["rows"]]

    named = [loan_id for loan_id in loan_ids if loan_id is not None]
    assert len(named) == len(set(named)) == len(loan_ids) - 3  # loan_id_null has none


SHOWS = {
    "loan_id_null": lambda row: row["loan_id"] == "",
    "loan_id_conflict": lambda row: row["location_state_province"] == "San Miguel",
    "customer_null": lambda row: row["customer_id"] == "",
    "unparseable_cell": lambda row: row["disburse_principal"] == "n/d",
    "principal_not_positive": lambda row: float(row["disburse_principal"]) <= 0,
    "balance_out_of_range": lambda row: (
        float(row["outstanding_balance"]) > float(row["disburse_principal"])
    ),
    "maturity_not_after_disbursement": lambda row: row["maturity_date"] <= row["disburse_date"],
    "future_date": lambda row: row["date_paid"] == "2099-12-31",
    "orphan_row": lambda row: row["loan_id"].startswith("SYN-9"),
    "par_not_nested": lambda row: (
        float(row["PAR_7_balance_usd"]) < float(row["PAR_30_balance_usd"])
    ),
    "written_off_with_live_balance": lambda row: (
        row["is_writeoff"] == "true" and float(row["outstanding_balance"]) > 0
    ),
    "over_180_not_written_off": lambda row: int(row["dpd"]) > 180 and row["is_writeoff"] == "false",
    "unknown_transaction_type": lambda row: row["transaction_type"] == "REVERSAL",
    "ledger_differs_from_snapshot": lambda row: (
        row["outstanding_balance"] != row["outstanding_balance_usd"]
    ),
    "customer_id_pattern": lambda row: not row["customer_id"].startswith("CLI"),
    "float_noise": lambda row: len(row["principal"].split(".")[1]) > 2,
    "complete_with_balance": lambda row: (
        row["loan_status"] == "Complete" and row["outstanding_balance"] == "1.0"
    ),
    "complete_with_dpd": lambda row: row["loan_status"] == "Complete" and row["dpd"] == "5",
    "default_without_dpd": lambda row: row["loan_status"] == "Default" and row["dpd"] == "0",
    "apr_out_of_range": lambda row: row["interest_rate"] == "9.5",
    "term_over_a_year": lambda row: row["term"] == "400",
    "interest_or_tax_negative": lambda row: row["interest"] == "-1.0" and cash(row) > 0,
    "payment_not_positive": lambda row: (
        row["transaction_type"] == "PAYMENT" and row["principal"] == "0.0" and cash(row) == 0
    ),
}
COMPARED = {  # what the row shows only beside the loan's other rows; tested below
    "snapshot_conflict",
    "payment_before_disbursement",
    "overpaid_principal",
    "disbursement_differs_from_principal",
    "schedule_differs_from_principal",
    "exact_duplicate_loan",
    "exact_duplicate_schedule",
    "exact_duplicate_snapshot",
}


def answered_rows(tape, answer):
    rows = read(tape.folder, answer["table"])
    return [rows[place["row"] - 1] for place in answer["rows"]]


def test_every_fault_is_looked_for():
    assert set(SHOWS) | COMPARED == set(FAULTS)


@pytest.mark.parametrize("fault", SHOWS)
def test_the_fault_is_in_the_row_that_the_answer_key_names(faulty, clean, answers, fault):
    answer = answers[fault]

    for row, place in zip(answered_rows(faulty, answer), answer["rows"], strict=True):
        assert SHOWS[fault](row)
        assert (row.get("loan_id") or row.get("loan_id_raw") or None) == place["loan_id"]
        assert place["file"] == f"{answer['table']}.csv"


@pytest.mark.parametrize("fault", ["loan", "schedule", "snapshot"])
def test_an_exact_duplicate_repeats_the_row_before_it(faulty, answers, fault):
    answer = answers[f"exact_duplicate_{fault}"]
    rows = read(faulty.folder, answer["table"])

    assert all(rows[place["row"] - 1] == rows[place["row"] - 2] for place in answer["rows"])


def test_a_snapshot_conflict_repeats_the_key_with_another_balance(faulty, answers):
    rows = read(faulty.folder, "loan_par_balances")

    for place in answers["snapshot_conflict"]["rows"]:
        row, before = rows[place["row"] - 1], rows[place["row"] - 2]
        assert row["loan_id_raw"] == before["loan_id_raw"]
        assert row["reporting_date"] == before["reporting_date"]
        assert Decimal(row["outstanding_balance"]) != Decimal(before["outstanding_balance"])


@pytest.mark.parametrize(
    ("fault", "table"),
    [
        ("disbursement_differs_from_principal", "transactions"),
        ("schedule_differs_from_principal", "schedules"),
        ("overpaid_principal", "transactions"),
    ],
)
def test_a_wrong_principal_is_ten_more_than_the_loan_has(faulty, answers, fault, table):
    loans = {row["loan_id"]: row for row in read(faulty.folder, "loans")}
    wanted = "DISBURSEMENT" if fault.startswith("disbursement") else "PAYMENT"
    added_up = defaultdict(Decimal)
    for row in read(faulty.folder, table):
        if row.get("transaction_type", wanted) == wanted:
            added_up[row["loan_id"]] += Decimal(row["principal"])

    for place in answers[fault]["rows"]:
        principal = Decimal(loans[place["loan_id"]]["disburse_principal"])
        assert added_up[place["loan_id"]] == principal + 10


def test_an_early_payment_is_dated_before_its_loan(faulty, answers):
    loans = {row["loan_id"]: row for row in read(faulty.folder, "loans")}

    for row in answered_rows(faulty, answers["payment_before_disbursement"]):
        assert row["date_paid"] < loans[row["loan_id"]]["disburse_date"]


@pytest.mark.parametrize("table", [table.source for table in TAPE_TABLES])
def test_every_other_row_is_that_of_the_clean_tape(faulty, clean, answers, table):
    added = {"loan_id_null", "loan_id_conflict", "snapshot_conflict", "orphan_row"}
    added |= {"unknown_transaction_type", "payment_not_positive"}
    added |= {fault for fault in FAULTS if fault.startswith("exact_duplicate")}
    fault_of = {
        place["row"]: fault
        for fault, answer in answers.items()
        if answer["table"] == table
        for place in answer["rows"]
    }
    clean_rows = iter(lines(clean.folder / f"{table}.csv"))

    for number, row in enumerate(lines(faulty.folder / f"{table}.csv")):  # 0 is the header
        if fault_of.get(number) not in added:
            assert (row == next(clean_rows)) == (number not in fault_of)
    assert list(clean_rows) == []


def test_an_unknown_fault_is_named_and_nothing_is_written(tmp_path):
    with pytest.raises(UnknownFaultError, match="no fault is called gremlin"):
        write_tape(tmp_path / "tape", 10, faults=("gremlin", "float_noise"))

    assert list(tmp_path.iterdir()) == []


def test_a_tape_too_small_for_a_fault_is_refused_whole(tmp_path):
    with pytest.raises(FaultNotPlantedError, match="no loan of this tape can carry float_noise"):
        write_tape(tmp_path / "tape", 1, faults=("float_noise",))

    assert list(tmp_path.iterdir()) == []
