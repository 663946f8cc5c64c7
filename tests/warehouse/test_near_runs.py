"""Which earlier run a message compares with."""

from datetime import date

from tests.warehouse.messages_by_hand import manifest_of
from warehouse.layout import Layout
from warehouse.near_runs import near_runs
from warehouse.run_folder import seal

TODAY = date(2025, 12, 10)


def sealed(layout, day):
    staged = layout.staging / day.isoformat()
    staged.mkdir()
    return seal(layout, staged, manifest_of(day, ()), {})


def near(tmp_path, *days):
    """Return by name which of the runs of these days is compared with today."""
    layout = Layout(tmp_path / "data", tmp_path / "logs")
    layout.make()
    runs = [sealed(layout, date.fromisoformat(f"2025-{day}")) for day in days]
    found = near_runs(layout, manifest_of(TODAY, ()).identity, runs[-1] if runs else None)
    return {name: run and run.name[5:10] for name, run in found.items()}


def test_each_is_the_run_of_its_day_or_of_the_three_days_before_it(tmp_path):
    told = near(tmp_path, "11-10", "11-30", "12-03", "12-06")

    assert told == {"day": "12-06", "week": "12-03", "month": "11-10"}


def test_a_run_of_longer_ago_is_still_the_run_before(tmp_path):
    assert near(tmp_path, "11-25") == {"day": "11-25", "week": None, "month": None}


def test_without_an_earlier_run_there_is_none(tmp_path):
    assert near(tmp_path) == {"day": None, "week": None, "month": None}
