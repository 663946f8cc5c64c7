"""An aggregate tape: buckets of days past due of a whole book, a row a day, no loans."""

from datetime import date
from decimal import Decimal

import pytest

from tests.warehouse.kind_tapes import DAILY_HEADER, assert_sound, kpis_of, write_csv
from tests.warehouse.tape_runs import Desk
from warehouse.sealed_kpis import read_health

WITH_120 = f"{DAILY_HEADER},dpd_120_plus_usd"
DAYS = (
    "2025-12-25,900,700,600,10,800,50,20,20,10",
    "2025-12-26,1000,800,700,12,900,50,20,20,10",
    "2025-12-27,1000,800,700,12,850,50,40,20,40",
)


@pytest.fixture
def empty_desk(tmp_path):
    """Return a data folder on which nothing has run."""
    return Desk(tmp_path / "root")


@pytest.fixture
def run(empty_desk, tmp_path):
    """Return a function that runs an aggregate tape of these rows."""

    def run_rows(*rows, header=DAILY_HEADER, as_of=None):
        return empty_desk.run(write_csv(tmp_path / "loan_tape.csv", header, *rows), as_of=as_of)

    return run_rows


@pytest.fixture
def refuse(empty_desk, tmp_path):
    """Return a function that runs rows which must be refused, and returns the line of it."""

    def refuse_rows(*rows, header=DAILY_HEADER, code="QUALITY_GATE"):
        tape = write_csv(tmp_path / "loan_tape.csv", header, *rows)
        return empty_desk.refuse(tape, code=code, as_of=None)

    return refuse_rows


def test_par_of_an_aggregate_tape_is_the_sum_of_the_later_buckets(empty_desk, run):
    outcome = run(*DAYS)

    kpis = kpis_of(outcome)
    par = {name: kpis[name].value for name in ("par_7", "par_30", "par_60", "par_90")}
    # of 1000: 50 + 40 + 20 + 40, 40 + 20 + 40, 20 + 40, 40
    assert par == {
        "par_7": Decimal("0.15"),
        "par_30": Decimal("0.1"),
        "par_60": Decimal("0.06"),
        "par_90": Decimal("0.04"),
    }
    assert kpis["par_90"].basis == "bucketed"
    assert kpis["outstanding"].value == 1000
    assert outcome.sealed.manifest.identity.as_of == date(2025, 12, 27)
    assert_sound(empty_desk, outcome)


def test_its_collection_rate_is_the_cash_over_the_eligible_balance(run):
    rate = kpis_of(run(*DAYS))["collection_rate"]

    assert (rate.numerator, rate.denominator, rate.basis) == (12, 800, "tape_cash_ratio")
    assert rate.value == Decimal("0.015")


def test_its_health_is_degraded_because_nobody_tells_its_recoveries(run):
    outcome = run(*DAYS)

    # par_90 4 %: 4; 1.5 %: 5; (0.5 x 4 + 0.3 x 5) / 0.8
    assert kpis_of(outcome)["portfolio_health"].value == Decimal("4.375")
    scores = {part.kpi: part.score for part in read_health(outcome.sealed)}
    assert scores == {"par_90": 4, "collection_rate": 5, "rdr_90": None}


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("active_loans", "loan_id"),
        ("active_clients", "customer_id"),
        ("written_off", "written_off_principal"),
        ("originations", "disburse_date"),
        ("rdr90_12m_books", "disburse_date"),
        ("rdr_90", "book_history"),
        ("collection_efficiency_30d", "payment, schedule, loan"),
    ],
)
def test_what_needs_loans_is_unknown_with_its_reason(daily_kpis, name, missing):
    kpi = daily_kpis[name]

    assert (kpi.value, kpi.status) == (None, "unknown")
    assert kpi.reason == f"it needs {missing}, which an aggregate tape without loans does not tell"


@pytest.fixture(scope="module")
def daily_kpis(tmp_path_factory):
    """Return the KPIs of the three days by name."""
    folder = tmp_path_factory.mktemp("daily")
    tape = write_csv(folder / "loan_tape.csv", DAILY_HEADER, *DAYS)
    return kpis_of(Desk(folder / "root").run(tape, as_of=None))


@pytest.mark.parametrize("declared", ["2025-12-26", "2025-12-27"])
def test_the_position_is_the_last_one_up_to_the_declared_day(run, declared):
    par_90 = kpis_of(run(*DAYS, as_of=declared))["par_90"]

    assert par_90.numerator == {"2025-12-26": 10, "2025-12-27": 40}[declared]


