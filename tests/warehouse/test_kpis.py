"""Every KPI by hand, what makes it unknown, and where its windows begin and end."""

import re
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from settings.kpis import find_kpi, load_catalogue
from tests.warehouse.tape_builder import Tape, day
from tests.warehouse.valued_tape import settings_for
from warehouse.engine import SQL_ROOT
from warehouse.kpis import compute_kpi, health_components, prepare_kpis

AS_OF = "2025-12-26"
CATALOGUE = load_catalogue()


def on_time(tape, loan_id="on time", principal=1000, **also):
    """Add a loan of a year that is not due before 2026."""
    return tape.loan(
        loan_id, disbursed="2025-01-02", principal=principal, due="2026-01-02", **also
    )


def late(tape, loan_id, principal, due, **also):
    """Add a loan that was due on one day of 2025."""
    return tape.loan(loan_id, disbursed="2024-12-01", principal=principal, due=due, **also)


# ---------------------------------------------------------------- portfolio at risk


def test_par_is_the_late_share_of_what_is_live(value):
    tape = on_time(Tape(), principal=900)
    late(tape, "120 days", 60, "2025-08-28")  # 3 + 30 + 31 + 30 + 26
    late(tape, "91 days", 40, "2025-09-26")
    late(tape, "181 days", 500, "2025-06-28")  # written off: in neither part

    kpi = value(tape, AS_OF).kpis["par_90"]

    assert (kpi.numerator, kpi.denominator) == (100, 1000)
    assert (kpi.value, kpi.status, kpi.reason) == (Decimal("0.1"), "critical", None)
    assert (kpi.as_of, kpi.basis, kpi.unit) == (day(AS_OF), "ledger", "ratio")


def test_each_par_counts_a_loan_from_its_day_on(value):
    tape = on_time(Tape(), principal=512)
    days_late = {
        "2025-12-20": 1,  # 6 days
        "2025-12-19": 2,  # 7
        "2025-11-27": 4,  # 29
        "2025-11-26": 8,  # 30
        "2025-10-28": 16,  # 59
        "2025-10-27": 32,  # 60
        "2025-09-28": 64,  # 89
        "2025-09-27": 128,  # 90
        "2025-06-29": 256,  # 180
        "2025-06-28": 9999,  # 181
    }
    for due, principal in days_late.items():
        late(tape, due, principal, due)

    kpis = value(tape, AS_OF).kpis

    assert kpis["par_7"].numerator == 2 + 4 + 8 + 16 + 32 + 64 + 128 + 256
    assert kpis["par_30"].numerator == 8 + 16 + 32 + 64 + 128 + 256
    assert kpis["par_60"].numerator == 32 + 64 + 128 + 256
    assert kpis["par_90"].numerator == 128 + 256
    assert {kpis[f"par_{days}"].denominator for days in (7, 30, 60, 90)} == {1023}


@pytest.mark.parametrize("name", ["par_7", "par_30", "par_60", "par_90"])
def test_a_book_without_a_late_loan_has_a_par_of_zero_and_not_unknown(healthy, name):
    assert (healthy[name].value, healthy[name].reason) == (0, None)


@pytest.mark.parametrize("name", ["par_7", "par_30", "par_60", "par_90"])
def test_a_par_without_anything_outstanding_is_unknown(paid_off, name):
    kpi = paid_off[name]

    assert (kpi.value, kpi.status, kpi.reason) == (None, "unknown", "nothing is outstanding")
    assert kpi.numerator == 0


@pytest.mark.parametrize(
    ("late_principal", "status"),
    [("300.00", "ok"), ("300.01", "warning"), ("500.00", "warning"), ("500.01", "critical")],
)
def test_par_90_changes_its_status_strictly_beyond_a_threshold(value, late_principal, status):
    # a ratio has six decimals, so the cent must be a millionth of the book: 10,000 in all
    tape = on_time(Tape(), principal=10_000 - Decimal(late_principal))
    late(tape, "late", late_principal, "2025-09-27")

    assert value(tape, AS_OF).kpis["par_90"].status == status


