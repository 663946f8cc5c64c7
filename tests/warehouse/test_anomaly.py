"""When a value is unusual against its own past: every figure worked out by hand."""

from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from settings.figures import AnomalySettings
from settings.kpis import find_kpi
from warehouse.anomaly import Anomaly, judge, judge_point
from warehouse.trend import Point

AS_OF = date(2025, 12, 10)
PAR_90, RATE = find_kpi("par_90"), find_kpi("collection_rate")
OUTSTANDING, LOANS = find_kpi("outstanding"), find_kpi("active_loans")


def rules(**changed):
    figures = {"points": 5, "min_points": 5, "factor": "2", "floor_ratio": "0.01"}
    return AnomalySettings.model_validate(figures | changed)


def numbers(*written):
    return [Decimal(str(number)) for number in written]


# median 100; moves from it 20, 10, 0, 10, 30, of which the median is 10; spread 14.826
PAST = numbers(80, 90, 100, 110, 130)


@pytest.mark.parametrize(
    ("value", "is_unusual"),
    [
        ("129.652", False),  # 100 + 2 x 14.826: on the line is still usual
        ("129.653", True),
        ("70.348", False),  # 100 - 2 x 14.826
        ("70.347", True),
        ("100", False),
    ],
)
def test_a_value_is_unusual_strictly_beyond_so_many_spreads(value, is_unusual):
    judged = judge(OUTSTANDING, Decimal(value), PAST, rules())

    assert judged.is_unusual is is_unusual
    assert (judged.median, judged.spread, judged.n) == (100, Decimal("14.826"), 5)
    assert (judged.side is not None) is is_unusual


def test_of_an_even_number_of_values_the_median_is_between_the_two_in_the_middle():
    judged = judge(OUTSTANDING, Decimal(100), numbers(80, 90, 110, 130), rules(min_points=4))

    # median (90 + 110) / 2; moves 20, 10, 10, 30, of which the median is 15
    assert (judged.median, judged.spread) == (100, Decimal("1.4826") * 15)


def test_only_the_newest_values_count():
    judged = judge(OUTSTANDING, Decimal(100), [*numbers(9000, 9000, 9000), *PAST], rules())

    assert (judged.median, judged.n) == (100, 5)


@pytest.mark.parametrize(
    ("kpi", "value", "side"),
    [
        (PAR_90, "0.9", "worse"),
        (PAR_90, "0.1", "better"),
        (RATE, "0.9", "better"),
        (RATE, "0.1", "worse"),
        (OUTSTANDING, "0.9", "higher"),
        (OUTSTANDING, "0.1", "lower"),
    ],
)
def test_the_side_is_told_by_which_direction_is_better(kpi, value, side):
    judged = judge(kpi, Decimal(value), numbers(*["0.5"] * 5), rules())

    assert (judged.is_unusual, judged.side) == (True, side)


@pytest.mark.parametrize(
    ("kpi", "constant", "usual", "unusual"),
    [
        (PAR_90, "0.02", "0.0204", "0.020401"),  # 2 x 1 % of 0.02, more than 2 x 0.01 %
        (PAR_90, "0.001", "0.0012", "0.001201"),  # 2 x 0.01 %, the last figure that is shown
        (PAR_90, "0", "0.0002", "0.000201"),
        (LOANS, "20", "22", "23"),  # 2 x one loan
        (LOANS, "400", "408", "409"),  # 2 x 1 % of 400
        (OUTSTANDING, "0", "0.02", "0.03"),  # 2 x one cent
    ],
)
def test_a_past_that_never_moved_has_a_spread_all_the_same(kpi, constant, usual, unusual):
    past = numbers(*[constant] * 5)

    assert judge(kpi, Decimal(usual), past, rules()).is_unusual is False
    assert judge(kpi, Decimal(unusual), past, rules()).is_unusual is True


def test_a_past_that_moved_once_does_not_hide_behind_it():
    # the median deviation is still 0: three of five values are the median
    judged = judge(OUTSTANDING, Decimal(150), numbers(100, 100, 100, 100, 500), rules())

    assert (judged.is_unusual, judged.spread) == (True, 1)  # 1 % of 100


def test_too_short_a_past_is_unknown_with_its_reason():
    judged = judge(PAR_90, Decimal("0.9"), numbers(*["0.5"] * 4), rules())

    assert judged == Anomaly(
        None, None, None, None, 4, "only 4 earlier values, at least 5 are needed"
    )


def test_an_unknown_value_is_neither_usual_nor_unusual():
    judged = judge(PAR_90, None, numbers(*["0.5"] * 5), rules())

    assert (judged.is_unusual, judged.reason) == (None, "the value itself is unknown")


def points(*values, until=AS_OF):
    first = until - timedelta(days=len(values) - 1)
    return [
        Point(
            first + timedelta(days=n),
            None if value is None else Decimal(str(value)),
            "ok",
            "ledger",
            "run",
            "a run",
            "why" if value is None else None,
        )
        for n, value in enumerate(values)
    ]


def test_a_point_is_judged_by_the_last_points_before_its_day():
    series = points(9000, 90, None, 100, 110, 130, 500, 80, 80, until=AS_OF + timedelta(days=2))

    judged = judge_point(OUTSTANDING, series, AS_OF, rules(min_points=4))

    # of the five before it 90, 100, 110 and 130 are known: median 105; moves 15, 5, 5, 25
    assert (judged.is_unusual, judged.side, judged.n) == (True, "higher", 4)
    assert (judged.median, judged.spread) == (105, Decimal("14.826"))


def test_a_day_without_a_point_cannot_be_judged():
    judged = judge_point(OUTSTANDING, points(*PAST), AS_OF + timedelta(days=1), rules())

    assert (judged.is_unusual, judged.n) == (None, 5)


@given(st.lists(st.integers(0, 10**6), min_size=5, max_size=9), st.integers(0, 10**6))
def test_the_further_out_a_value_lies_the_more_unusual_it_is(past, value):
    history = numbers(*past)
    values = sorted(numbers(value, value + 7, value + 70, value + 10**7))

    judged = [judge(OUTSTANDING, one, history, rules(points=9)) for one in values]

    above = [one.is_unusual for one, at in zip(judged, values, strict=True) if at > one.median]
    assert all(far or not near for near, far in pairwise(above))


def test_more_points_cannot_be_needed_than_count():
    with pytest.raises(ValidationError, match="min_points must not be more than points"):
        rules(min_points=6)
