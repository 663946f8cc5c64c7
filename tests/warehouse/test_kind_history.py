"""Collections and recoveries of loan tapes: known from the second stored tape on."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from tests.warehouse.kind_tapes import DAILY_HEADER, assert_sound, kpis_of, loan_tape, write_csv
from tests.warehouse.tape_runs import Desk
from tests.warehouse.valued_tape import settings_for

FIRST, SECOND, THIRD = date(2025, 11, 27), date(2025, 12, 12), date(2025, 12, 27)  # 15 days apart
BIG = ("BIG", 10_000, 0)  # so that nothing else moves the balance much
SETTINGS = "TAPEWATCH_QUALITY__"


@pytest.fixture
def history(tmp_path):
    """Return a desk that runs a tape of its loans on a day."""
    return History(tmp_path)


class History:
    """Loan tapes of several days in one data folder."""

    def __init__(self, folder):
        self.folder = folder
        self.desk = Desk(folder / "root")

    def settle(self, **quality):
        """Set settings of the quality gate."""
        named = {f"{SETTINGS}{name.upper()}": value for name, value in quality.items()}
        self.desk.settings = settings_for(self.desk.root, **named)

    def on(self, day, *loans):
        """Run the tape of these loans on this day."""
        return self.desk.run(loan_tape(self.folder / str(day), *loans), as_of=day)


@pytest.fixture(scope="module")
def three_tapes(tmp_path_factory):
    """Return the desk and the last two runs: A pays, B is late, W is written off, N is new."""
    history = History(tmp_path_factory.mktemp("three"))
    history.on(FIRST, ("A", 1000, 0), ("B", 500, 10), ("W", 400, 170))
    new = 300, "2025-12-01"
    second = history.on(
        SECOND, ("A", 900, 0, 1000), ("B", 500, 25), ("W", 400, 185), ("N", 300, 0, *new)
    )
    third = history.on(
        THIRD, ("A", 700, 0, 1000), ("B", 500, 40), ("W", 350, 200, 400), ("N", 200, 0, *new)
    )
    return history.desk, second, third


def test_the_second_loan_tape_gives_a_collection_rate(three_tapes):
    _, second, _ = three_tapes

    rate = kpis_of(second)["collection_rate"]
    # A paid 100 of the 1900 that were live for 15 days; N is new and has paid nothing
    assert (rate.numerator, rate.denominator, rate.basis) == (100, 28_500, "snapshot_delta")
    assert rate.value == Decimal("0.003509")


def test_the_third_loan_tape_pools_the_falls_over_the_days_of_each_balance(three_tapes):
    desk, _, third = three_tapes

    kpis = kpis_of(third)
    rate = kpis["collection_rate"]
    # A 300, N 100 of the 300 lent since, W 50 after its write-off
    assert rate.numerator == 450
    # (A + B + W = 1900) x 15 days + (A + B + N = 1700, W is written off) x 15 days
    assert rate.denominator == 54_000
    assert rate.value == Decimal("0.008333")
    # par_90 = 0: 10; 0.008333: 3 x 0.8333 = 2.4999; (0.5 x 10 + 0.3 x 2.4999) / 0.8 = 7.1874625
    assert kpis["portfolio_health"].value == Decimal("7.187463")
    assert_sound(desk, third)


def test_a_loan_that_left_a_tape_of_open_loans_has_paid_what_it_owed(history):
    history.settle(loan_tape_lists_closed_loans="false")
    history.on(FIRST, ("A", 1000, 0), ("V", 200, 0))

    second = history.on(SECOND, ("A", 1000, 0))

    rate = kpis_of(second)["collection_rate"]
    assert (rate.numerator, rate.denominator) == (200, 1200 * 15)
    assert_sound(history.desk, second)


def test_a_quarantined_loan_has_not_paid(history):
    history.settle(max_rejected_row_ratio="1", max_rejected_balance_ratio="1")
    fine = [(name, 100, 0) for name in "CDEF"]  # so that one bad cell in six is no other locale
    history.on(FIRST, ("A", 1000, 0), *fine, ("Q", 200, 0))

    second = history.on(SECOND, ("A", 900, 0, 1000), *fine, ("Q", 200, "soon"))

    rate = kpis_of(second)["collection_rate"]
    assert (rate.numerator, rate.denominator) == (100, 1400 * 15)  # Q is in neither
    assert_sound(history.desk, second)


def test_an_old_loan_that_appears_late_has_not_paid_its_past(history):
    history.on(FIRST, ("A", 1000, 0))

    second = history.on(SECOND, ("A", 1000, 0), ("O", 100, 0, 500, "2025-03-01"))

    assert kpis_of(second)["collection_rate"].numerator == 0  # nobody knows when O paid 400


def test_a_rising_balance_is_no_negative_payment(history):
    history.on(FIRST, ("A", 900, 0, 1000), ("B", 500, 0))

    second = history.on(SECOND, ("A", 1000, 0), ("B", 480, 0, 500))

    assert kpis_of(second)["collection_rate"].numerator == 20


@pytest.mark.parametrize(("days", "is_known"), [(60, True), (61, False)])
def test_the_tape_that_opens_the_window_is_at_most_two_windows_old(history, days, is_known):
    history.on(THIRD - timedelta(days=days), ("A", 1000, 0))

    rate = kpis_of(history.on(THIRD, ("A", 900, 0, 1000)))["collection_rate"]

    assert (rate.value is not None) == is_known
    assert rate.denominator == (1000 * days if is_known else None)


def run_defaults(history, late_on, dpd, defaults=5):
    """Run loans of 100 each before and after day 90, then 100, 100, 60, 40 and 0 of them left.

    L was late when it was first seen, and has paid all of its 100 since.
    """
    names = [f"R{number}" for number in range(defaults)]
    history.on(date(2025, 8, 29), BIG, ("L", 100, 100), *((name, 100, 61) for name in names))
    history.on(late_on, BIG, ("L", 100, 130), *((name, 100, dpd) for name in names))
    left = dict(zip(names, (100, 100, 60, 40, 0), strict=False))
    loans = ((name, balance, 190 if balance else 0, 100) for name, balance in left.items())
    return history.on(THIRD, BIG, ("L", 0, 0, 100), *loans)


def test_rdr_90_is_what_stored_tapes_saw_recovered_after_day_90(history):
    outcome = run_defaults(history, date(2025, 9, 30), 92)  # their day 90: 28 September

    rdr_90 = kpis_of(outcome)["rdr_90"]
    # 0 + 0 + 40 + 60 + 100 of 5 x 100; L is no event
    assert (rdr_90.numerator, rdr_90.denominator) == (200, 500)
    assert (rdr_90.value, rdr_90.basis) == (Decimal("0.4"), "snapshot_delta")
    assert_sound(history.desk, outcome)


def test_rdr_90_of_four_events_is_unknown(history):
    rdr_90 = kpis_of(run_defaults(history, date(2025, 9, 28), 90, defaults=4))["rdr_90"]

    assert rdr_90.value is None
    assert rdr_90.reason == "the stored tapes show 4 default events, at least 5 are needed"


def test_rdr_90_does_not_count_a_default_that_has_not_had_its_90_days(history):
    rdr_90 = kpis_of(run_defaults(history, date(2025, 9, 30), 91))["rdr_90"]

    # 29 September is 89 days before 27 December, 28 September was 90
    assert rdr_90.reason == "the stored tapes show 0 default events, at least 5 are needed"
    assert rdr_90.denominator is None


def test_stored_tapes_of_another_kind_are_no_history_and_not_compared(desk, tmp_path):
    """The good tape of yesterday has 121 loans with a ledger, none of which is in today's."""
    outcome = desk.run(loan_tape(tmp_path / "today", ("A", 1_000_000, 0)))

    assert outcome.outcome == "published"
    assert kpis_of(outcome)["collection_rate"].value is None
    assert outcome.sealed.manifest.quality["restated"] is None
    assert outcome.sealed.manifest.quality["failed"] == ["customer_id_pattern"]


def test_positions_without_loans_are_no_history_of_a_loan_tape(history):
    row = f"{FIRST},1000,800,700,12,1000,0,0,0,0"
    history.desk.run(write_csv(history.folder / "agg" / "loan_tape.csv", DAILY_HEADER, row))

    rate = kpis_of(history.on(THIRD, ("A", 10, 0)))["collection_rate"]

    assert rate.reason == ("it needs a stored tape at least a week older, of the last two windows")
