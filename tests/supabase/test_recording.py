"""One call stores one run, whole and once, however often and by however many it is sent."""

import copy
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.postgres import MIGRATIONS
from tests.supabase.payloads import CHECKS, KPIS, payload, run_id

RECORD = "select analytics.record_pipeline_run(%s)"
COUNTS = """
select (select count(*) from analytics.pipeline_runs),
       (select count(*) from analytics.raw_artifacts),
       (select count(*) from analytics.kpi_values),
       (select count(*) from analytics.data_quality_results),
       (select count(*) from analytics.audit_ledger)
"""
NOTHING = (0, 0, 0, 0, 0)
ONE_RUN = (1, 1, len(KPIS), len(CHECKS), 1)
WRITERS = 12


def record(database, sent, role="app"):
    return database.rows(role, RECORD, Jsonb(sent))[0][0]


def refusal(database, sent):
    with pytest.raises(psycopg.Error) as refused:
        record(database, sent)
    return refused.value.sqlstate


def counts(database):
    return database.rows("app", COUNTS)[0]


def problems(database):
    return database.rows("app", "select * from analytics.verify_audit_chain()")


def changed(part, **values):
    """The payload of run 1 with those values in `run`, or in the first of a list."""
    sent = copy.deepcopy(payload(1))
    target = sent[part] if isinstance(sent[part], dict) else sent[part][0]
    target.update(values)
    return sent


def test_a_call_stores_the_run_with_everything_of_it(database):
    receipt = record(database, payload(1))

    assert counts(database) == ONE_RUN
    assert (receipt["run_id"], receipt["created"], receipt["ledger_seq"]) == (
        str(run_id(1)),
        True,
        1,
    )


def test_a_value_is_stored_digit_by_digit(database):
    record(database, changed("kpi_values", value="0.1234567890123456789012345678900"))

    stored = "select value::text from analytics.kpi_values where kpi_name = 'par_90'"
    assert database.rows("app", stored) == [("0.1234567890123456789012345678900",)]


def test_the_receipt_names_the_link_that_is_stored(database):
    receipt = record(database, payload(1))

    link = "select encode(entry_hash, 'hex') from analytics.audit_ledger where seq = %s"
    assert database.rows("app", link, receipt["ledger_seq"]) == [(receipt["ledger_hash"],)]


def test_a_run_that_is_sent_again_comes_back_with_its_first_receipt(database):
    first = record(database, payload(1))
    record(database, payload(2))

    again = record(database, payload(1))

    assert again == first | {"created": False}
    assert counts(database)[-1] == 2


def test_writers_at_once_store_an_equal_run_once(database):
    with ThreadPoolExecutor(WRITERS) as pool:
        receipts = list(pool.map(lambda _: record(database, payload(1)), range(WRITERS)))

    assert sum(receipt["created"] for receipt in receipts) == 1
    assert {receipt["ledger_hash"] for receipt in receipts} == {receipts[0]["ledger_hash"]}
    assert counts(database) == ONE_RUN


def test_of_writers_at_once_with_other_facts_one_wins_and_the_others_hear_of_it(database):
    def send(number):
        try:
            return record(database, payload(1, attempt_id=f"attempt-{number}"))["created"]
        except psycopg.Error as error:
            return error.sqlstate

    with ThreadPoolExecutor(WRITERS) as pool:
        answers = list(pool.map(send, range(WRITERS)))

    assert answers.count(True) == 1
    assert answers.count("PT409") == WRITERS - 1
    assert counts(database) == ONE_RUN


def test_writers_at_once_of_several_runs_leave_a_chain_without_a_gap(database):
    numbers = range(1, WRITERS + 1)
    with ThreadPoolExecutor(WRITERS) as pool:
        receipts = list(pool.map(lambda number: record(database, payload(number)), numbers))

    assert sorted(receipt["ledger_seq"] for receipt in receipts) == list(numbers)
    assert problems(database) == []


@pytest.mark.parametrize(
    "sent",
    [
        changed("run", portfolio="another"),
        changed("kpi_values", value="0.032"),
        changed("raw_artifacts", byte_count=1),
        changed("data_quality_results", observed=1, status="fail"),
        payload(1) | {"kpi_values": payload(1)["kpi_values"][1:]},
    ],
    ids=["the run", "a value", "an artifact", "a check", "a KPI less"],
)
def test_other_facts_under_the_same_run_are_refused_and_change_nothing(database, sent):
    record(database, payload(1))

    assert refusal(database, sent) == "PT409"
    assert counts(database) == ONE_RUN
    assert problems(database) == []


