"""The synthetic tape: the same bytes again, in the export's own shape, or nothing at all."""

import re
import stat
from datetime import date

import pytest

from tests.warehouse.tape_rows import CASH, lines, read
from warehouse import synthetic
from warehouse.synthetic import SYNTHETIC_AS_OF, SyntheticTapeError, write_tape
from warehouse.tape import TAPE_TABLES

FILES = tuple(table.file_name for table in TAPE_TABLES)
HEADERS = {
    "loans.csv": "loan_id,maturity_date,customer_id,application_date,disburse_date,pledge_date,"
    "product_type,loan_grade,lender,facility,total_fees,total_other,total_interest,"
    "credit_bureau_score,term,frequency,interest_rate,disburse_principal,outstanding_balance,"
    "currency,dpd,ratio_paid,loan_status,amount_buckets,company,loan_counts,term_buckets,"
    "location_state_province",
    "schedules.csv": "loan_id,date_due,principal,interest,other,fees,to_tax,add_balance,"
    "reduce_balance,currency",
    "transactions.csv": "loan_id,transaction_type,date_paid,principal,interest,other,fees,to_tax,"
    "add_balance,reduce_balance,currency",
    "loan_par_balances.csv": "loan_id_raw,reporting_date,dpd,dpd_date,is_writeoff,writeoff_type,"
    "loan_ccy,outstanding_balance,writeoff_outstanding_balance,xchg_rate_to_usd,"
    "outstanding_balance_usd,writeoff_outstanding_balance_usd,PAR_7_balance_usd,"
    "PAR_30_balance_usd,PAR_60_balance_usd,PAR_90_balance_usd",
}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return write_tape(tmp_path_factory.mktemp("small") / "tape", 500)


def test_a_seed_gives_the_same_bytes_whatever_the_threads(tmp_path):
    faults = ("float_noise", "orphan_row")

    one = write_tape(tmp_path / "one", 2_000, faults=faults, threads=1).folder
    two = write_tape(tmp_path / "two", 2_000, faults=faults, threads=2, memory_limit="512MB").folder

    for name in (*FILES, "answer_key.json"):
        assert (one / name).read_bytes() == (two / name).read_bytes()


def test_another_seed_gives_another_book(tmp_path, small):
    other = write_tape(tmp_path / "tape", 500, seed=8)

    assert lines(other.folder / "loans.csv") != lines(small.folder / "loans.csv")


def test_a_range_of_loans_comes_out_alone_as_it_does_among_the_others(tmp_path, small, monkeypatch):
    monkeypatch.setattr(synthetic, "CHUNK_LOANS", 170)  # 170 + 170 + 160

    in_ranges = write_tape(tmp_path / "tape", 500)

    assert in_ranges.rows == small.rows
    for name in FILES:
        header, *rows = lines(in_ranges.folder / name)
        whole_header, *whole_rows = lines(small.folder / name)
        assert header == whole_header
        assert sorted(rows) == sorted(whole_rows)
    assert lines(in_ranges.folder / "loans.csv") == lines(small.folder / "loans.csv")


@pytest.mark.parametrize("name", FILES)
def test_the_header_is_the_exports_own(small, name):
    assert lines(small.folder / name)[0] == HEADERS[name]


def test_the_rows_are_counted(small):
    assert small.rows == {t.source: len(read(small.folder, t.source)) for t in TAPE_TABLES}
    assert small.rows["loans"] == small.loans == 500
    assert small.answer_key is None


@pytest.mark.parametrize("loans", [1, 2, 54])
def test_the_ledger_ends_on_the_as_of_day_at_any_size(tmp_path, loans):
    tape = write_tape(tmp_path / "tape", loans)

    transactions = read(tape.folder, "transactions")
    last = max(transactions, key=lambda row: row["date_paid"])
    assert tape.as_of == SYNTHETIC_AS_OF == date.fromisoformat(last["date_paid"])
    assert last["transaction_type"] == "PAYMENT"


def test_only_the_owner_can_read_the_tape(tmp_path):
    tape = write_tape(tmp_path / "tape", 10)

    assert stat.S_IMODE(tape.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in tape.folder.iterdir()} == {0o600}
    assert sorted(path.name for path in tape.folder.iterdir()) == sorted(FILES)


def test_the_rows_are_in_the_exports_order(small):
    loans, schedules, transactions, snapshots = (
        read(small.folder, table.source) for table in TAPE_TABLES
    )

    assert loans == sorted(loans, key=lambda row: (row["disburse_date"], row["loan_id"]))
    assert schedules == sorted(schedules, key=lambda row: (row["date_due"], row["loan_id"]))
    assert transactions == sorted(transactions, key=lambda row: (row["date_paid"], row["loan_id"]))
    assert snapshots == sorted(
        snapshots, key=lambda row: (row["reporting_date"], row["loan_id_raw"])
    )


def test_cells_are_written_as_the_export_writes_them(small):
    number, day = r"-?\d+\.\d{1,2}", r"20\d\d-\d\d-\d\d"
    forms = {
        "loan_id": r"SYN-\d{9}",
        "customer_id": r"CLI\d{4,}",
        "dpd": r"\d+",
        "dpd_date": f"({day})?",
        "is_writeoff": "true|false",
        "writeoff_type": "(DPD)?",
        "interest_rate": r"\d+\.\d{1,3}",
        "ratio_paid": r"[01]\.\d+",
        "application_date": "",
    }
    forms |= dict.fromkeys(("disburse_date", "date_due", "date_paid", "reporting_date"), day)
    forms |= dict.fromkeys((*CASH, "disburse_principal", "PAR_7_balance_usd"), number)

    seen = {
        (column, cell)
        for table in TAPE_TABLES
        for row in read(small.folder, table.source)
        for column, cell in row.items()
    }

    assert set(forms) <= {column for column, _ in seen}
    assert [pair for pair in seen if not re.fullmatch(forms.get(pair[0], ".*"), pair[1])] == []


def test_a_tape_is_never_written_over_something(tmp_path):
    (tmp_path / "notes.txt").touch()

    with pytest.raises(SyntheticTapeError, match="is there already"):
        write_tape(tmp_path, 10)


@pytest.mark.parametrize(("loans", "fault_rate"), [(0, 0.001), (-1, 0.001), (10, 0), (10, 1.5)])
def test_an_impossible_size_or_rate_is_refused(tmp_path, loans, fault_rate):
    with pytest.raises(SyntheticTapeError):
        write_tape(tmp_path / "tape", loans, fault_rate=fault_rate)