# ---------------------------------------------------------------- collections

# The 30 days that end on 2025-12-26 begin on 2025-11-27.
FIRST_DAY, DAY_BEFORE = "2025-11-27", "2025-11-26"


def test_collection_rate_is_daily_cash_over_the_mean_live_balance(value):
    tape = on_time(Tape(), payments=[("2025-12-12", 300, 30)])

    kpi = value(tape, AS_OF).kpis["collection_rate"]

    assert kpi.numerator == 330
    assert kpi.denominator == 15 * 1000 + 15 * 700  # 11-27..12-11, 12-12..12-26
    assert kpi.value == Decimal("0.012941")  # 330 / 30 / 850
    assert kpi.status == "warning"  # below 1.5 % a day, not below 1.0 %


@pytest.mark.parametrize(
    ("paid", "cash", "balance_days"),
    [
        (DAY_BEFORE, 0, 30 * 900),
        (FIRST_DAY, 100, 30 * 900),
        (AS_OF, 100, 29 * 1000 + 900),
        ("2025-12-27", 0, 30 * 1000),
    ],
)
def test_collection_rate_sees_30_days_and_both_of_their_ends(value, paid, cash, balance_days):
    kpi = value(on_time(Tape(), payments=[(paid, 100)]), AS_OF).kpis["collection_rate"]

    assert (kpi.numerator, kpi.denominator) == (cash, balance_days)


def test_the_cash_of_closed_and_of_written_off_loans_is_collected_too(value):
    tape = on_time(Tape())
    late(tape, "closed", 200, "2025-12-07", payments=[("2025-12-07", 200, 20)])  # live for 10 days
    late(tape, "written off", 400, "2025-05-01", payments=[("2025-12-07", 50)])  # 239 days late

    kpi = value(tape, AS_OF).kpis["collection_rate"]

    assert kpi.numerator == 270  # 200 + 20 + 50
    assert kpi.denominator == 30 * 1000 + 10 * 200


def test_a_loan_leaves_the_mean_balance_on_its_181st_day(value):
    tape = on_time(Tape())
    late(tape, "late", 100, "2025-06-20")  # 180 days late on 2025-12-17: 21 days live

    assert value(tape, AS_OF).kpis["collection_rate"].denominator == 30 * 1000 + 21 * 100


def test_no_cash_in_30_days_is_a_collection_rate_of_zero(healthy):
    kpi = healthy["collection_rate"]

    assert (kpi.value, kpi.status, kpi.reason) == (0, "critical", None)


def test_collection_rate_needs_30_days_of_ledger(value):
    tape = Tape().loan("L1", disbursed=FIRST_DAY, principal=100, due="2026-01-26")
    younger = Tape().loan("L1", disbursed="2025-11-28", principal=100, due="2026-01-26")

    assert value(tape, AS_OF).kpis["collection_rate"].value == 0
    kpi = value(younger, AS_OF).kpis["collection_rate"]
    assert (kpi.value, kpi.status) == (None, "unknown")
    assert kpi.reason == "the ledger is shorter than the window of the collection rate"


def test_collection_rate_of_a_paid_off_book_is_unknown(paid_off):
    kpi = paid_off["collection_rate"]

    assert (kpi.value, kpi.reason) == (None, "nothing was outstanding in the window")


def test_collection_efficiency_is_cash_received_over_cash_due(value):
    tape = on_time(Tape())
    late(tape, "not all", 100, [("2025-12-01", 100, 20)], payments=[("2025-12-05", 80, 10)])
    late(tape, "not paid", 180, "2025-12-10")

    kpi = value(tape, AS_OF).kpis["collection_efficiency_30d"]

    assert (kpi.numerator, kpi.denominator, kpi.value) == (90, 300, Decimal("0.3"))
    assert kpi.status == "critical"


