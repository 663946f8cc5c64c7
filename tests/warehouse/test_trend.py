"""The course of a KPI: sealed runs first, backfilled days between them, one basis a series."""

import io
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from warehouse.durable import make_folder
from warehouse.identity import RunIdentity
from warehouse.json_text import canonical_json
from warehouse.kpi_history import KpiHistory
from warehouse.kpis import KpiValue
from warehouse.layout import Layout
from warehouse.manifest import Manifest
from warehouse.run_folder import runs_back, seal, superseded_runs
from warehouse.sealed_kpis import kpi_document
from warehouse.trend import Point, read_trend

BOOK = ("development", "default")
DAY = date(2025, 12, 10)
NOW = datetime(2025, 12, 11, 9, tzinfo=UTC)


def value(on, number, name="par_90", basis="ledger"):
    figure = None if number is None else Decimal(number)
    status, reason = ("unknown", "no loan is lent") if number is None else ("ok", None)
    return KpiValue(name, on, basis, "ratio", figure, status, None, None, reason, "0" * 64)


class Ledger:
    """One book's data folder, with runs that say no more than a KPI's value."""

    def __init__(self, root):
        self.layout = Layout(root / "data", root / "logs", "development-default")
        self.layout.make()

    def seal(self, on, *values, tape="a", sql="sql", restated=None, portfolio="default"):
        asked = RunIdentity("development", portfolio, on, (tape * 64,), "2", sql, {}, "key")
        manifest = Manifest(
            identity=asked,
            inputs=(),
            ingestion={},
            kpis=kpi_document(values),
            quality={"restated": restated},
            previous_run=None,
            prev_manifest_sha256=None,
            supersedes=tuple(r.manifest.run_id for r in superseded_runs(self.layout, asked)),
            code="test",
            created_at=NOW + timedelta(days=(on - DAY).days),
        )
        return seal(self.layout, make_folder(self.layout.staging / "run"), manifest, {})

    def backfill(self, run, *values):
        for one in values:
            KpiHistory.of(self.layout, run).write(one.as_of, (one,))

    def trend(self, run=None, days=None):
        run = run or next(runs_back(self.layout, BOOK, DAY))
        return read_trend(self.layout, run, ["par_90"], days)["par_90"]

    def newest(self, days):
        return [str(point.as_of)[5:] for point in self.trend(days=days)]

    def figures(self, run=None):
        return {str(point.as_of)[5:]: str(point.value) for point in self.trend(run)}


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path)


def before(days):
    return DAY - timedelta(days=days)


def test_runs_and_backfilled_days_make_one_series_oldest_first(ledger):
    run = ledger.seal(DAY, value(DAY, "0.03"))
    yesterdays = ledger.seal(before(1), value(before(1), "0.02"))
    ledger.backfill(run, value(before(40), "0.01"), value(before(10), None))

    assert ledger.trend() == (
        Point(before(40), Decimal("0.01"), "ok", "ledger", "backfill", run.name),
        Point(before(10), None, "unknown", "ledger", "backfill", run.name, "no loan is lent"),
        Point(before(1), Decimal("0.02"), "ok", "ledger", "run", yesterdays.name),
        Point(DAY, Decimal("0.03"), "ok", "ledger", "run", run.name),
    )


def test_a_sealed_run_outranks_what_was_backfilled_of_its_day(ledger):
    run = ledger.seal(DAY, value(DAY, "0.03"))
    ledger.seal(before(1), value(before(1), "0.02"))
    ledger.backfill(run, value(before(1), "0.99"), value(DAY, "0.98"))

    assert ledger.figures() == {"12-09": "0.02", "12-10": "0.03"}


def test_of_two_runs_of_a_day_the_one_that_superseded_the_other_counts(ledger):
    ledger.seal(before(1), value(before(1), "0.03"), tape="b")
    ledger.seal(before(1), value(before(1), "0.04"), tape="a")
    ledger.seal(DAY, value(DAY, "0.05"))

    assert ledger.figures() == {"12-09": "0.04", "12-10": "0.05"}


