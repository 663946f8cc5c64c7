"""A shadow run is the same as its run to the last digit, or each line beyond says so."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import duckdb
import pytest

from settings.load import load_settings
from tests.warehouse.tape_runs import NOW, TODAY, YESTERDAY, Desk, good_tape
from warehouse.durable import sha256_file
from warehouse.shadow import compare_shadow, look_at
from warehouse.shadow_day import Side, shadow_day
from warehouse.shadow_report import comparison_page, day_page

SETTINGS = load_settings({"TAPEWATCH_PII_KEY": "k" * 16})


def altered(**changes):
    return SETTINGS.model_copy(update={"shadow": SETTINGS.shadow.model_copy(update=changes)})


@pytest.fixture
def tape(tmp_path):
    return good_tape().write(tmp_path / "tape")


@pytest.fixture
def desks(tmp_path):
    """Two data folders, as production and staging have them."""
    return Desk(tmp_path / "production"), Desk(tmp_path / "staging")


def seen(desk, run):
    return look_at(desk.layout, run.manifest.identity.environment, run)


@pytest.fixture
def pair(desks, tape):
    """The same tape, run in both."""
    return tuple(seen(desk, desk.run(tape, as_of=TODAY).sealed) for desk in desks)


def beyond(comparison):
    return {(line.part, line.what) for line in comparison.beyond}


def test_the_same_tape_by_the_same_code_is_the_same(pair):
    comparison = compare_shadow(*pair, SETTINGS)

    assert (comparison.verdict, comparison.beyond) == ("same", ())
    assert {line.part for line in comparison.lines} == {
        "tape", "KPI", "rows", "check", "errors", "seconds"
    }  # fmt: skip


def test_another_tape_is_not_comparable(desks, tape, tmp_path):
    other = good_tape().loan(
        "KEEP-other", customer="CLI8", disbursed=YESTERDAY, principal=50, due="2026-01-25"
    )
    one = seen(desks[0], desks[0].run(tape, as_of=TODAY).sealed)
    two = seen(desks[1], desks[1].run(other.write(tmp_path / "other"), as_of=TODAY).sealed)

    comparison = compare_shadow(one, two, SETTINGS)

    assert comparison.verdict == "not comparable"
    assert ("tape", "input sha256") in beyond(comparison)


def with_kpi(side, name, factor):
    """The run with one KPI times `factor`."""
    values = [
        value | {"value": str(Decimal(str(value["value"])) * factor)}
        if value["name"] == name
        else value
        for value in side.run.manifest.kpis["values"]
    ]
    manifest = side.run.manifest
    kpis = {**manifest.kpis, "values": values}
    return replace(side, run=replace(side.run, manifest=replace(manifest, kpis=kpis)))


@pytest.mark.parametrize(
    ("factor", "tolerance", "verdict"),
    [("1.01", "0", "differs"), ("1.01", "0.01", "same"), ("1.02", "0.01", "differs")],
)
def test_a_kpi_may_differ_by_its_tolerance_and_no_more(pair, factor, tolerance, verdict):
    reference, shadow = pair
    moved = with_kpi(shadow, "outstanding", Decimal(factor))

    comparison = compare_shadow(reference, moved, altered(kpi_tolerance_ratio=Decimal(tolerance)))

    assert comparison.verdict == verdict
    assert beyond(comparison) == ({("KPI", "outstanding")} if verdict == "differs" else set())


def with_table(side, name, query):
    """The run with one table replaced by what `query` makes of its `rows`."""
    file = side.run.folder / name
    other = file.with_name(f"other-{name}")
    with duckdb.connect() as db:
        db.execute(f"create table rows as from '{file}'")
        db.execute(f"copy ({query}) to '{other}' (format parquet)")
    other.replace(file)
    facts = replace(side.run.manifest.files[name], sha256=sha256_file(file))
    files = {**side.run.manifest.files, name: facts}
    return replace(side, run=replace(side.run, manifest=replace(side.run.manifest, files=files)))


@pytest.mark.parametrize(
    ("query", "apart"),
    [
        ("from rows order by loan_id desc", None),  # the same rows in other bytes
        ("select *, 1 as of_the_next_code from rows", None),
        (
            "select * replace (if(loan_id = (select min(loan_id) from rows), days_past_due + 1, "
            "days_past_due) as days_past_due) from rows",
            "1",
        ),
        ("select * exclude (days_past_due) from rows", "all"),
    ],
)
def test_as_many_rows_with_other_content_are_beyond(pair, query, apart):
    reference, shadow = pair
    rows = reference.run.manifest.files["book.parquet"].rows

    comparison = compare_shadow(reference, with_table(shadow, "book.parquet", query), SETTINGS)

    told = [line.shadow for line in comparison.beyond]
    assert told == ([] if apart is None else [f"{rows:,}" if apart == "all" else apart])


def with_seconds(side, seconds):
    attempt = replace(side.attempt, phase_seconds={"ingestion": seconds})
    return replace(side, attempt=attempt)


@pytest.mark.parametrize(
    ("reference", "shadow", "verdict"),
    [
        (10.0, 20.0, "same"),  # twice as long is not more than twice
        (10.0, 20.1, "differs"),
        (1.0, 5.9, "same"),  # more than twice, yet less than 5 seconds longer
        (20.0, 1.0, "same"),
    ],
)
def test_a_phase_is_slower_beyond_the_factor_and_the_seconds(pair, reference, shadow, verdict):
    one, two = pair

    comparison = compare_shadow(with_seconds(one, reference), with_seconds(two, shadow), SETTINGS)

    assert comparison.verdict == verdict


def test_an_error_that_the_reference_did_not_log_is_beyond(pair):
    reference, shadow = pair

    failing = replace(shadow, errors={"output_error.log": 1})
    known = replace(reference, errors={"ingestion_error.log": 1})

    assert beyond(compare_shadow(reference, failing, SETTINGS)) == {("errors", "output_error.log")}
    assert beyond(compare_shadow(known, failing, SETTINGS)) == {("errors", "output_error.log")}
    assert compare_shadow(known, shadow, SETTINGS).verdict == "same"


def test_more_errors_of_one_log_are_beyond(pair):
    reference = replace(pair[0], errors={"run.log": 1})
    shadow = replace(pair[1], errors={"run.log": 2})

    assert beyond(compare_shadow(reference, shadow, SETTINGS)) == {("errors", "run.log")}


def test_the_page_tells_what_is_beyond_before_everything(pair):
    reference, shadow = pair
    page = comparison_page(
        compare_shadow(reference, with_kpi(shadow, "outstanding", Decimal(2)), SETTINGS)
    )

    assert page.index("**beyond**") < page.index("## Everything")
    assert page.splitlines()[0].endswith(": differs")


def sides(desks):
    return (Side("development", desk.layout) for desk in desks)


def test_a_day_of_shadow_runs_that_agree_is_ready(desks, tape):
    for day in (YESTERDAY, TODAY):
        for desk in desks:
            desk.run(tape, as_of=day)
    later = NOW + timedelta(hours=24)

    day = shadow_day(*sides(desks), 25, later, SETTINGS)

    assert len(day.comparisons) == 2
    assert day.reasons == ("only 24.0 of 25 hours are covered",)
    assert shadow_day(*sides(desks), 24, later, SETTINGS).is_ready


def test_less_than_a_day_is_not_ready(desks, tape):
    for desk in desks:
        desk.run(tape, as_of=TODAY)

    day = shadow_day(*sides(desks), 24, NOW + timedelta(hours=6), SETTINGS)

    assert day.reasons == ("only 6.0 of 24 hours are covered",)
    assert "not ready" in day_page(day).splitlines()[0]


def test_a_shadow_run_without_a_run_beside_it_proves_nothing(desks, tape):
    desks[0].run(tape, as_of=YESTERDAY)
    alone = desks[1].run(tape, as_of=TODAY).sealed

    day = shadow_day(*sides(desks), 24, NOW + timedelta(hours=24), SETTINGS)

    assert day.reasons == (
        f"development/{alone.name} has no run beside it",
        "no shadow run has a run beside it",
    )


def test_a_shadow_run_that_failed_is_a_reason(desks, tape, tmp_path):
    for desk in desks:
        desk.run(tape, as_of=TODAY)
    (tmp_path / "loans.csv").write_text("nothing\n")
    with pytest.raises(Exception, match=r"loans\.csv"):
        desks[1].run(tmp_path / "loans.csv", as_of=date(2025, 12, 28))

    day = shadow_day(*sides(desks), 24, NOW + timedelta(hours=24), SETTINGS)

    assert [reason.rpartition(" ")[2] for reason in day.reasons] == ["failed"]
