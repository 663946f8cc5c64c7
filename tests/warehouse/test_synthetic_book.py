"""The synthetic book: the rules reproduce it to the cent, and it has the shape of a real one."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import accumulate
from statistics import median

import pytest

from tests.warehouse.tape_rows import cash, read
from warehouse.synthetic import SYNTHETIC_AS_OF, write_tape

REAL_SIZE = 17_688


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return write_tape(tmp_path_factory.mktemp("small") / "tape", 2_000)


@pytest.fixture(scope="module")
def real_size(tmp_path_factory):
    return write_tape(tmp_path_factory.mktemp("real") / "tape", REAL_SIZE)


@dataclass(frozen=True)
class State:
    """One loan at the end of one day."""

    residual: Decimal
    is_closed: bool
    dpd: int
    oldest_due: date | None

    @property
    def is_written_off(self):
        return self.dpd > 180


class Ledger:
    """The book rules, loan by loan and day by day, in decimals."""

    def __init__(self, folder):
        self.loans = {row["loan_id"]: row for row in read(folder, "loans")}
        self._due, self._paid = defaultdict(list), defaultdict(list)
        for row in read(folder, "schedules"):
            self._due[row["loan_id"]].append((date.fromisoformat(row["date_due"]), cash(row)))
        for row in read(folder, "transactions"):
            if row["transaction_type"] == "PAYMENT":
                day = date.fromisoformat(row["date_paid"])
                self._paid[row["loan_id"]].append((day, Decimal(row["principal"]), cash(row)))

    def state(self, loan_id, day):
        principal = Decimal(self.loans[loan_id]["disburse_principal"])
        paid = [payment for payment in self._paid[loan_id] if payment[0] <= day]
        residual = principal - sum(payment[1] for payment in paid)
        received = sum(payment[2] for payment in paid)
        is_closed = residual < principal / 100
        due = sorted(self._due[loan_id])
        owed = accumulate(amount for _, amount in due)
        unpaid = [day for (day, _), total in zip(due, owed, strict=True) if total > received]
        oldest = None if is_closed or not unpaid else unpaid[0]
        dpd = max((day - oldest).days, 0) if oldest else 0
        return State(residual, is_closed, dpd, oldest)


def month_ends(first, last):
    day = first
    while True:
        label = (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
        yield label
        if label >= last:
            return
        day = label + timedelta(days=1)


def figures(state):
    live = Decimal(0) if state.is_written_off else state.residual
    return (
        state.dpd,
        state.oldest_due.isoformat() if state.dpd else "",
        "true" if state.is_written_off else "false",
        "DPD" if state.is_written_off else "",
        live,
        state.residual - live,
        *(live if state.dpd >= days else Decimal(0) for days in (7, 30, 60, 90)),
    )


def expected_snapshots(ledger):
    expected = {}
    for loan_id, loan in ledger.loans.items():
        for label in month_ends(date.fromisoformat(loan["disburse_date"]), SYNTHETIC_AS_OF):
            state = ledger.state(loan_id, min(label, SYNTHETIC_AS_OF))
            if not state.is_closed:
                expected[loan_id, label.isoformat()] = figures(state)
    return expected


def test_the_book_rules_reproduce_every_snapshot_and_miss_none(small):
    expected = expected_snapshots(Ledger(small.folder))

    reported = {
        (row["loan_id_raw"], row["reporting_date"]): (
            int(row["dpd"]),
            row["dpd_date"],
            row["is_writeoff"],
            row["writeoff_type"],
            Decimal(row["outstanding_balance"]),
            Decimal(row["writeoff_outstanding_balance"]),
            *(Decimal(row[f"PAR_{days}_balance_usd"]) for days in (7, 30, 60, 90)),
        )
        for row in read(small.folder, "loan_par_balances")
    }
    assert reported == expected
    assert len(reported) == small.rows["loan_par_balances"] > 3_000
    assert sum(is_writeoff == "true" for _, _, is_writeoff, *_ in expected.values()) > 10


def test_the_book_rules_reproduce_the_state_of_every_loan(small):
    ledger = Ledger(small.folder)

    for loan_id, loan in ledger.loans.items():
        state = ledger.state(loan_id, SYNTHETIC_AS_OF)
        status = "Complete" if state.is_closed else "Default" if state.dpd else "Current"
        assert Decimal(loan["outstanding_balance"]) == state.residual
        assert (int(loan["dpd"]), loan["loan_status"]) == (state.dpd, status)
        paid = 1 - state.residual / Decimal(loan["disburse_principal"])
        assert float(loan["ratio_paid"]) == pytest.approx(float(paid))


def test_schedules_and_disbursements_add_up_to_the_principal(small):
    loans = {row["loan_id"]: row for row in read(small.folder, "loans")}
    scheduled, disbursed, instalments = defaultdict(Decimal), defaultdict(Decimal), Counter()
    for row in read(small.folder, "schedules"):
        scheduled[row["loan_id"]] += Decimal(row["principal"])
        instalments[row["loan_id"]] += 1
    for row in read(small.folder, "transactions"):
        if row["transaction_type"] == "DISBURSEMENT":
            disbursed[row["loan_id"]] += Decimal(row["principal"])

    principal = {loan_id: Decimal(row["disburse_principal"]) for loan_id, row in loans.items()}
    assert scheduled == disbursed == principal
    monthly = {loan_id for loan_id, row in loans.items() if row["frequency"] == "Monthly"}
    assert {loan_id for loan_id, number in instalments.items() if number > 1} == monthly
    assert {instalments[loan_id] for loan_id in monthly} <= {3, 4, 5, 6}


def share(rows, is_so):
    return sum(map(is_so, rows)) / len(rows)


def weekday_shares(rows, column):
    days = Counter(date.fromisoformat(row[column]).isoweekday() for row in rows)
    return [days[day] / len(rows) * 100 for day in range(1, 8)]


def payments(folder):
    return [row for row in read(folder, "transactions") if row["transaction_type"] == "PAYMENT"]


def test_terms_and_amounts_are_those_of_a_short_factoring_book(real_size):
    loans = read(real_size.folder, "loans")

    assert median(int(row["term"]) for row in loans) == pytest.approx(38, abs=1)
    assert median(float(row["disburse_principal"]) for row in loans) == pytest.approx(602, rel=0.05)
    assert all(5 <= float(row["disburse_principal"]) <= 300_000 for row in loans)
    assert all(1 <= int(row["term"]) <= 487 for row in loans)
    assert share(loans, lambda row: row["frequency"] == "Monthly") == pytest.approx(0.03, abs=0.01)
    assert len({row["company"] for row in loans}) == 2
    fees = [float(row["total_fees"]) / float(row["disburse_principal"]) for row in loans]
    assert median(fees) == pytest.approx(0.006, rel=0.05)


def test_each_loan_has_about_two_transactions_and_under_two_snapshots(real_size):
    rows = real_size.rows

    assert rows["transactions"] / rows["loans"] == pytest.approx(2.1, abs=0.1)
    assert rows["loan_par_balances"] / rows["loans"] == pytest.approx(1.7, abs=0.1)


def test_the_last_month_end_has_the_par_of_an_ordinary_book(real_size):
    book = [
        row
        for row in read(real_size.folder, "loan_par_balances")
        if row["reporting_date"] == "2025-12-31"
    ]
    live = sum(float(row["outstanding_balance"]) for row in book)
    par = [
        sum(float(row[f"PAR_{days}_balance_usd"]) for row in book) / live for days in (7, 30, 90)
    ]

    assert par == pytest.approx([0.09, 0.04, 0.015], rel=0.15)


def test_no_client_has_more_than_two_percent_of_the_volume(real_size):
    volume = Counter()
    for row in read(real_size.folder, "loans"):
        volume[row["customer_id"]] += float(row["disburse_principal"])

    assert max(volume.values()) / volume.total() < 0.02
    assert len(volume) == pytest.approx(REAL_SIZE / 53, rel=0.15)


def test_money_moves_on_working_days_and_fridays_above_all(real_size):
    loans = read(real_size.folder, "loans")

    disbursed = weekday_shares(loans, "disburse_date")
    paid = weekday_shares(payments(real_size.folder), "date_paid")

    assert disbursed == pytest.approx([17, 13, 17, 18, 32, 3, 0], abs=0.5)
    assert paid == pytest.approx([21, 14, 12, 17, 32, 4, 0], abs=2)
    assert paid[6] == 0


def test_loans_end_early_on_the_day_late_or_never_as_often_as_they_should(real_size):
    bullets = {
        row["loan_id"]: row
        for row in read(real_size.folder, "loans")
        if row["frequency"] == "One-time" and row["maturity_date"] < "2025-06-01"
    }
    last = {
        row["loan_id"]: date.fromisoformat(row["date_paid"])
        for row in payments(real_size.folder)
        if float(row["interest"]) >= 0
    }
    after = {
        loan_id: (last[loan_id] - date.fromisoformat(row["maturity_date"])).days
        for loan_id, row in bullets.items()
        if row["loan_status"] == "Complete"
    }

    days = list(after.values())
    assert share(days, lambda late: late < 0) == pytest.approx(0.32, abs=0.02)
    assert share(days, lambda late: late == 0) == pytest.approx(0.43, abs=0.02)
    assert share(days, lambda late: 0 < late <= 90) == pytest.approx(0.23, abs=0.02)
    assert share(days, lambda late: late > 90) == pytest.approx(0.007, abs=0.003)
    never = (len(bullets) - len(after)) / len(bullets)
    assert never == pytest.approx(0.009, abs=0.003)


def test_reclassifications_move_no_cash_and_a_few_cents_are_left(real_size):
    paid = payments(real_size.folder)
    moved = [row for row in paid if float(row["interest"]) < 0]

    assert len(moved) / len(paid) == pytest.approx(0.05, abs=0.01)
    assert all(float(row["to_tax"]) < 0 < float(row["principal"]) for row in moved)
    assert {cash(row) for row in moved} == {Decimal(0)}
    complete = [row for row in read(real_size.folder, "loans") if row["loan_status"] == "Complete"]
    left = share(complete, lambda row: 0 < float(row["outstanding_balance"]) < 0.03)
    assert left == pytest.approx(0.003, abs=0.001)
    assert all(float(row["outstanding_balance"]) < 0.03 for row in complete)


def test_two_cohorts_default_five_to_fifteen_times_as_often(real_size):
    loans = [row for row in read(real_size.folder, "loans") if row["maturity_date"] < "2025-06-01"]
    crises = (("2024-05-06", "2024-06-09"), ("2025-02-24", "2025-03-30"))
    cohorts = [
        [row for row in loans if first <= row["disburse_date"] <= last] for first, last in crises
    ]
    in_crisis = {row["loan_id"] for cohort in cohorts for row in cohort}
    others = [row for row in loans if row["loan_id"] not in in_crisis]

    ordinary = share(others, lambda row: int(row["dpd"]) > 180)
    for cohort in cohorts:
        assert 5 < share(cohort, lambda row: int(row["dpd"]) > 180) / ordinary < 15
