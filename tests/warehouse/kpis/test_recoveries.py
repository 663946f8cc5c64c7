"""RDR_90 and RDR90 @ 12 months by hand: which defaults count, and what came back."""

from decimal import Decimal

import pytest

from tests.warehouse.kpis.loans_by_hand import AS_OF, late, on_time
from tests.warehouse.tape_builder import Tape

# On 2025-12-26 the default events count that are dated 2024-09-28 to 2025-09-27: the loans that
# were due 90 days before, 2024-06-30 to 2025-06-29.
NEWEST_DUE, TOO_NEW = "2025-06-29", "2025-06-30"
OLDEST_DUE, TOO_OLD = "2024-06-30", "2024-06-29"


def defaulted(tape, loan_id, due="2025-03-01", payments=()):  # event on 2025-05-30
    return tape.loan(
        loan_id, disbursed="2024-05-02", principal=100, due=[(due, 100, 10)], payments=payments
    )


def five_defaults(*payments):
    """Return five loans of 100 that were 90 days late on 2025-05-30; the first one pays."""
    tape = on_time(Tape())
    defaulted(tape, "L1", payments=payments)
    for number in range(2, 6):
        defaulted(tape, f"L{number}")
    return tape


def rdr(valued):
    kpi = valued.kpis["rdr_90"]
    return kpi.numerator, kpi.denominator, kpi.value


def test_rdr_90_is_the_principal_that_came_back_after_day_90(value):
    kpi = value(five_defaults(("2025-07-01", 60, 10)), AS_OF).kpis["rdr_90"]

    assert (kpi.numerator, kpi.denominator) == (60, 500)  # of 5 x 100, without the interest
    assert (kpi.value, kpi.status) == (Decimal("0.12"), "critical")


@pytest.mark.parametrize(
    ("paid", "expected"),
    [
        ("2025-05-29", (0, 460, 0)),  # before the event: a smaller balance, no recovery
        ("2025-05-30", (0, 460, 0)),  # on its day: the balance is that of the day's end
        ("2025-05-31", (40, 500, Decimal("0.08"))),
        ("2025-10-01", (40, 500, Decimal("0.08"))),  # written off: recovered all the same
        ("2025-12-26", (40, 500, Decimal("0.08"))),
        ("2025-12-27", (0, 500, 0)),  # after as_of
    ],
)
def test_rdr_90_counts_what_is_paid_after_the_event_up_to_as_of(value, paid, expected):
    assert rdr(value(five_defaults((paid, 40)), AS_OF)) == expected


def test_rdr_90_of_loans_written_off_unpaid_is_zero(value):
    kpi = value(five_defaults(), AS_OF).kpis["rdr_90"]

    assert (kpi.value, kpi.numerator, kpi.status) == (0, 0, "critical")


def test_rdr_90_counts_reclassified_principal(value):
    zero_cash = ("2025-07-01", 10, "-8.70", 0, 0, "-1.30")

    assert rdr(value(five_defaults(zero_cash), AS_OF)) == (10, 500, Decimal("0.02"))


@pytest.mark.parametrize(
    ("due", "is_counted"),
    [(TOO_OLD, False), (OLDEST_DUE, True), (NEWEST_DUE, True), (TOO_NEW, False)],
)
def test_rdr_90_counts_the_events_of_twelve_months_that_had_90_days_to_recover(
    value, due, is_counted
):
    tape = defaulted(five_defaults(), "at the edge", due, payments=[("2025-12-01", 100)])

    numerator, denominator, _ = rdr(value(tape, AS_OF))

    assert (numerator, denominator) == ((100, 600) if is_counted else (0, 500))


def test_rdr_90_counts_the_first_default_of_a_loan_alone(value):
    # late from 2024-05-11, 90 days late on 2024-08-08, cured on 2024-09-01, late again from
    # 2025-01-01: its second default lies in the window, its first one does not
    tape = five_defaults().loan(
        "twice",
        disbursed="2024-04-01",
        principal=200,
        due=[("2024-05-10", 100), ("2025-01-01", 100)],
        payments=[("2024-09-01", 100), ("2025-12-01", 100)],
    )

    assert rdr(value(tape, AS_OF)) == (0, 500, 0)


