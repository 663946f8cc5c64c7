"""Which earlier day a message compares with: a sealed run's, else one of the history in force."""

from dataclasses import replace
from datetime import date

import pytest

from tests.warehouse.messages_by_hand import manifest_of, news_of, value_of
from warehouse.kpi_history import KpiHistory
from warehouse.layout import Layout
from warehouse.message_facts import kpi_facts
from warehouse.near_runs import near_past, near_runs
from warehouse.run_folder import SealedRun, seal

TODAY = date(2025, 12, 10)
BEFORE = date(2025, 12, 1)  # a run nine days ago: within three days of a week ago


def sealed(layout, day, kpis=(), **more):
    staged = layout.staging / day.isoformat()
    staged.mkdir()
    return seal(layout, staged, manifest_of(day, kpis, **more), {})


def made_layout(tmp_path):
    layout = Layout(tmp_path / "data", tmp_path / "logs", "staging-default")
    layout.make()
    return layout


def near(tmp_path, *days):
    """Return by name which of the runs of these days is compared with today."""
    layout = made_layout(tmp_path)
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


# ------------------------------------------------------------------ days that no run told


class Desk:
    """One book, whose run of nine days ago told PAR 90 and has a history."""

    def __init__(self, tmp_path, basis="ledger", **more):
        self.layout = made_layout(tmp_path)
        self.before = sealed(self.layout, BEFORE, [value_of("par_90", 0.04, BEFORE, basis)], **more)

    def worked_out(self, day, value, basis="ledger"):
        on = date.fromisoformat(f"2025-{day}")
        told = (value_of("par_90", value, on, basis),)
        KpiHistory.of(self.layout, self.before).write(on, told)

    def earlier(self, **more):
        """Return what a message of today says of PAR 90's earlier days; it is 0.05 today."""
        news = news_of(TODAY, {"par_90": 0.05}, **more)
        run = SealedRun(self.layout.runs / news.manifest.identity.folder_name, news.manifest)
        found = near_runs(self.layout, news.manifest.identity, self.before)
        news = replace(news, near=found, near_past=near_past(self.layout, run, found))
        told = kpi_facts(news, news.kpis[0])["earlier"]
        return {name: (then["as_of"][5:], then["value"]) for name, then in told.items()}, told


def test_a_month_ago_is_told_by_the_history_where_no_run_is_near(tmp_path):
    desk = Desk(tmp_path)
    desk.worked_out("11-10", 0.03)
    desk.worked_out("11-09", 0.02)  # the tenth is nearer
    desk.worked_out("11-28", 0.01)  # near to neither

    figures, told = desk.earlier()

    assert figures == {"day": ("12-01", "0.04"), "month": ("11-10", "0.03")}
    assert told["month"]["worked_out_from"] == desk.before.name
    assert "worked_out_from" not in told["day"]


@pytest.mark.parametrize(
    ("day", "is_told"), [("11-11", False), ("11-10", True), ("11-07", True), ("11-06", False)]
)
def test_a_day_of_the_history_counts_up_to_three_days_before(tmp_path, day, is_told):
    desk = Desk(tmp_path)
    desk.worked_out(day, 0.03)

    assert ("month" in desk.earlier()[0]) == is_told


def test_a_run_that_is_near_goes_before_the_history(tmp_path):
    desk = Desk(tmp_path)
    sealed(desk.layout, date(2025, 11, 8), [value_of("par_90", 0.06, date(2025, 11, 8))])
    desk.worked_out("11-10", 0.03)

    assert desk.earlier()[0]["month"] == ("11-08", "0.06")


def test_a_near_run_of_another_basis_leaves_the_day_to_the_history(tmp_path):
    desk = Desk(tmp_path)
    other = [value_of("par_90", 0.06, date(2025, 11, 10), "reported")]
    sealed(desk.layout, date(2025, 11, 10), other)
    desk.worked_out("11-09", 0.03)

    assert desk.earlier()[0]["month"] == ("11-09", "0.03")


def test_a_history_of_another_basis_is_not_compared_with(tmp_path):
    desk = Desk(tmp_path, basis="reported")
    desk.worked_out("11-10", 0.03, "reported")

    assert desk.earlier()[0] == {}


def test_a_run_that_finds_the_past_restated_is_compared_with_no_history(tmp_path):
    desk = Desk(tmp_path)
    desk.worked_out("11-10", 0.03)

    figures, _ = desk.earlier(quality={"restated": {"changed": 1}})

    assert figures == {"day": ("12-01", "0.04")}


def test_a_damaged_day_of_the_history_gives_way_to_the_one_before(tmp_path):
    desk = Desk(tmp_path)
    desk.worked_out("11-10", 0.03)
    desk.worked_out("11-09", 0.02)
    (KpiHistory.of(desk.layout, desk.before).folder / "2025-11-10.json").write_text("{")

    assert desk.earlier()[0]["month"] == ("11-09", "0.02")
