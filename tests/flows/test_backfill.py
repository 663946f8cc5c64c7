"""The backfill flow: the same past days as the command line works out, as a task."""

from datetime import date

import pytest

from tests.warehouse.tape_runs import Desk
from warehouse.served import NothingPublishedError
from warehouse.synthetic import SYNTHETIC_AS_OF, write_tape


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("PIPELINE_ENV", "development")
    monkeypatch.setenv("TAPEWATCH_DATA_DIR", str(tmp_path))
    return tmp_path


def test_the_flow_works_out_the_month_ends_it_is_asked_for(prefect_server, home):
    from flows.backfill import backfill

    with pytest.raises(NothingPublishedError):
        backfill()
    Desk(home).run(write_tape(home / "tape", 300).folder, as_of=SYNTHETIC_AS_OF)

    done = backfill(first="2025-09-15", last="2026-01-31")

    assert done.days == done.new == (date(2025, 9, 30), date(2025, 10, 31), date(2025, 11, 30))
    assert backfill(first=date(2025, 9, 15)).new == ()