@pytest.mark.parametrize(
    ("when", "cash"), [(DAY_BEFORE, 0), (FIRST_DAY, 70), (AS_OF, 70), ("2025-12-27", 0)]
)
def test_collection_efficiency_sees_30_days_of_either_cash(value, when, cash):
    tape = late(Tape(), "always in", 100, "2025-12-10", payments=[("2025-12-10", 100)])
    late(tape, "at the edge", 70, when, payments=[(when, 70)])

    kpi = value(tape, AS_OF).kpis["collection_efficiency_30d"]

    assert (kpi.numerator, kpi.denominator, kpi.value) == (100 + cash, 100 + cash, 1)


def test_collection_efficiency_is_above_one_when_arrears_come_in(value):
    tape = late(Tape(), "arrears", 300, "2025-10-01", payments=[("2025-12-01", 300)])
    late(tape, "due", 200, "2025-12-01")

    kpi = value(tape, AS_OF).kpis["collection_efficiency_30d"]

    assert (kpi.value, kpi.status) == (Decimal("1.5"), "ok")


def test_collection_efficiency_without_cash_is_zero(value):
    kpi = value(late(Tape(), "due", 200, "2025-12-01"), AS_OF).kpis["collection_efficiency_30d"]

    assert (kpi.value, kpi.numerator, kpi.denominator) == (0, 0, 200)


def test_collection_efficiency_is_unknown_when_nothing_was_due(healthy):
    kpi = healthy["collection_efficiency_30d"]

    assert (kpi.value, kpi.reason) == (None, "nothing was scheduled in the window")


def test_collection_efficiency_needs_30_days_of_ledger(value):
    tape = Tape().loan("L1", disbursed="2025-11-28", principal=100, due="2025-12-10")

    kpi = value(tape, AS_OF).kpis["collection_efficiency_30d"]

    assert (kpi.value, kpi.reason) == (None, "the ledger is shorter than the window")


@pytest.mark.parametrize(
    ("as_of", "due"),
    [
        ("2025-12-01", 8),
        (AS_OF, 8),  # November
        ("2025-12-30", 8),
        ("2025-12-31", 16),  # December is over
        ("2025-11-30", 8),
        ("2025-11-29", 4),  # October
        ("2025-03-01", 1),  # February
        ("2025-02-28", 1),
    ],
)
def test_collection_rate_month_is_of_the_last_month_that_is_over(value, as_of, due):
    tape = late(Tape(), "February", 1, "2025-02-28")
    late(tape, "October", 4, "2025-10-31")
    late(tape, "November", 8, "2025-11-01", payments=[("2025-11-30", 6)])
    late(tape, "December", 16, "2025-12-31")

    kpi = value(tape, as_of).kpis["collection_rate_month"]

    paid = 6 if due == 8 else 0
    assert (kpi.numerator, kpi.denominator) == (paid, due)
    assert kpi.value == Decimal(paid) / due


def test_collection_rate_month_needs_the_whole_month_of_ledger(value):
    whole = Tape().loan("L1", disbursed="2025-11-01", principal=100, due="2025-11-20")
    part = Tape().loan("L1", disbursed="2025-11-02", principal=100, due="2025-11-20")

    assert value(whole, AS_OF).kpis["collection_rate_month"].value == 0
    kpi = value(part, AS_OF).kpis["collection_rate_month"]
    assert (kpi.value, kpi.reason) == (None, "the ledger is shorter than the last completed month")


def test_collection_rate_month_is_unknown_when_nothing_was_due(healthy):
    kpi = healthy["collection_rate_month"]

    assert (kpi.value, kpi.reason) == (None, "nothing was scheduled in that month")


# ---------------------------------------------------------------- recoveries

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
        ("2025-10-01", (40, 500, Decimal("0.08"))),  # 214 days late: written off, recovered all same
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


# ---------------------------------------------------------------- amounts and counts

COUNTED = ["outstanding", "written_off", "active_loans", "active_clients", "originations"]


