"""Whoever gets round the triggers is found by the chain, which names the run."""

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.supabase.payloads import payload, run_id

RUNS = 3
PROBLEMS = "select run_id, problem from analytics.verify_audit_chain() order by seq, problem"

ALTERED = "what is stored of the run was altered"
LINK_ALTERED = "the link was altered"
LINK_MISSING = "a link before this one is missing"
NO_CONTINUATION = "it does not continue the link before"
NO_LINK = "the run has no link"

ROWS_OF_THE_RUN = """
delete from analytics.data_quality_results {of_the_run};
delete from analytics.kpi_values {of_the_run};
delete from analytics.raw_artifacts {of_the_run};
delete from analytics.pipeline_runs {of_the_run};
"""
ITS_LINK = "delete from analytics.audit_ledger {of_the_run};"
THE_RUN_AND_ITS_LINK = ITS_LINK + ROWS_OF_THE_RUN
COPY_OF_A_ROW = """
create temporary table copied as
    select * from analytics.{table} where run_id = '{run}' limit 1;
update copied set run_id = '{to}';
do $$ begin
    update copied set artifact_id = gen_random_uuid(), name = 'copied';
exception when undefined_column then begin
    update copied set kpi_name = 'copied';
exception when undefined_column then
    update copied set check_name = 'copied';
end; end $$;
insert into analytics.{table} select * from copied;
"""
A_KPI_SET_TO_ZERO = "update analytics.kpi_values set value = 0 where {a_kpi};"
A_LINK_SET = "update analytics.audit_ledger set"
REFORGED_LINK = """
update analytics.audit_ledger set run_digest = analytics.run_digest(run_id) where run_id = '{run}';
update analytics.audit_ledger
   set entry_hash = analytics.ledger_hash(seq, run_id, run_digest, prev_hash, recorded_at)
 where run_id = '{run}';
"""
SWAPPED_LINKS = """
create temporary table swapped as
    select * from analytics.audit_ledger where run_id in ('{run}', '{other}');
delete from analytics.audit_ledger where run_id in ('{run}', '{other}');
update swapped set run_id = case run_id when '{run}' then '{other}' else '{run}' end::uuid;
insert into analytics.audit_ledger select * from swapped;
"""
SWAPPED_VALUES = """
update analytics.kpi_values k set value = other.value
  from analytics.kpi_values other
 where k.run_id in ('{run}', '{other}') and other.run_id in ('{run}', '{other}')
   and other.run_id <> k.run_id and k.kpi_name = 'par_90' and other.kpi_name = 'rdr_90';
"""


@pytest.fixture
def store(database):
    """A store of three runs."""
    for number in range(1, RUNS + 1):
        record = "select analytics.record_pipeline_run(%s)"
        database.rows("app", record, Jsonb(payload(number)))
    return database


def tamper(store, statements, run=2):
    """Do it as somebody who is allowed everything and has switched the triggers off."""
    named = {
        "run": run_id(run),
        "other": run_id(run + 1),
        "of_the_run": f"where run_id = '{run_id(run)}'",
        "a_kpi": f"run_id = '{run_id(run)}' and kpi_name = 'par_90'",
        "a_moment": "interval '1 microsecond'",
    }
    with psycopg.connect(store.url("superuser")) as connection:
        connection.execute("set local session_replication_role = replica")
        connection.execute(statements.format_map(named))


def problems(store):
    return store.rows("app", PROBLEMS)


def test_an_untouched_store_has_no_problem(store):
    assert problems(store) == []
    assert store.rows("app", "select count(*) from analytics.audit_ledger") == [(RUNS,)]


@pytest.mark.parametrize(
    "statements",
    [
        "update analytics.kpi_values set value = 0.030 where {a_kpi}",
        "update analytics.kpi_values set value = 0.0310 where {a_kpi}",
        "update analytics.kpi_values set numerator = 0 where {a_kpi}",
        "update analytics.kpi_values set run_id = '{other}', segment = 'x' where {a_kpi}",
        "update analytics.pipeline_runs set started_at = started_at - {a_moment} {of_the_run}",
        "update analytics.pipeline_runs set ended_at = ended_at + {a_moment} {of_the_run}",
        "update analytics.pipeline_runs set settings = settings - 'tolerance' {of_the_run}",
        "update analytics.pipeline_runs set settings = settings - 'unset' {of_the_run}",
        "update analytics.raw_artifacts set byte_count = 1 {of_the_run}",
        "update analytics.data_quality_results set observed = 1 {of_the_run}",
    ],
)
def test_a_changed_value_names_its_run(store, statements):
    tamper(store, statements)

    assert (run_id(2), ALTERED) in problems(store)


