"""What the tests of the warehouse share: a small tape in, its book and KPIs out."""

from itertools import count

import pytest

from tests.warehouse.tape_builder import day
from tests.warehouse.valued_tape import settings_for, value_csvs


@pytest.fixture
def value(tmp_path):
    """Return a function: a tape and a day in, what the code makes of them out."""
    numbers = count()
    settings = settings_for(tmp_path)

    def value_on(tape, as_of):
        folder = tape.write(tmp_path / f"tape{next(numbers)}")
        [valued] = value_csvs(folder, (day(as_of),), settings)
        return valued

    return value_on