def test_the_book_is_counted_by_hand(value):
    tape = on_time(Tape(), "L1", 1000, payments=[("2025-12-01", "250.50")], customer="CLI1")
    on_time(tape, "L2", 100, customer="CLI1")
    late(tape, "L3", 200, "2025-12-01", customer="CLI2")
    late(tape, "L4", 400, "2025-06-28", payments=[("2025-07-01", 90)], customer="CLI3")  # 181 days
    late(tape, "L5", 800, "2025-12-01", payments=[("2025-12-01", 800)], customer="CLI4")  # closed

    kpis = value(tape, AS_OF).kpis

    assert {name: kpis[name].value for name in COUNTED} == {
        "outstanding": Decimal("1049.50"),  # 749.50 + 100 + 200
        "written_off": 310,  # 400 - 90
        "active_loans": 3,  # L1, L2, L3
        "active_clients": 2,  # CLI1, CLI2
        "originations": 0,
    }
    assert all(kpis[name].denominator is None for name in COUNTED)


@pytest.mark.parametrize(
    ("disbursed", "lent"), [(DAY_BEFORE, 0), (FIRST_DAY, 500), (AS_OF, 500), ("2025-12-27", 0)]
)
def test_originations_are_those_of_30_days(value, disbursed, lent):
    tape = on_time(Tape())
    tape.loan("new", disbursed=disbursed, principal=500, due="2026-02-01")

    assert value(tape, AS_OF).kpis["originations"].value == lent


def test_a_loan_lent_and_paid_back_within_the_window_was_originated(value):
    tape = on_time(Tape())
    tape.loan(
        "short",
        disbursed="2025-12-01",
        principal=500,
        due="2025-12-10",
        payments=[("2025-12-10", 500)],
    )

    assert value(tape, AS_OF).kpis["originations"].value == 500


@pytest.mark.parametrize("name", COUNTED)
def test_a_paid_off_book_counts_zero(paid_off, name):
    assert (paid_off[name].value, paid_off[name].reason) == (0, None)


@pytest.mark.parametrize("name", COUNTED)
def test_an_empty_book_is_unknown_and_not_zero(empty, name):
    kpi = empty[name]

    assert (kpi.value, kpi.status, kpi.reason) == (None, "unknown", "the book is empty")
    assert kpi.numerator is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("par_90", "nothing is outstanding"),
        ("collection_rate", "the ledger is shorter than the window of the collection rate"),
        ("collection_efficiency_30d", "the ledger is shorter than the window"),
        ("collection_rate_month", "the ledger is shorter than the last completed month"),
        ("rdr_90", "only 0 default events, at least 5 are needed"),
        ("rdr90_12m_books", "no loan is that old yet"),
        ("portfolio_health", "collection_rate is unknown"),
    ],
)
def test_every_ratio_of_an_empty_book_is_unknown_with_its_reason(empty, name, reason):
    assert (empty[name].value, empty[name].status, empty[name].reason) == (None, "unknown", reason)


# ---------------------------------------------------------------- portfolio health


@pytest.fixture(scope="module")
def health_of(tmp_path_factory):
    """Return a function: the three values (None = unknown) in, the KPI and its parts out."""
    weights = settings_for(tmp_path_factory.mktemp("health")).health

    def compute(**values):
        with duckdb.connect() as db:
            prepare_kpis(db, weights)
            for name, number in values.items():
                db.execute("insert into kpi_result values (?, ?)", [name, number and Decimal(number)])
            kpi = compute_kpi(db, find_kpi("portfolio_health"), {"as_of": day(AS_OF)})
            return kpi, {part.kpi: part for part in health_components(db)}

    return compute