def test_a_tape_without_its_cash_has_no_collection_rate(run):
    header = DAILY_HEADER.replace(",cash_available_usd", "")

    kpis = kpis_of(run("2025-12-27,1000,800,700,900,50,20,20,10", header=header))

    assert kpis["collection_rate"].value is None
    assert kpis["portfolio_health"].reason == "collection_rate is unknown"
    assert kpis["par_90"].value == Decimal("0.01")


@pytest.mark.parametrize(
    ("cash", "eligible", "value"), [("", "800", None), ("0", "800", 0), ("12", "0", None)]
)
def test_missing_cash_is_unknown_and_no_cash_is_zero(run, cash, eligible, value):
    rate = kpis_of(run(f"2025-12-27,1000,{eligible},700,{cash},900,50,20,20,10"))["collection_rate"]

    assert rate.value == value
    assert (rate.reason is None) == (value is not None)


@pytest.mark.parametrize("first", ["899.89", "900.11"])
def test_buckets_may_miss_the_total_by_a_cent_and_a_ten_thousandth(run, first):
    outcome = run(f"2025-12-27,1000,800,700,12,{first},50,20,20,10")  # 0.01 + 0.0001 x 1000 = 0.11

    assert outcome.outcome == "published"
    assert kpis_of(outcome)["par_90"].value == Decimal("0.01")  # over the total that was told


@pytest.mark.parametrize("first", ["899.88", "900.12"])
def test_buckets_that_miss_the_total_by_more_are_refused(refuse, first):
    line = refuse(DAYS[0], f"2025-12-26,1000,800,700,12,{first},50,20,20,10")

    assert "buckets_differ_from_total (1)" in line
    assert "loan_tape.csv row 2: 2025-12-26: buckets" in line


def test_bad_rows_of_an_aggregate_tape_block_it(refuse):
    line = refuse(
        DAYS[0],
        "2025-12-26,900,700,600,10,800,50,20,20,ten",
        "2025-12-24,900,700,600,10,800,50,20,20,",
        "23/12/2025,900,700,600,10,800,50,20,20,10",
        DAYS[0],
        "2025-12-22,900,700,600,10,800,50,40,20,-10",
        "2025-12-21,900,700,600,-1,800,50,20,20,10",
    )

    told = line.removeprefix("TAPEWATCH-QUALITY_GATE: blocking checks failed: ").split(";")[0]
    assert sorted(told.split(", ")) == [
        "facility_amount_negative (2)",
        "facility_date_repeated (2)",
        "facility_row_unreadable (3)",
    ]


@pytest.mark.parametrize(("past_90", "past_120"), [(30, 40), (40, "")])
def test_the_greater_of_90_plus_and_120_plus_counts(run, past_90, past_120):
    row = f"2025-12-27,1000,800,700,12,850,50,40,20,{past_90},{past_120}"

    outcome = run(row, header=WITH_120)

    assert kpis_of(outcome)["par_90"].value == Decimal("0.04")
    warned = ["bucket_120_beside_90"] if past_120 else []
    assert outcome.sealed.manifest.quality["failed"] == warned


def test_a_last_position_far_before_the_declared_day_is_a_warning(run):
    failed = run(
        "2025-12-22,900,700,600,10,800,50,20,20,10", as_of="2025-12-27"
    ).sealed.manifest.quality["failed"]

    assert failed == ["reporting_date_stale"]  # 5 days before the declared one


def test_a_day_before_every_row_is_refused(empty_desk, tmp_path):
    tape = write_csv(tmp_path / "loan_tape.csv", DAILY_HEADER, *DAYS)

    line = empty_desk.refuse(tape, code="NOTHING_TOLD", as_of="2025-12-24")

    assert "nothing of 2025-12-24 or before" in line


@pytest.mark.parametrize(
    ("as_of", "stale"), [("2025-12-24", []), ("2025-12-25", ["reporting_date_stale"])]
)
def test_the_position_served_is_stale_from_its_fifth_day_whatever_comes_later(run, as_of, stale):
    old = DAYS[0].replace("2025-12-25", "2025-12-20")

    quality = run(old, DAYS[2], as_of=as_of).sealed.manifest.quality

    assert quality["failed"] == stale