def test_the_last_point_is_the_runs_own_although_another_superseded_it(ledger):
    first = ledger.seal(DAY, value(DAY, "0.03"), tape="b")
    second = ledger.seal(DAY, value(DAY, "0.04", basis="reported"), tape="a")

    assert ledger.figures(first) == {"12-10": "0.03"}
    assert ledger.figures(second) == {"12-10": "0.04"}


def test_a_series_has_the_basis_of_the_newest_run(ledger):
    ledger.seal(before(2), value(before(2), "0.01", basis="reported"))
    run = ledger.seal(before(1), value(before(1), "0.02"))
    ledger.backfill(run, value(before(9), "0.05"))
    assert ledger.figures(run) == {"12-01": "0.05", "12-09": "0.02"}

    ledger.seal(DAY, value(DAY, None, basis="reported"))

    assert ledger.figures() == {"12-08": "0.01", "12-10": "None"}


def test_nothing_later_than_the_day_of_the_run_is_told(ledger):
    early = ledger.seal(before(1), value(before(1), "0.02"))
    late = ledger.seal(DAY, value(DAY, "0.03"))
    ledger.backfill(early, value(before(9), "0.01"))
    ledger.backfill(late, value(before(9), "0.99"), value(before(0), "0.98"))

    assert ledger.figures(early) == {"12-01": "0.01", "12-09": "0.02"}


def test_only_the_newest_days_are_read_where_no_more_are_wanted(ledger):
    run = ledger.seal(DAY, value(DAY, "0.03"))
    for n in (1, 2, 5, 6):
        ledger.seal(before(n), value(before(n), "0.02"))
    ledger.seal(before(1), value(before(1), "0.04"), tape="b")
    ledger.backfill(run, *(value(before(n), "0.01") for n in (2, 3, 7)))

    every = ["12-03", "12-04", "12-05", "12-07", "12-08", "12-09", "12-10"]
    assert [ledger.newest(days) for days in range(1, 9)] == [every[-days:] for days in range(1, 9)]


def test_a_run_of_another_portfolio_is_left_out(ledger):
    ledger.seal(DAY, value(DAY, "0.03"))
    ledger.seal(before(1), value(before(1), "0.02"), portfolio="another")

    assert ledger.figures() == {"12-10": "0.03"}


def test_a_day_whose_run_does_not_know_the_kpi_has_no_point(ledger):
    ledger.seal(before(1), value(before(1), "0.02"))
    ledger.seal(DAY, value(DAY, "0.03", name="par_7"))

    assert ledger.figures() == {"12-09": "0.02"}


# ------------------------------------------------------------------ one history, or none


@pytest.fixture
def yesterdays_history(ledger):
    """Yesterday's run, from which one past day was backfilled."""
    run = ledger.seal(before(1), value(before(1), "0.02"))
    ledger.backfill(run, value(before(30), "0.01"))
    return run


def test_the_history_of_an_older_run_stays_in_force(ledger, yesterdays_history):
    ledger.seal(DAY, value(DAY, "0.03"))

    assert ledger.figures() == {"11-10": "0.01", "12-09": "0.02", "12-10": "0.03"}


def test_two_histories_are_never_mixed(ledger, yesterdays_history):
    run = ledger.seal(DAY, value(DAY, "0.03"))
    ledger.backfill(run, value(before(20), "0.05"))

    assert ledger.figures() == {"11-20": "0.05", "12-09": "0.02", "12-10": "0.03"}


@pytest.mark.parametrize(
    "newer", [{"sql": "other sql"}, {"restated": {"changed": 1}}], ids=["other SQL", "restated"]
)
def test_a_newer_run_of_other_sql_or_another_past_ends_it(ledger, yesterdays_history, newer):
    ledger.seal(DAY, value(DAY, "0.03"), **newer)

    assert ledger.figures() == {"12-09": "0.02", "12-10": "0.03"}


def test_the_history_of_a_superseded_run_is_not_in_force(ledger, yesterdays_history):
    ledger.seal(before(1), value(before(1), "0.04"), tape="b")

    assert ledger.figures() == {"12-09": "0.04"}