@pytest.mark.parametrize(
    "sent",
    [
        None,
        [],
        "a text",
        {},
        {"schema_version": 1},
        {"schema_version": 1, "run": []},
        {"schema_version": 1, "run": {}},
        payload(1) | {"kpi_values": {}},
        payload(1) | {"kpi_values": ["par_90"]},
        payload(1) | {"kpi_values": payload(1)["kpi_values"] * 2},
        changed("run", run_id="no uuid"),
        changed("run", run_id=None),
        changed("run", status="great"),
        changed("run", ended_at="2025-11-30T00:00:00Z"),
        changed("run", status="failed"),
        changed("kpi_values", value=None),
        changed("kpi_values", value="much"),
        changed("raw_artifacts", sha256="short"),
        changed("data_quality_results", observed=-1),
    ],
)
def test_a_bad_payload_is_refused_for_good_and_nothing_of_it_is_stored(database, sent):
    assert refusal(database, sent) == "PT422"
    assert counts(database) == NOTHING


@pytest.mark.parametrize(
    "sent",
    [
        payload(1) | {"schema_version": 2},
        payload(1) | {"schema_version": "1"},
        payload(1) | {"kpis": []},
        changed("run", colour="red"),
        changed("run", payload_sha256="e" * 64),
        changed("kpi_values", run_id=str(run_id(2))),
    ],
)
def test_what_a_later_migration_may_know_is_refused_until_then(database, sent):
    assert refusal(database, sent) == "PT501"
    assert counts(database) == NOTHING


def test_two_writers_of_one_old_snapshot_are_told_to_try_again(database):
    with psycopg.connect(database.url("app")) as late:
        late.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        late.execute("select 1 from analytics.audit_ledger")  # its snapshot is of now
        record(database, payload(1))
        with pytest.raises(psycopg.errors.SerializationFailure):
            late.execute("select analytics.record_pipeline_run(%s)", [Jsonb(payload(2))])


def test_a_run_that_failed_is_stored_with_its_reason_and_no_value(database):
    why = {"code": "TW-101", "message": "the file is empty", "fix": "send it again"}
    sent = {"schema_version": 1, "run": payload(1, status="failed", error=why)["run"]}

    assert record(database, sent)["created"]
    assert counts(database) == (1, 0, 0, 0, 1)


def test_a_dry_run_does_all_of_it_and_leaves_nothing(database):
    receipt = record(database, payload(1) | {"dry_run": True})

    assert (receipt["dry_run"], receipt["created"], receipt["ledger_seq"]) == (True, True, 1)
    assert counts(database) == NOTHING


def test_a_dry_run_refuses_what_the_run_itself_would_be_refused_for(database):
    assert refusal(database, changed("run", status="great") | {"dry_run": True}) == "PT422"


@pytest.mark.parametrize("value", ["true", 1, "yes", None, {}])
def test_a_dry_run_that_is_not_true_or_false_stores_nothing(database, value):
    assert refusal(database, payload(1) | {"dry_run": value}) == "PT422"
    assert counts(database) == NOTHING


def test_a_dry_run_does_not_change_what_the_run_is_known_by(database):
    record(database, payload(1) | {"dry_run": False})

    assert not record(database, payload(1))["created"]


@pytest.mark.parametrize("role", ["app", "service_role", "owner"])
def test_whoever_may_call_it_gets_the_same_digest(databases, role):
    digest = "select run_digest from analytics.audit_ledger"

    with databases.migrated() as one, databases.migrated() as other:
        record(one, payload(1), role)
        record(other, payload(1), "superuser")

        assert one.rows("app", digest) == other.rows("app", digest)


@pytest.mark.parametrize(
    "setting",
    [
        "timezone = 'Asia/Tokyo'",
        "datestyle = 'German, DMY'",
        "extra_float_digits = -5",
        "bytea_output = 'escape'",
        "intervalstyle = 'sql_standard'",
    ],
)
def test_no_setting_of_a_session_changes_what_is_verified(database, setting):
    with psycopg.connect(database.url("app")) as connection:
        connection.execute(f"set {setting}")
        connection.execute(RECORD, [Jsonb(payload(1))])

    assert problems(database) == []
    with psycopg.connect(database.url("app")) as connection:
        connection.execute(f"set {setting}")
        assert connection.execute("select * from analytics.verify_audit_chain()").fetchall() == []


def test_a_rollback_is_stored_with_its_reason_and_refused_without(database):
    told = {"pipeline": "rollback", "previous_run": "2025-12-02-2"}

    assert refusal(database, changed("run", **told)) == "PT422"
    assert refusal(database, changed("run", **told, decision={"reason": ""})) == "PT422"
    record(database, changed("run", **told, decision={"reason": "the tape was wrong"}))

    assert counts(database)[0] == 1


def test_a_run_stored_before_rollbacks_could_be_keeps_its_digest(empty_database):
    """A null is not told: the chain of a store that is migrated later stays sound."""
    first, *later = sorted(MIGRATIONS.glob("*.sql"))
    with psycopg.connect(empty_database.url("owner")) as connection:
        connection.execute(first.read_text())
    receipt = record(empty_database, payload(1))

    for migration in later:
        with psycopg.connect(empty_database.url("owner")) as connection:
            connection.execute(migration.read_text())

    assert problems(empty_database) == []
    assert record(empty_database, payload(1)) == receipt | {"created": False}
