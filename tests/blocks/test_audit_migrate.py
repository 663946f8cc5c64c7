"""The store gets its migrations once, whole or not at all, as the Supabase CLI does it."""

import os
import subprocess
import threading
import zipfile
from pathlib import Path

import psycopg
import pytest
from hatchling.builders.wheel import WheelBuilder
from psycopg import sql

from blocks.clients import audit_migrate
from blocks.clients.audit_migrate import (
    MigrationBusyError,
    MigrationFailedError,
    NoHistoryError,
    load_migrations,
    migrate,
)
from blocks.clients.audit_postgres import NoDatabaseUrlError, PostgresStore, need_postgres
from blocks.clients.audit_store import StorePermissionError, StoreUnavailableError
from settings.load import load_settings
from tests.postgres import MIGRATIONS
from tests.supabase.node import find_supabase_cli
from tests.supabase.payloads import payload

ROOT = Path(__file__).parents[2]
HISTORY = "select version, name from supabase_migrations.schema_migrations order by version"
WHAT_IS_THERE = (
    "select nspname from pg_namespace where nspname in ('analytics', 'supabase_migrations')"
)
LOCK = "select pg_advisory_lock(hashtextextended('supabase_migrations', 0))"
OURS = [(migration.version, migration.name) for migration in load_migrations()]


def audit_of(**variables):
    return load_settings({"TAPEWATCH_PII_KEY": "k" * 16} | variables).audit


def store_of(database, role="owner"):
    return PostgresStore(audit_of(SUPABASE_DB_URL=database.url(role)))