@pytest.mark.parametrize(
    ("name", "at", "score"),
    [
        ("par_90", "0", "10"),
        ("par_90", "0.015", "7.5"),  # half way from 0 to 3 %
        ("par_90", "0.03", "5"),
        ("par_90", "0.04", "4"),  # half way from 3 to 5 %
        ("par_90", "0.05", "3"),
        ("par_90", "0.08", "1.2"),  # 3 - 3 x 3 / 5
        ("par_90", "0.10", "0"),
        ("par_90", "1", "0"),
        ("collection_rate", "-0.001", "0"),  # reversed payments
        ("collection_rate", "0", "0"),
        ("collection_rate", "0.005", "1.5"),
        ("collection_rate", "0.010", "3"),
        ("collection_rate", "0.0125", "4"),
        ("collection_rate", "0.015", "5"),
        ("collection_rate", "0.02", "7.5"),
        ("collection_rate", "0.025", "10"),
        ("collection_rate", "0.5", "10"),
        ("rdr_90", "0", "0"),
        ("rdr_90", "0.25", "3"),
        ("rdr_90", "0.40", "4.2"),  # 3 + 2 x 15 / 25
        ("rdr_90", "0.50", "5"),
        ("rdr_90", "0.75", "7.5"),
        ("rdr_90", "1", "10"),
    ],
)
def test_a_component_scores_straight_lines_between_its_anchors(health_of, name, at, score):
    _, parts = health_of(**{name: at})

    assert parts[name].score == Decimal(score)


def test_health_is_the_weighted_mean_of_its_three_parts(health_of):
    kpi, parts = health_of(par_90="0.04", collection_rate="0.02", rdr_90="0.25")

    assert kpi.value == Decimal("4.85")  # 0.5 x 4 + 0.3 x 7.5 + 0.2 x 3
    assert (kpi.numerator, kpi.denominator, kpi.status) == (Decimal("4.85"), 1, "warning")
    assert {name: (part.weight, part.score) for name, part in parts.items()} == {
        "par_90": (Decimal("0.5"), 4),
        "collection_rate": (Decimal("0.3"), Decimal("7.5")),
        "rdr_90": (Decimal("0.2"), 3),
    }


@pytest.mark.parametrize(
    ("par_90", "collection_rate", "rdr_90", "health", "status"),
    [
        ("0", "0.025", "1", 10, "ok"),
        ("0.03", "0.015", "0.50", 5, "ok"),  # every part on its warning line
        ("0.0301", "0.015", "0.50", Decimal("4.995"), "warning"),  # 4.99 x 0.5 + 5 x 0.5
        ("0.05", "0.010", "0.25", 3, "warning"),  # every part on its critical line
        ("0.0501", "0.010", "0.25", Decimal("2.997"), "critical"),  # 2.994 x 0.5 + 3 x 0.5
        ("0.10", "0", "0", 0, "critical"),
    ],
)
def test_health_on_the_lines_of_its_parts_is_on_its_own_line(
    health_of, par_90, collection_rate, rdr_90, health, status
):
    kpi, _ = health_of(par_90=par_90, collection_rate=collection_rate, rdr_90=rdr_90)

    assert (kpi.value, kpi.status) == (health, status)


def test_without_rdr_90_the_other_weights_share_its_part(health_of):
    kpi, parts = health_of(par_90="0.04", collection_rate="0.02", rdr_90=None)

    assert kpi.value == Decimal("5.3125")  # (0.5 x 4 + 0.3 x 7.5) / 0.8
    assert (kpi.reason, kpi.denominator) == (None, Decimal("0.8"))
    assert (parts["rdr_90"].value, parts["rdr_90"].score) == (None, None)


@pytest.mark.parametrize("unknown", ["par_90", "collection_rate"])
def test_without_par_90_or_collection_rate_health_is_unknown(health_of, unknown):
    values = {"par_90": "0.01", "collection_rate": "0.02", "rdr_90": "0.9"}

    kpi, _ = health_of(**(values | {unknown: None}))

    assert (kpi.value, kpi.status, kpi.reason) == (None, "unknown", f"{unknown} is unknown")


