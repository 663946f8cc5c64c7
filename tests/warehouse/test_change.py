"""What moved a KPI, worked out by hand: every part, what is told otherwise, what is not known."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from settings.kpis import load_catalogue
from tests.warehouse.kind_tapes import DAILY_HEADER, loan_tape, write_csv
from tests.warehouse.tape_builder import Tape
from tests.warehouse.tape_runs import TODAY, YESTERDAY, Desk
from tests.warehouse.two_books import told_run
from tests.warehouse.valued_tape import settings_for
from warehouse.change import changes_between
from warehouse.engine import sql_names
from warehouse.manifest import Manifest
from warehouse.masking import mask_id
from warehouse.run_folder import SealedRun

RESTATED, OF_TODAY = ("2025-12-20", 100), "2025-12-27"


def told_yesterday() -> Tape:
    """Return eight loans as the tape of YESTERDAY tells them."""
    tape = Tape()
    old = {"disbursed": "2025-01-10"}
    tape.loan("BASE", principal=10_000, due="2026-03-01", **old)
    tape.loan("LATE", principal=400, due="2025-09-28", **old)  # 89 days on YESTERDAY
    tape.loan("CURED", principal=300, due=[("2025-09-01", 100), ("2026-03-01", 200)], **old)
    tape.loan("PART", principal=1000, due="2026-01-10", disbursed="2025-11-27")
    tape.loan("PAID", principal=500, due=OF_TODAY, **old)
    tape.loan("LOST", principal=200, due="2025-06-29", **old)  # 180 days on YESTERDAY
    tape.loan("BACK", principal=150, due="2025-03-01", **old)  # written off long ago
    tape.loan("AGAIN", principal=600, due="2026-01-15", payments=[("2025-12-01", 600)], **old)
    return tape.loan("TOLD", principal=800, due="2026-02-01", **old)


def told_today() -> Tape:
    """Return the same loans a day later, a new one, and a payment of the 20th nobody told."""
    payments = {
        "CURED": (OF_TODAY, 100),
        "PART": (OF_TODAY, 250),
        "PAID": (OF_TODAY, 500),
        "BACK": (OF_TODAY, 50),
        "AGAIN": (OF_TODAY, -600),
        "TOLD": RESTATED,
    }
    tape = Tape()
    for loan in told_yesterday().loans:
        paid = [(cash.on, cash.principal) for cash in loan.payments]
        due = [(cash.on, cash.principal) for cash in loan.due]
        paid += [payments[loan.loan_id]] if loan.loan_id in payments else []
        tape.loan(
            loan.loan_id,
            disbursed=loan.disbursed,
            principal=loan.principal,
            due=due,
            payments=paid,
        )
    return tape.loan("NEW", principal=700, due="2026-02-01", disbursed=OF_TODAY)


def changes(run: SealedRun, before: SealedRun | None, desk: Desk, shown: int = 9):
    found = changes_between(run, before, desk.settings, desk.root / "spill", shown)
    return {change.kpi: change for change in found}


def amounts(change):
    return {part.name: part.amount for part in change.parts}


def rounded(**told):
    return {name: Decimal(told[name]).quantize(Decimal("0.000001")) for name in told}


@pytest.fixture
def empty_desk(tmp_path):
    return Desk(tmp_path / "root")


@pytest.fixture(scope="module")
def two_days(tmp_path_factory):
    """Return the desk, both runs, and what moved between them."""
    folder = tmp_path_factory.mktemp("two-days")
    desk = Desk(folder / "root")
    before = desk.run(told_yesterday().write(folder / "1"), as_of=YESTERDAY).sealed
    after = desk.run(told_today().write(folder / "2"), as_of=TODAY).sealed
    return desk, before, after, changes(after, before, desk)


def test_the_move_of_the_outstanding_balance_is_told_in_parts(two_days):
    change = two_days[-1]["outstanding"]

    # 10000 + 400 + 300 + 1000 + 500 + 200 + 800, then 10000 + 400 + 200 + 750 + 600 + 700 + 700
    assert (change.before.value, change.now.value, change.move) == (13_200, 13_350, 150)
    assert amounts(change) == rounded(
        payment="-350",  # CURED 100, PART 250
        payoff="-500",
        write_off="-200",
        origination="700",
        reopening="600",
        restatement="-100",
    )


def test_the_move_of_par_90_is_told_in_parts_to_the_last_digit(two_days):
    change = two_days[-1]["par_90"]

    # r = 500 / 13200 = 0.037879, then 400 / 13350 = 0.029963; each loan adds (dn - r x dd) / 13350
    assert change.move == Decimal("-0.007916")
    assert amounts(change) == rounded(
        new_delinquency="0.029962",  # 400 / 13350 = 0.0299625: the remainder goes to larger ones
        cure="-0.022188",  # (-300 + r x 100) / 13350
        payment="0.000709",  # r x 250 / 13350
        payoff="0.001419",  # r x 500 / 13350
        write_off="-0.014414",  # (-200 + r x 200) / 13350
        origination="-0.001986",  # -r x 700 / 13350
        reopening="-0.001702",  # -r x 600 / 13350
        restatement="0.000284",  # r x 100 / 13350
    )
    assert sum(amounts(change).values()) == change.move


def test_a_part_tells_its_sums_and_what_each_of_them_moves(two_days):
    parts = {part.name: part for part in two_days[-1]["par_90"].parts}

    cure = parts["cure"]
    assert (cure.numerator, cure.denominator, cure.loans) == (-300, -100, 1)
    assert cure.by_denominator == Decimal("0.000284")  # r x 100 / 13350
    assert cure.by_numerator == Decimal("-0.022472")  # -300 / 13350
    assert cure.by_numerator + cure.by_denominator == cure.amount


def test_a_written_off_loan_that_pays_is_a_recovery(two_days):
    written_off, active = (two_days[-1][name] for name in ("written_off", "active_loans"))

    assert (written_off.move, active.move) == (150, 0)
    assert amounts(written_off) == rounded(write_off="200", recovery="-50")
    assert amounts(active) == rounded(write_off="-1", payoff="-1", origination="1", reopening="1")


def test_what_leaves_the_window_of_a_kpi_is_a_part_of_its_own(two_days):
    change = two_days[-1]["originations"]

    # PART was lent on the first of the 30 days that end YESTERDAY
    assert amounts(change) == rounded(window="-1000", origination="700")


def test_the_loans_behind_a_part_are_masked_with_what_they_owe_and_how_late_they_are(two_days):
    desk, *_, found = two_days
    parts = {part.name: part for part in found["outstanding"].parts}

    [part, cured] = parts["payment"].largest
    assert [loan.loan for loan in (part, cured)] == [
        mask_id(desk.settings.pii_key_bytes(), loan_id) for loan_id in ("PART", "CURED")
    ]
    assert (part.principal_before, part.principal_now, part.amount) == (1000, 750, -250)
    assert (cured.days_past_due_before, cured.days_past_due_now) == (116, 0)
    [told] = parts["restatement"].largest  # both ends are of YESTERDAY
    assert (told.principal_before, told.principal_now, told.days_past_due_now) == (800, 700, 0)
    [new] = parts["origination"].largest
    assert (new.principal_before, new.days_past_due_before) == (None, None)


def test_no_more_loans_are_shown_than_asked_for(two_days):
    desk, before, after, _ = two_days

    found = changes(after, before, desk, shown=1)["outstanding"]

    [payment] = [part for part in found.parts if part.name == "payment"]
    assert payment.loans == 2
    assert [loan.amount for loan in payment.largest] == [-250]


def test_a_kpi_that_is_not_made_of_loans_has_a_move_and_no_parts(two_days):
    change = two_days[-1]["portfolio_health"]

    assert change.move == change.now.value - change.before.value
    assert (change.parts, change.reason) == ((), None)


def test_a_kpi_that_was_unknown_has_no_move(two_days):
    change = two_days[-1]["rdr_90"]

    assert (change.move, change.parts) == (None, ())
    assert change.reason.startswith("it is unknown on 2025-12-27: ")


def test_every_kpi_that_has_parts_tells_them(two_days):
    names = {kpi.name for kpi in load_catalogue() if kpi.has_parts}

    assert names <= set(sql_names("loans"))
    assert {name for name in names if two_days[-1][name].parts} == names - {"rdr90_12m_books"}


def test_a_book_that_came_of_age_moves_a_kpi_of_old_books(empty_desk, tmp_path):
    tape = Tape()
    tape.loan("OLD", disbursed="2024-10-15", principal=1000, due="2024-12-01")
    tape.loan("YEAR", disbursed="2024-12-20", principal=300, due="2025-01-20")
    paid = [("2025-01-10", 500)]
    tape.loan("PAID", disbursed="2024-12-10", principal=500, due="2025-01-10", payments=paid)
    tape.loan("LAST", disbursed="2025-11-30", principal=500, due="2026-01-10")
    folder = tape.write(tmp_path / "tape")
    before = empty_desk.run(folder, as_of="2025-11-30").sealed
    after = empty_desk.run(folder, as_of="2025-12-01").sealed

    change = changes(after, before, empty_desk)["rdr90_12m_books"]

    # 1000 / 1000 of books before December 2024, then 1300 / 1800 of those before January 2025
    assert change.move == Decimal("-0.277778")
    [window] = change.parts
    assert (window.name, window.loans, window.amount) == ("window", 2, change.move)
    assert (window.numerator, window.denominator) == (300, 800)


def test_a_new_rule_of_the_book_restates_the_earlier_day(tmp_path):
    other = {"TAPEWATCH_BOOK__WRITTEN_OFF_AFTER_DAYS": "80"}
    settings = [settings_for(tmp_path / "root"), settings_for(tmp_path / "root", **other)]
    before, after = (
        told_run(told_yesterday(), day, tmp_path / str(day), of_day)
        for day, of_day in zip((YESTERDAY, TODAY), settings, strict=True)
    )

    found = changes_between(after, before, settings[1], tmp_path / "spill", 9)

    [change] = [change for change in found if change.kpi == "outstanding"]
    # beyond 80 days today: LATE 400 (89 days yesterday), CURED 300 (116), LOST 200 (180)
    assert amounts(change) == rounded(restatement="-900")


def test_a_first_run_has_nothing_to_be_compared_with(two_days):
    desk, before, *_ = two_days

    found = changes(before, None, desk)

    assert {change.move for change in found.values()} == {None}
    assert {change.reason for change in found.values()} == {
        "this book has no run that is early enough to compare with"
    }


def test_two_bases_are_never_compared(empty_desk, tmp_path):
    before = empty_desk.run(told_yesterday().write(tmp_path / "1"), as_of=YESTERDAY).sealed
    after = empty_desk.run(loan_tape(tmp_path / "2", ("BASE", 10_000, 0)), as_of=TODAY).sealed

    change = changes(after, before, empty_desk)["outstanding"]

    assert (change.move, change.parts) == (None, ())
    assert "of basis ledger on 2025-12-26 and is of basis reported on 2025-12-27" in change.reason


def test_a_loan_tape_has_two_books_and_no_restatement(empty_desk, tmp_path):
    first = loan_tape(tmp_path / "1", ("A", 900, 0), ("B", 100, 89), ("C", 50, 95, 60))
    before = empty_desk.run(first, as_of=YESTERDAY).sealed
    second = loan_tape(
        tmp_path / "2", ("A", 850, 0, 900), ("B", 100, 90), ("C", 0, 0, 60), ("D", 80, 0)
    )
    after = empty_desk.run(second, as_of=TODAY).sealed

    found = changes(after, before, empty_desk)

    assert amounts(found["outstanding"]) == rounded(payment="-50", payoff="-50", origination="80")
    assert set(amounts(found["par_90"])) == {"new_delinquency", "payment", "payoff", "origination"}
    assert found["par_90"].move == sum(amounts(found["par_90"]).values())


def test_an_aggregate_tape_has_moves_and_no_loans_to_tell_their_parts(empty_desk, tmp_path):
    row = "1000,800,700,12,900,50,20,20,10"
    days = ("2025-12-26", "2025-12-27")
    runs = [
        empty_desk.run(
            write_csv(tmp_path / day / "loan_tape.csv", DAILY_HEADER, f"{day},{row}"), as_of=day
        ).sealed
        for day in days
    ]

    change = changes(runs[1], runs[0], empty_desk)["par_90"]

    assert (change.move, change.parts) == (0, ())
    assert change.reason == "an aggregate tape without loans tells no loans"


def with_manifest(run: SealedRun, **told) -> SealedRun:
    return replace(run, manifest=Manifest(**{**vars(run.manifest), **told}))


def test_loans_that_do_not_add_up_to_what_was_said_are_told_in_no_parts(two_days):
    desk, before, after, _ = two_days
    values = [
        {**value, "numerator": "13200.010000", "value": "13200.010000"}
        if value["name"] == "outstanding"
        else value
        for value in before.manifest.kpis["values"]
    ]

    found = changes(after, with_manifest(before, kpis={"values": values}), desk)

    assert found["outstanding"].move == Decimal("149.99")
    assert found["outstanding"].parts == ()
    assert found["outstanding"].reason.startswith(
        "its loans do not add up to what was said on 2025-12-26"
    )
    assert found["par_90"].parts


def test_an_earlier_run_of_unknown_settings_is_told_in_no_parts(two_days):
    desk, before, after, _ = two_days
    identity = replace(before.manifest.identity, settings={"book": {"closed_below": "0.01"}})

    found = changes(after, with_manifest(before, identity=identity), desk)

    assert found["outstanding"].move == 150
    assert "settings that this version does not know" in found["outstanding"].reason


def test_a_kpi_younger_than_the_earlier_run_has_no_move(two_days):
    desk, before, after, _ = two_days
    values = [value for value in before.manifest.kpis["values"] if value["name"] != "par_90"]

    change = changes(after, with_manifest(before, kpis={"values": values}), desk)["par_90"]

    assert (change.before, change.move) == (None, None)
    assert change.reason == f"run {before.name} is older than the KPI"


def test_days_are_those_of_the_runs(two_days):
    change = two_days[-1]["par_90"]

    assert (change.before.as_of, change.now.as_of) == (date(2025, 12, 26), date(2025, 12, 27))
