"""Portfolio health and data quality by hand: anchors, weights, and what makes them unknown."""

from decimal import Decimal

import duckdb
import pytest

from settings.kpis import find_kpi
from tests.warehouse.kpis.loans_by_hand import AS_OF, late, on_time
from tests.warehouse.tape_builder import Tape, day
from tests.warehouse.valued_tape import settings_for
from warehouse.kpis import compute_kpi, health_components, prepare_kpis


@pytest.fixture(scope="module")
def health_of(tmp_path_factory):
    """Return a function: the three values (None = unknown) in, the KPI and its parts out."""
    weights = settings_for(tmp_path_factory.mktemp("health")).health

    def compute(**values):
        with duckdb.connect() as db:
            prepare_kpis(db, weights)
            for name, number in values.items():  # None = unknown
                db.execute("insert into kpi_result values (?, ?)", [name, number])
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
