"""Where the lines are drawn: strictly beyond, and never worse for a better value."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settings.thresholds import KpiThresholds, Thresholds

RANK = {"ok": 0, "warning": 1, "critical": 2}
lines = st.decimals(-1000, 1000, places=4)
values = st.one_of(lines, st.floats(-1e6, 1e6), st.integers(-1000, 1000))


def drawn(warning, critical, target=None, escalation=None):
    chosen = {"target": target, "warning": warning, "critical": critical, "escalation": escalation}
    return KpiThresholds.model_validate(chosen)


@pytest.mark.parametrize(
    ("value", "status"),
    [("0.03", "ok"), ("0.030001", "warning"), ("0.05", "warning"), ("0.050001", "critical")],
)
def test_where_lower_is_better_a_line_itself_is_still_inside(value, status):
    thresholds = drawn("0.03", "0.05")

    assert thresholds.status(Decimal(value), "lower") == status
    assert thresholds.status(float(value), "lower") == status


@pytest.mark.parametrize(
    ("value", "status"),
    [("0.015", "ok"), ("0.014999", "warning"), ("0.01", "warning"), ("0.009999", "critical")],
)
def test_where_higher_is_better_a_line_itself_is_still_inside(value, status):
    thresholds = drawn("0.015", "0.010")

    assert thresholds.status(Decimal(value), "higher") == status
    assert thresholds.status(float(value), "higher") == status


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), -float("inf"), Decimal("NaN")])
@pytest.mark.parametrize("better", ["lower", "higher"])
def test_what_is_no_number_is_unknown_and_never_healthy(value, better):
    assert drawn(5, 3).status(value, better) == "unknown"


@given(one=values, other=values, warning=lines, gap=st.decimals(0, 100, places=4))
def test_a_better_value_never_has_a_worse_status(one, other, warning, gap):
    low, high = sorted((one, other))
    lower = drawn(warning, warning + gap)
    higher = drawn(warning, warning - gap)

    assert RANK[lower.status(low, "lower")] <= RANK[lower.status(high, "lower")]
    assert RANK[higher.status(low, "higher")] >= RANK[higher.status(high, "higher")]


@given(line=lines, other=lines)
def test_a_float_stands_where_the_figure_it_was_read_from_stands(line, other):
    thresholds = drawn(min(line, other), max(line, other))

    assert thresholds.status(float(line), "lower") == thresholds.status(line, "lower")


@pytest.mark.parametrize(
    ("thresholds", "better", "problem"),
    [
        (drawn(3, 5), "lower", None),
        (drawn(3, 3, target=3, escalation=3), "lower", None),
        (drawn(5, 3), "lower", "critical must not be better than warning"),
        (drawn(3, 5), "higher", "critical must not be better than warning"),
        (drawn(3, 5, target=4), "lower", "warning must not be better than target"),
        (drawn(3, 5, escalation=4), "lower", "escalation must not be better than critical"),
    ],
)
def test_each_line_must_be_the_worse_one(thresholds, better, problem):
    found = thresholds.misplaced(better)

    assert (found or "").startswith(problem or "")
    assert (found is None) == (problem is None)


def test_the_lines_of_the_pipeline_have_no_escalation():
    assert "escalation" not in Thresholds.model_fields