@pytest.fixture
def migrations(tmp_path, monkeypatch):
    """A folder of this test's own in the place of supabase/migrations, with what is in there."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    for path in MIGRATIONS.glob("*.sql"):
        (folder / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(audit_migrate, "_SOURCE", folder)
    return folder


def test_an_empty_database_becomes_a_store_that_takes_runs(empty_database):
    applied = migrate(store_of(empty_database))

    assert [(migration.version, migration.name) for migration in applied] == OURS
    assert empty_database.rows("owner", HISTORY) == OURS
    assert store_of(empty_database, "app").record(payload(), 10)["created"] is True


def test_what_is_recorded_is_not_applied_again(empty_database):
    migrate(store_of(empty_database))

    assert migrate(store_of(empty_database)) == ()
    assert empty_database.rows("owner", HISTORY) == OURS


def test_a_migration_that_is_new_is_applied_alone(empty_database, migrations):
    migrate(store_of(empty_database))
    (migrations / "99990101000000_later.sql").write_text("create table analytics.later (x int)")

    (applied,) = migrate(store_of(empty_database))

    assert applied.file == "99990101000000_later.sql"
    assert empty_database.rows("owner", "select count(*) from analytics.later") == [(0,)]
    assert empty_database.rows("owner", HISTORY) == [*OURS, ("99990101000000", "later")]


def test_nothing_is_left_of_a_migration_that_fails(empty_database, migrations):
    broken = "create table analytics.half (x int);\nselect 1 / 0"
    (migrations / "99990101000000_broken.sql").write_text(broken)

    with pytest.raises(MigrationFailedError, match=r"99990101000000_broken\.sql .*nothing of it"):
        migrate(store_of(empty_database))

    assert empty_database.rows("owner", HISTORY) == OURS  # those before it stay
    assert empty_database.rows("owner", "select to_regclass('analytics.half')") == [(None,)]


def test_nothing_at_all_is_left_when_the_first_migration_fails(empty_database, migrations):
    (migrations / "00000101000000_broken.sql").write_text("select 1 / 0")

    with pytest.raises(MigrationFailedError, match="division by zero"):
        migrate(store_of(empty_database))

    assert empty_database.rows("owner", WHAT_IS_THERE) == []


def test_tables_that_no_migration_made_are_refused_and_left_alone(database):
    with pytest.raises(NoHistoryError, match="no record") as raised:
        migrate(store_of(database))

    assert OURS[0][0] in raised.value.fix
    assert database.rows("owner", WHAT_IS_THERE) == [("analytics",)]


def test_a_history_of_other_migrations_is_left_as_it_is(empty_database):
    empty_database.rows("owner", "create schema supabase_migrations")
    empty_database.rows(
        "owner",
        "create table supabase_migrations.schema_migrations"
        " (version text primary key, statements text[], name text)",
    )
    of_another = "insert into supabase_migrations.schema_migrations values ('20200101', null, 'x')"
    empty_database.rows("owner", of_another)

    migrate(store_of(empty_database))

    assert empty_database.rows("owner", HISTORY) == sorted([("20200101", "x"), *OURS])


def test_a_login_that_is_not_the_owner_is_told_so(empty_database):
    with pytest.raises(StorePermissionError) as raised:
        migrate(store_of(empty_database, "app"))

    assert "owner" in raised.value.fix


def test_two_that_migrate_at_once_apply_everything_once(empty_database):
    applied, errors = [], []

    def work():
        try:
            applied.extend(migrate(store_of(empty_database)))
        except Exception as error:  # noqa: BLE001 - shown by the assertion below
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []  # who applied which, and told it first, is chance
    assert sorted((migration.version, migration.name) for migration in applied) == OURS


def test_whoever_waits_too_long_for_another_migration_is_told_to_try_later(
    empty_database, monkeypatch
):
    impatient = audit_migrate._BEGIN.replace(b"'10s'", b"'100ms'")
    monkeypatch.setattr(audit_migrate, "_BEGIN", impatient)

    with psycopg.connect(empty_database.url("owner")) as holder:
        holder.execute(LOCK)
        with pytest.raises(MigrationBusyError, match="nothing of it"):
            migrate(store_of(empty_database))


def test_a_server_without_the_roles_of_a_project_is_told_which_it_needs(empty_database, migrations):
    (migrations / "00000101000000_grant.sql").write_text(
        "create schema s; grant usage on schema s to nobody_known"
    )

    with pytest.raises(MigrationFailedError, match="nobody_known") as raised:
        migrate(store_of(empty_database))
    assert "anon, authenticated, service_role" in raised.value.fix


def test_a_server_that_is_down_is_unavailable():
    url = "postgresql://owner:canary@127.0.0.1:9/x"

    with pytest.raises(StoreUnavailableError) as raised:
        migrate(PostgresStore(audit_of(SUPABASE_DB_URL=url)))
    assert "canary" not in raised.value.line()


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "no store is set"),
        ({"SUPABASE_URL": "https://x.example", "SUPABASE_SERVICE_ROLE": "x"}, "REST alone"),
    ],
)
def test_without_the_url_of_its_postgres_there_is_nothing_to_migrate(variables, said):
    with pytest.raises(NoDatabaseUrlError, match=said) as raised:
        need_postgres(audit_of(**variables), "a migration", "supabase db push")
    assert "SUPABASE_DB_URL" in raised.value.fix
    assert "supabase db push" in raised.value.fix


def test_the_wheel_carries_the_migrations_where_they_are_looked_for(tmp_path):
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])

    folder = audit_migrate._PACKED.relative_to(ROOT).as_posix()
    with zipfile.ZipFile(wheel) as archive:
        packed = {n: archive.read(n) for n in archive.namelist() if n.startswith(f"{folder}/")}
    assert packed == {f"{folder}/{path.name}": path.read_bytes() for path in MIGRATIONS.iterdir()}


def push(database, home):
    """Let the Supabase CLI push; the project's folder is a copy, for it may leave files there."""
    cli = find_supabase_cli()
    folder = home / "supabase" / "migrations"
    folder.mkdir(parents=True)
    for path in MIGRATIONS.glob("*.sql"):
        (folder / path.name).write_bytes(path.read_bytes())
    done = subprocess.run(  # noqa: S603
        [cli, "db", "push", "--yes", f"--remote={database.url('owner')}", "--workdir", str(home)],
        env={"PATH": os.environ["PATH"], "HOME": str(home), "DO_NOT_TRACK": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def columns(database):
    query = sql.SQL(
        "select column_name, data_type, is_nullable from information_schema.columns"
        " where table_schema = 'supabase_migrations' order by ordinal_position"
    )
    return database.rows("owner", query)


@pytest.mark.slow
def test_what_the_supabase_cli_pushed_is_up_to_date(empty_database, tmp_path):
    push(empty_database, tmp_path)

    assert migrate(store_of(empty_database)) == ()


@pytest.mark.slow
def test_what_was_migrated_is_up_to_date_for_the_supabase_cli(databases, tmp_path):
    with databases.empty() as ours, databases.empty() as theirs:
        migrate(store_of(ours))

        assert "up to date" in push(ours, tmp_path / "ours")
        push(theirs, tmp_path / "theirs")
        assert columns(ours) == columns(theirs)
        assert ours.rows("owner", HISTORY) == theirs.rows("owner", HISTORY)
