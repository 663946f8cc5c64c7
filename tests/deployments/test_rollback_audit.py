"""A rollback is in the audit store: who looks there sees what was taken back, and why."""

import json

import psycopg
import pytest

from settings.who import user_name
from tests.deployments.conftest import EARLIER_DAYS
from tests.deployments.test_audit import FORGE, store  # noqa: F401 - a fixture
from tests.postgres import MIGRATIONS
from tests.warehouse.mixed_tape import AS_OF

ROW = """
select pipeline, status, run_folder, previous_run, supersedes, decision, git_sha, manifest_sha256
  from analytics.pipeline_runs where pipeline = 'rollback'
"""


@pytest.fixture
def rolled_back(home, published, tape, tapewatch):
    """Two days published, and the newer one taken back."""
    for day in (EARLIER_DAYS[0], AS_OF):
        assert tapewatch("run", "--input", tape, "--as-of", day).code == 0
    done = tapewatch("rollback", "--reason", "the tape was wrong", "--json")
    assert done.code == 0, done.err
    return json.loads(done.out)


def test_a_rollback_is_a_row_of_the_store_and_a_link_of_its_chain(
    rolled_back,
    store,  # noqa: F811
    tapewatch,
):
    assert tapewatch("deliver").code == 0

    assert rolled_back["seconds"] < 10  # one pointer: what the runbook promises
    [row] = store.rows("app", ROW)
    assert row[:6] == (
        "rollback",
        "success",
        rolled_back["now"],
        rolled_back["before"],
        [rolled_back["before"]],
        {"reason": "the tape was wrong", "by": user_name()},
    )
    same = "select manifest_sha256 from analytics.pipeline_runs where run_folder = %s"
    assert store.rows("app", same, rolled_back["now"]) == [(row[7],), (row[7],)]
    assert store.rows("app", "select max(seq) from analytics.audit_ledger") == [(3,)]
    verdict = tapewatch("audit", "verify", "--json")
    assert verdict.code == 0, verdict.out


def test_a_second_delivery_sends_no_rollback_again(rolled_back, database, tapewatch, monkeypatch):
    monkeypatch.setenv("SUPABASE_DB_URL", database.url("app"))
    tapewatch("deliver")

    assert tapewatch("deliver", "--again").code == 0

    assert len(database.rows("app", ROW)) == 1


def test_a_reason_that_was_altered_in_the_store_is_found(
    rolled_back, database, tapewatch, monkeypatch
):
    monkeypatch.setenv("SUPABASE_DB_URL", database.url("app"))
    tapewatch("deliver")
    altered = "update analytics.pipeline_runs set decision = %s where pipeline = 'rollback'"
    database.rows("superuser", FORGE + altered.replace("%s", """'{"reason": "a whim"}'"""))

    found = tapewatch("audit", "verify")

    assert found.code == 65
    assert "decision is {'reason': 'a whim'}" in " ".join(found.out.split())


def test_before_its_migration_a_rollback_waits_and_holds_no_run_back(
    rolled_back, databases, tape, tapewatch, monkeypatch
):
    first, second = sorted(MIGRATIONS.glob("*.sql"))
    with databases.empty() as old:

        def apply(migration):
            with psycopg.connect(old.url("owner")) as connection:
                connection.execute(migration.read_text())

        apply(first)
        monkeypatch.setenv("SUPABASE_DB_URL", old.url("app"))
        tapewatch("run", "--input", tape, "--as-of", EARLIER_DAYS[1])  # sealed after the rollback

        done = tapewatch("deliver", "--json")

        [told] = json.loads(done.out)["receivers"]
        assert (done.code, told["pending"]) == (78, 1)
        assert "AUDIT_STORE_BEHIND" in done.err
        assert "tapewatch audit migrate" in done.err
        assert old.rows("app", "select count(*) from analytics.pipeline_runs") == [(3,)]

        told = " ".join(tapewatch("doctor").out.split())  # also before anybody rolls back
        assert "fix: apply the migration: tapewatch audit migrate" in told

        apply(second)

        assert tapewatch("deliver").code == 0
        assert len(old.rows("app", ROW)) == 1
        assert tapewatch("audit", "verify").code == 0