def test_rdr_90_counts_all_that_is_paid_after_the_first_of_two_defaults(value):
    tape = five_defaults().loan(
        "twice",
        disbursed="2024-09-01",
        principal=200,
        due=[("2024-10-01", 100), ("2025-02-01", 100)],
        payments=[("2025-01-15", 100), ("2025-12-01", 80)],  # after 2024-12-30
    )

    assert rdr(value(tape, AS_OF))[:2] == (180, 700)


def test_rdr_90_does_not_count_a_default_that_a_reversal_made_too_lately(value):
    # paid when due on 2025-03-01 and reversed on 2025-12-01: 275 days late from that day on
    reversed_late = [("2025-03-01", 100, 10), ("2025-12-01", -100, -10)]
    tape = defaulted(five_defaults(), "reversed", payments=reversed_late)

    assert rdr(value(tape, AS_OF)) == (0, 500, 0)


def test_rdr_90_takes_no_loan_that_was_paid_on_its_90th_day(value):
    tape = defaulted(five_defaults(), "in time", payments=[("2025-05-30", 100, 10)])

    assert rdr(value(tape, AS_OF)) == (0, 500, 0)


@pytest.mark.parametrize("events", [0, 4])
def test_rdr_90_is_unknown_with_fewer_than_five_events(value, events):
    tape = on_time(Tape())
    for number in range(events):
        defaulted(tape, f"L{number}", payments=[("2025-07-01", 50)])

    kpi = value(tape, AS_OF).kpis["rdr_90"]

    assert (kpi.value, kpi.status) == (None, "unknown")
    assert kpi.reason == f"only {events} default events, at least 5 are needed"


# ---------------------------------------------------------------- books a year old


@pytest.mark.parametrize(
    ("as_of", "youngest", "too_young"),
    [
        ("2025-12-26", "2024-12-31", "2025-01-01"),
        ("2025-12-01", "2024-12-31", "2025-01-01"),
        ("2025-12-31", "2024-12-31", "2025-01-01"),
        ("2026-01-01", "2025-01-31", "2025-02-01"),
    ],
)
def test_rdr90_12m_books_holds_loans_of_twelve_calendar_months_and_more(
    value, as_of, youngest, too_young
):
    tape = Tape().loan("live 90", disbursed="2024-06-01", principal=500, due="2024-08-01")
    tape.loan("young enough", disbursed=youngest, principal=300, due="2026-06-01")
    tape.loan("too young", disbursed=too_young, principal=7777, due="2025-03-01")

    kpi = value(tape, as_of).kpis["rdr90_12m_books"]

    assert (kpi.numerator, kpi.denominator) == (500, 800)  # written off, and over its principal
    assert (kpi.value, kpi.status) == (Decimal("0.625"), "ok")  # it has no threshold


def test_rdr90_12m_books_counts_what_is_left_from_day_90_on(value):
    tape = late(Tape(), "89", 100, "2025-09-28")
    late(tape, "90", 100, "2025-09-27", payments=[("2025-09-01", 30)])
    late(tape, "181", 100, "2025-06-28", payments=[("2025-09-01", 20)])

    kpi = value(tape, AS_OF).kpis["rdr90_12m_books"]

    assert (kpi.numerator, kpi.denominator, kpi.value) == (150, 300, Decimal("0.5"))  # 70 + 80


def test_rdr90_12m_books_is_zero_when_none_is_late_and_unknown_when_none_is_old(value, healthy):
    old = Tape().loan("L1", disbursed="2024-12-31", principal=100, due="2026-01-02")

    assert value(old, AS_OF).kpis["rdr90_12m_books"].value == 0
    kpi = healthy["rdr90_12m_books"]  # disbursed on 2025-01-02
    assert (kpi.value, kpi.reason) == (None, "no loan is that old yet")
