"""The course of a KPI: sealed runs first, backfilled days between them, one basis a series."""

import time
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from warehouse.durable import make_folder
from warehouse.identity import RunIdentity
from warehouse.json_text import canonical_json
from warehouse.kpi_history import KpiHistory
from warehouse.kpis import KpiValue
from warehouse.layout import Layout
from warehouse.manifest import Manifest
from warehouse.output import _KPIS
from warehouse.run_folder import seal, superseded_runs
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
            kpis={"values": _KPIS.dump_python(values, mode="json"), "health": []},
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

    def trend(self, until=DAY, name="par_90"):
        return read_trend(self.layout, BOOK, [name], until)[name]

    def newest(self, days):
        points = read_trend(self.layout, BOOK, ["par_90"], DAY, days)["par_90"]
        return [str(point.as_of)[5:] for point in points]

    def figures(self, until=DAY):
        return {str(point.as_of)[5:]: str(point.value) for point in self.trend(until)}


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path)


def before(days):
    return DAY - timedelta(days=days)


def test_a_book_without_runs_has_no_points(ledger):
    assert ledger.trend() == ()


def test_runs_and_backfilled_days_make_one_series_oldest_first(ledger):
    run = ledger.seal(DAY, value(DAY, "0.03"))
    ledger.seal(before(1), value(before(1), "0.02"))
    ledger.backfill(run, value(before(40), "0.01"), value(before(10), None))

    assert ledger.trend() == (
        Point(before(40), Decimal("0.01"), "ok", "ledger", "backfill"),
        Point(before(10), None, "unknown", "ledger", "backfill", "no loan is lent"),
        Point(before(1), Decimal("0.02"), "ok", "ledger", "run"),
        Point(DAY, Decimal("0.03"), "ok", "ledger", "run"),
    )


def test_a_sealed_run_outranks_what_was_backfilled_of_its_day(ledger):
    run = ledger.seal(DAY, value(DAY, "0.03"))
    ledger.seal(before(1), value(before(1), "0.02"))
    ledger.backfill(run, value(before(1), "0.99"), value(DAY, "0.98"))

    assert ledger.figures() == {"12-09": "0.02", "12-10": "0.03"}


def test_of_two_runs_of_a_day_the_one_that_superseded_the_other_counts(ledger):
    ledger.seal(DAY, value(DAY, "0.03"), tape="b")
    ledger.seal(DAY, value(DAY, "0.04"), tape="a")

    assert ledger.figures() == {"12-10": "0.04"}


def test_a_series_has_the_basis_of_the_newest_run(ledger):
    ledger.seal(before(2), value(before(2), "0.01", basis="reported"))
    run = ledger.seal(before(1), value(before(1), "0.02"))
    ledger.backfill(run, value(before(9), "0.05"))
    assert ledger.figures(before(1)) == {"12-01": "0.05", "12-09": "0.02"}

    ledger.seal(DAY, value(DAY, None, basis="reported"))

    assert ledger.figures() == {"12-08": "0.01", "12-10": "None"}


def test_nothing_later_than_the_day_that_is_asked_for_is_told(ledger):
    early = ledger.seal(before(1), value(before(1), "0.02"))
    late = ledger.seal(DAY, value(DAY, "0.03"))
    ledger.backfill(early, value(before(9), "0.01"))
    ledger.backfill(late, value(before(9), "0.99"), value(before(0), "0.98"))

    assert ledger.figures(before(1)) == {"12-01": "0.01", "12-09": "0.02"}


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


@pytest.mark.slow
def test_two_years_of_runs_and_of_history_are_read_within_two_seconds(ledger, monkeypatch):
    monkeypatch.setattr("os.fsync", lambda _fd: None)  # what writing costs is not asked here
    kpis = [f"kpi_{number}" for number in range(16)]
    for n in range(730):
        run = ledger.seal(before(n), *(value(before(n), "0.01", kpi) for kpi in kpis))
        if n == 0:
            for past in range(730, 1460):
                values = tuple(value(before(past), "0.02", kpi) for kpi in kpis)
                KpiHistory.of(ledger.layout, run).write(before(past), values)

    started = time.process_time()
    trend = read_trend(ledger.layout, BOOK, kpis, DAY)

    assert time.process_time() - started < 2
    assert [len(points) for points in trend.values()] == [1460] * 16
