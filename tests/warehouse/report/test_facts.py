"""What the report tells of a run, worked out by hand on a small book and on tapes without one."""

import shutil
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from tests.warehouse.tape_runs import TODAY, YESTERDAY
from warehouse.layout import Layout
from warehouse.manifest import HashMismatchError
from warehouse.report.facts import Bucket, collect_facts, earlier_points, shown_points
from warehouse.report.page import render_page
from warehouse.report.wording import earlier_line
from warehouse.report.write import gather_facts, report_folder, write_page
from warehouse.run_folder import list_runs
from warehouse.sealed_changes import CHANGES_FILE
from warehouse.sealed_kpis import read_kpis
from warehouse.trend import Point


def point(day: date) -> Point:
    return Point(day, Decimal(1), "ok", "ledger", "run", "a run")


def test_each_bucket_holds_the_loans_from_its_first_to_its_last_day(told):
    # the loans are 10 x their days past due, and 1,000 not due; day 181 is written off
    assert told.facts.buckets == (
        Bucket(0, 6, Decimal("1060.00"), 2),  # 1,000 + 10 x 6
        Bucket(7, 29, Decimal("360.00"), 2),  # 10 x (7 + 29)
        Bucket(30, 59, Decimal("890.00"), 2),  # 10 x (30 + 59)
        Bucket(60, 89, Decimal("1490.00"), 2),  # 10 x (60 + 89)
        Bucket(90, None, Decimal("2700.00"), 2),  # 10 x (90 + 180)
    )


def test_the_buckets_add_up_to_what_is_outstanding(told):
    outstanding = told.facts.find("outstanding").value.value

    assert sum(bucket.live_principal for bucket in told.facts.buckets) == outstanding


def test_every_kpi_of_the_run_is_told_and_the_four_come_first(told):
    facts = told.facts

    told_values = [kpi.value for kpi in facts.kpis]
    assert told_values == list(read_kpis(facts.run))
    assert [kpi.value.name for kpi in facts.headlines] == [
        "par_90",
        "collection_rate",
        "rdr_90",
        "portfolio_health",
    ]
    told_apart = [kpi.value.name for kpi in (*facts.headlines, *facts.others)]
    assert sorted(told_apart) == sorted(kpi.value.name for kpi in facts.kpis)


def test_a_trend_has_the_last_point_of_each_of_36_months_and_the_runs_own(told):
    days = [one.as_of for one in told.facts.find("outstanding").trend]

    assert days[0] == date(2022, 12, 31)
    assert days[-2:] == [date(2025, 11, 30), TODAY]
    assert len(days) == 37


def test_the_report_of_an_older_run_has_the_past_that_leads_to_it(told, tmp_path):
    desk = told.desk
    older, newer = list_runs(desk.layout)

    facts = collect_facts(older, desk.layout, desk.settings, tmp_path)

    points = facts.find("outstanding").trend
    assert (points[0].as_of, points[-1].as_of) == (date(2022, 12, 31), YESTERDAY)
    assert {point.run for point in points[:-1]} == {newer.name}  # from whose tape they are
    assert points[-1].run == older.name
    assert "No earlier day is known" not in render_page(facts).decode()


def test_a_past_of_under_three_months_is_told_day_by_day():
    days = [date(2025, 11, 29), date(2025, 12, 1), date(2025, 12, 2)]
    points = tuple(map(point, days))

    assert shown_points(points, date(2025, 12, 2)) == points
    older = point(date(2025, 10, 31))
    assert shown_points((older, *points), date(2025, 12, 2)) == (older, points[0], points[2])


def test_a_week_a_month_and_a_year_before_are_told_from_the_last_three_days_up_to_them():
    today = date(2025, 12, 31)
    known = [date(2024, 12, 27), date(2025, 11, 27), date(2025, 11, 30), date(2025, 12, 25)]
    points = tuple(map(point, known))

    earlier = earlier_points(points, today)

    # the 24th has no point within three days; the month's day is 11-30; 2024-12-31 is four off
    assert {name: one.as_of for name, one in earlier.items()} == {"month": date(2025, 11, 30)}
    assert earlier_points((*points, point(date(2025, 12, 21))), today).keys() == {"week", "month"}
    unknown = replace(point(date(2025, 12, 24)), value=None)
    assert earlier_points((unknown,), today) == {}


def test_a_card_says_what_it_was_before(told):
    facts = told.facts.find("outstanding")
    earlier = {"week": point(date(2025, 12, 20)), "year": point(date(2024, 12, 27))}

    assert earlier_line(replace(facts, earlier=earlier)) == (
        "A week before 1.00 USD (2025-12-20), a year before 1.00 USD (2024-12-27)."
    )
    assert earlier_line(replace(facts, earlier={})) == ""


def test_what_moved_a_kpi_since_the_run_before_is_told_with_its_loans(told):
    change = told.facts.find("par_90").change

    assert change.before.as_of == YESTERDAY
    assert sum(part.amount for part in change.parts) == change.move
    assert all(loan.loan.startswith("#") for part in change.parts for loan in part.largest)


def test_a_run_that_was_sealed_without_its_changes_says_so(told, tmp_path):
    run = told.facts.run
    files = {name: facts for name, facts in run.manifest.files.items() if name != CHANGES_FILE}
    old = replace(run, manifest=replace(run.manifest, files=files))

    facts = collect_facts(old, told.desk.layout, told.desk.settings, tmp_path)

    assert {kpi.change.move for kpi in facts.kpis} == {None}
    assert "did not tell what changed" in render_page(facts).decode()


def test_a_check_that_found_rows_is_told_with_its_first_rows_masked(told):
    failed = {check.name: check for check in told.facts.failed_checks}

    assert list(failed) == told.facts.run.manifest.quality["failed"]
    loans = [row.loan for check in failed.values() for row in check.examples if row.loan]
    assert loans
    assert all(loan.startswith("#") for loan in loans)


def test_the_report_lies_with_the_newest_attempt_that_ended_with_the_run(told):
    desk = told.desk
    first, second = list_runs(desk.layout)

    assert report_folder(second, desk.layout) == desk.layout.latest.resolve()
    assert report_folder(first, desk.layout).name.endswith("_a0")


def test_the_report_of_a_run_without_an_attempt_has_a_folder_of_its_own(told, tmp_path):
    of = told.desk.layout
    shutil.copytree(of.data, tmp_path / "data", ignore=shutil.ignore_patterns("attempts"))
    elsewhere = Layout(tmp_path / "data", tmp_path / "logs", of.book)
    run = told.facts.run

    facts = gather_facts(run, elsewhere, told.desk.settings)
    path = write_page(facts, report_folder(run, elsewhere), elsewhere)

    assert path == tmp_path / "logs" / "runs" / run.name / "report.html"
    assert path.read_bytes() == told.page  # the same run, the same bytes
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_run_whose_book_was_altered_is_reported_to_nobody(told, tmp_path):
    run, desk = told.facts.run, told.desk
    rotten = replace(run, folder=shutil.copytree(run.folder, tmp_path / run.name))
    (rotten.folder / "book.parquet").write_bytes(b"altered")

    with pytest.raises(HashMismatchError, match=r"book\.parquet"):
        collect_facts(rotten, desk.layout, desk.settings, tmp_path)
