"""Three tapes that several claims are about, valued once."""

import pytest

from tests.warehouse.kpis.loans_by_hand import AS_OF, on_time
from tests.warehouse.tape_builder import Tape, day
from tests.warehouse.valued_tape import settings_for, value_csvs


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
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
    """Return the KPIs of one loan of 1000 that is not late."""
    return shared["healthy"]


@pytest.fixture
def paid_off(shared):
    """Return the KPIs of one loan that is closed."""
    return shared["paid_off"]


@pytest.fixture
def empty(shared):
    """Return the KPIs of the day before the first loan."""
    return shared["empty"]
