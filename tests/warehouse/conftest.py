"""What the tests of the warehouse share: a small tape in, its book, its KPIs or its run out."""

import shutil
from itertools import count

import pytest

from tests.warehouse.tape_builder import day
from tests.warehouse.tape_runs import YESTERDAY, Desk, write_good
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


@pytest.fixture(scope="session")
def published_yesterday(tmp_path_factory):
    """Return a data folder with one good run, of YESTERDAY; each test works on a copy of it."""
    root = tmp_path_factory.mktemp("published")
    desk = Desk(root / "root")
    assert desk.run(write_good(root / "tape"), as_of=YESTERDAY).outcome == "published"
    return desk.root


@pytest.fixture
def desk(published_yesterday, tmp_path):
    """Return a data folder on which yesterday's good tape is published."""
    shutil.copytree(published_yesterday, tmp_path / "root", symlinks=True)
    return Desk(tmp_path / "root")


@pytest.fixture
def tape(tmp_path):
    """Return the folder of today's four CSVs, good as they are, for a test to break."""
    return write_good(tmp_path / "tape")