@pytest.mark.parametrize(
    "statements",
    [
        "delete from analytics.kpi_values where {a_kpi}",
        "delete from analytics.raw_artifacts {of_the_run}",
        "delete from analytics.data_quality_results {of_the_run}",
        "delete from analytics.pipeline_runs {of_the_run}",
        ROWS_OF_THE_RUN,
    ],
    ids=["one KPI", "its artifacts", "its checks", "the run alone", "the run and all its rows"],
)
def test_deleted_rows_name_their_run(store, statements):
    tamper(store, statements)

    assert problems(store) == [(run_id(2), ALTERED)]


@pytest.mark.parametrize("table", ["raw_artifacts", "kpi_values", "data_quality_results"])
def test_an_inserted_row_names_the_run_that_it_was_given_to(store, table):
    tamper(store, COPY_OF_A_ROW.format(table=table, run="{run}", to="{run}"))

    assert problems(store) == [(run_id(2), ALTERED)]


@pytest.mark.parametrize("table", ["raw_artifacts", "kpi_values", "data_quality_results"])
def test_an_inserted_row_of_a_run_that_never_was_is_found(store, table):
    nobody = run_id(99)

    tamper(store, COPY_OF_A_ROW.format(table=table, run="{run}", to=nobody))

    assert (nobody, NO_LINK) in problems(store)


def test_a_run_that_was_inserted_without_the_function_has_no_link(store):
    row = payload(9)["run"] | {"payload_sha256": "d" * 64}
    insert = """
        insert into analytics.pipeline_runs
        select (jsonb_populate_record(null::analytics.pipeline_runs, %s)).*
    """

    store.rows("owner", insert, Jsonb(row))

    assert problems(store) == [(run_id(9), NO_LINK)]


def test_a_deleted_link_is_missed_by_its_run_and_by_the_link_after(store):
    tamper(store, ITS_LINK)

    assert set(problems(store)) == {
        (run_id(2), NO_LINK),
        (run_id(3), LINK_MISSING),
        (run_id(3), NO_CONTINUATION),
    }


def test_a_run_that_is_deleted_with_its_link_is_missed_by_the_link_after(store):
    tamper(store, THE_RUN_AND_ITS_LINK)

    assert set(problems(store)) == {(run_id(3), LINK_MISSING), (run_id(3), NO_CONTINUATION)}


def test_the_newest_run_deleted_with_its_link_is_beyond_the_chain(store):
    """The receipts of deliveries find it: they name a link that is not there any more."""
    tamper(store, THE_RUN_AND_ITS_LINK, run=RUNS)

    assert problems(store) == []


@pytest.mark.parametrize(
    "change",
    [
        "recorded_at = recorded_at - interval '1 microsecond'",
        "run_digest = sha256('another')",
        "entry_hash = sha256('another')",
    ],
)
def test_an_altered_link_names_its_run(store, change):
    tamper(store, f"{A_LINK_SET} {change} {{of_the_run}};")

    assert (run_id(2), LINK_ALTERED) in problems(store)


def test_a_link_made_to_fit_an_altered_run_breaks_the_link_after(store):
    tamper(store, A_KPI_SET_TO_ZERO + REFORGED_LINK)

    assert problems(store) == [(run_id(3), NO_CONTINUATION)]


def test_runs_that_swapped_their_links_are_both_named(store):
    tamper(store, SWAPPED_LINKS)

    assert {run for run, _ in problems(store)} == {run_id(2), run_id(3)}


def test_runs_that_swapped_a_value_are_both_named(store):
    tamper(store, SWAPPED_VALUES)

    assert problems(store) == [(run_id(2), ALTERED), (run_id(3), ALTERED)]


def test_only_the_links_after_the_one_given_are_checked(store):
    tamper(store, A_KPI_SET_TO_ZERO)
    since = "select run_id, problem from analytics.verify_audit_chain(%s)"

    assert store.rows("app", since, 1) == [(run_id(2), ALTERED)]
    assert store.rows("app", since, 2) == []