def test_a_run_that_told_a_restated_past_has_a_history_of_its_own(ledger):
    run = ledger.seal(DAY, value(DAY, "0.03"), restated={"changed": 1})
    ledger.backfill(run, value(before(30), "0.01"))

    assert ledger.figures() == {"11-10": "0.01", "12-10": "0.03"}


def test_a_damaged_day_is_left_out_and_a_strange_file_ignored(ledger, yesterdays_history):
    history = KpiHistory.of(ledger.layout, yesterdays_history)
    ledger.backfill(yesterdays_history, value(before(20), "0.05"))
    (history.folder / f"{before(30)}.json").write_bytes(canonical_json({"values": []}))
    (history.folder / "notes.json").write_text("mine")

    assert ledger.figures() == {"11-20": "0.05", "12-09": "0.02"}


# ------------------------------------------------------------------ a run older than the history


@pytest.fixture
def older(ledger):
    """A run of ten days ago; a later one has a history that reaches to both sides of it."""
    old = ledger.seal(before(10), value(before(10), "0.02"))
    ledger.later = ledger.seal(before(2), value(before(2), "0.03"))
    ledger.backfill(ledger.later, *(value(before(n), "0.01") for n in (5, 10, 40)))
    return old


def test_a_run_older_than_the_history_has_what_it_tells_of_the_days_before(ledger, older):
    assert ledger.figures(older) == {"10-31": "0.01", "11-30": "0.02"}
    assert ledger.trend(older)[0].run == ledger.later.name


def test_a_history_of_the_runs_own_tape_goes_before_a_later_one(ledger, older):
    ledger.backfill(older, value(before(40), "0.07"))

    assert ledger.figures(older) == {"10-31": "0.07", "11-30": "0.02"}


def test_of_two_later_histories_the_nearest_counts(ledger, older):
    run = ledger.seal(DAY, value(DAY, "0.04"))
    ledger.backfill(run, value(before(40), "0.08"))

    assert ledger.figures(older) == {"10-31": "0.01", "11-30": "0.02"}


def test_a_later_history_of_another_basis_is_not_mixed_in(ledger, older):
    tape = ledger.seal(before(9), value(before(9), "0.05", basis="reported"))

    assert ledger.figures(tape) == {"12-01": "0.05"}


@pytest.mark.parametrize("other", [{"sql": "other sql"}, {"restated": {"changed": 1}}])
def test_a_later_history_of_other_sql_or_of_a_restated_past_does_not_count(ledger, other):
    old = ledger.seal(before(10), value(before(10), "0.02"))
    later = ledger.seal(before(2), value(before(2), "0.03"), **other)
    ledger.backfill(later, value(before(40), "0.01"))

    assert ledger.figures(old) == {"11-30": "0.02"}


def test_no_later_history_counts_beyond_a_run_that_found_the_past_restated(ledger, older):
    ledger.seal(before(4), value(before(4), "0.03"), restated={"changed": 1})

    assert ledger.figures(older) == {"11-30": "0.02"}


def test_a_later_history_of_a_superseded_run_does_not_count(ledger, older):
    ledger.seal(before(2), value(before(2), "0.04"), tape="b")

    assert ledger.figures(older) == {"11-30": "0.02"}


# ------------------------------------------------------------------ what it costs


@pytest.fixture
def opened(monkeypatch):
    """How often each file was opened to be read."""
    really, counted = io.open, Counter()

    def count(file, mode="r", *arguments, **more):
        counted[Path(file)] += 1
        return really(file, mode, *arguments, **more)

    monkeypatch.setattr("io.open", count)
    return counted


def test_each_run_and_each_past_day_is_read_once_and_no_more_than_are_wanted(ledger, opened):
    runs = [ledger.seal(before(n), value(before(n), "0.01")) for n in range(20)]
    ledger.backfill(runs[0], *(value(before(n), "0.02") for n in range(10, 40)))
    opened.clear()

    assert len(ledger.trend(runs[0])) == 40
    assert set(opened.values()) == {1}
    assert len(opened) == 19 + 20  # the run's own manifest is in hand; 20 days have no run

    opened.clear()
    assert len(ledger.trend(runs[0], days=7)) == 7
    assert len(opened) == 6