def test_health_of_a_tape_is_made_of_the_kpis_of_the_same_tape(value):
    tape = on_time(Tape(), principal=960, payments=[("2025-11-27", 0, "307.2")])
    late(tape, "late", 64, "2025-09-27")

    valued = value(tape, AS_OF)

    assert valued.kpis["par_90"].value == Decimal("0.0625")  # 64 / 1024
    assert valued.kpis["collection_rate"].value == Decimal("0.01")  # 307.2 / 30 / 1024
    assert valued.health["par_90"].score == Decimal("2.25")  # 3 - 3 x 1.25 / 5
    assert valued.kpis["portfolio_health"].value == Decimal("2.53125")  # (1.125 + 0.9) / 0.8


# ---------------------------------------------------------------- data quality


@pytest.mark.parametrize(
    ("checks", "score"),
    [
        ([("blocking", True), ("quarantine", True), ("warning", True)], "100"),
        ([("blocking", True), ("quarantine", True), ("warning", False)], "85.714286"),  # 6 / 7
        ([("blocking", False), ("quarantine", True), ("warning", True)], "57.142857"),  # 4 / 7
        ([("blocking", False), ("warning", False)], "0"),
    ],
)
def test_data_quality_score_weighs_a_warning_1_and_any_other_check_3(checks, score):
    assert quality_of(checks).value == Decimal(score)


def test_data_quality_score_without_a_check_is_unknown():
    kpi = quality_of([])

    assert (kpi.value, kpi.status, kpi.reason) == (None, "unknown", "no quality check was run")


def quality_of(checks):
    with duckdb.connect() as db:
        db.execute("create table quality_result (level varchar, is_passed boolean)")
        for check in checks:
            db.execute("insert into quality_result values (?, ?)", check)
        return compute_kpi(db, find_kpi("data_quality_score"), {"as_of": day(AS_OF)})


# ---------------------------------------------------------------- the three books everyone shares


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """Return the KPIs of three tapes that several claims are about, valued once."""
    from tests.warehouse.valued_tape import value_csvs

    root = tmp_path_factory.mktemp("shared")
    tapes = {
        "healthy": (on_time(Tape()), AS_OF),
        "paid_off": (on_time(Tape(), payments=[("2025-11-01", 1000)]), AS_OF),
        "empty": (on_time(Tape()), "2025-01-01"),  # the day before the first loan
    }
    settings = settings_for(root)
    return {
        name: value_csvs(tape.write(root / name), (day(as_of),), settings)[0].kpis
        for name, (tape, as_of) in tapes.items()
    }


@pytest.fixture
def healthy(shared):
    return shared["healthy"]


@pytest.fixture
def paid_off(shared):
    return shared["paid_off"]


@pytest.fixture
def empty(shared):
    return shared["empty"]


# ---------------------------------------------------------------- catalogue and SQL agree


def test_every_kpi_has_one_sql_file_and_every_file_an_entry():
    assert {kpi.name for kpi in CATALOGUE} == {path.stem for path in (SQL_ROOT / "kpi").iterdir()}


@pytest.mark.parametrize("kpi", CATALOGUE, ids=lambda kpi: kpi.name)
def test_a_kpi_requires_what_its_sql_says_it_reads_and_what_it_reads(kpi):
    sql = (SQL_ROOT / "kpi" / f"{kpi.name}.sql").read_text()

    assert set(kpi.requires) == tables_named_in_header(sql) == tables_read_by(sql)


def tables_named_in_header(sql):
    [reads] = re.findall(r"^-- reads:(.*?)^-- returns:", sql, re.DOTALL | re.MULTILINE)
    without_columns = re.sub(r"\([^)]*\)", "", reads.replace("--", ""))
    return {name.strip() for name in without_columns.split(",")}


def tables_read_by(sql):
    tree = sqlglot.parse_one(sql, read="duckdb")
    steps = {step.alias for step in tree.find_all(exp.CTE)}
    return {table.name for table in tree.find_all(exp.Table)} - steps


def test_the_hash_of_a_value_is_of_the_sql_that_gave_it(healthy):
    import hashlib

    for name, kpi in healthy.items():
        text = Path(SQL_ROOT / "kpi" / f"{name}.sql").read_bytes()
        assert kpi.definition_sha256 == hashlib.sha256(text).hexdigest()
