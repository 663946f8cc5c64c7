"""The arithmetic by which published parts add up to a published move."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warehouse.change_parts import apportion, published

MILLIONTH = Fraction(1, 10**6)
AMOUNTS = st.fractions(-2, 2, max_denominator=10**9)


@st.composite
def moves(draw):
    """Draw exact parts of a move, and the move between two published ends."""
    parts = draw(st.lists(AMOUNTS, min_size=1, max_size=8))
    before = draw(AMOUNTS)
    move = published(before + sum(parts)) - published(before)
    return move, {str(number): part for number, part in enumerate(parts)}


@given(moves())
def test_parts_add_up_to_the_move_and_none_is_off_by_a_whole_digit(drawn):
    move, exact = drawn

    amounts = apportion(move, exact)

    assert sum(amounts.values()) == move
    assert list(amounts) == list(exact)
    # both ends may fall on a half: then, and only then, a part is off by one digit
    assert all(abs(Fraction(amounts[name]) - exact[name]) <= MILLIONTH for name in exact)


def test_what_is_left_goes_to_the_largest_remainders():
    third = Fraction(1, 3) * MILLIONTH

    assert apportion(Decimal("0.000001"), {"a": third, "b": 2 * third}) == {
        "a": 0,
        "b": Decimal("0.000001"),
    }


def test_equal_remainders_go_by_their_order():
    half = MILLIONTH / 2

    assert apportion(Decimal("0.000001"), {"b": half, "a": half}) == {
        "b": Decimal("0.000001"),
        "a": 0,
    }


@pytest.mark.parametrize("amount", ["12.340000", "-0.050000", "0.000000"])
def test_exact_money_stays_as_it_is(amount):
    exact = Decimal(amount)

    assert apportion(exact, {"payment": Fraction(exact)}) == {"payment": exact}
    assert published(Fraction(exact)) == exact
