"""The Supabase CLI itself takes what supabase/ holds: its migrations, its configuration."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.postgres import MIGRATIONS
from tests.supabase.node import find_supabase_cli

HISTORY = "select version, name from supabase_migrations.schema_migrations order by version"
TABLES = "select count(*) from information_schema.tables where table_schema = 'analytics'"


@pytest.fixture
def supabase(tmp_path):
    """Run the CLI in a copy of supabase/, for it may leave files there, without a home."""
    cli = find_supabase_cli()
    shutil.copytree(MIGRATIONS.parent, tmp_path / "project" / "supabase")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "DO_NOT_TRACK": "1",
        "SUPABASE_NO_UPDATE_NOTIFIER": "1",
    }

    def run(*arguments):
        command = [cli, *arguments, "--workdir", str(tmp_path / "project")]
        done = subprocess.run(  # noqa: S603
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        return done.returncode, done.stdout

    return run


def push(supabase, database):
    return supabase("db", "push", "--yes", f"--remote={database.url('owner')}")


def advise(supabase, database):
    remote = f"--remote={database.url('owner')}"
    return supabase("db", "advisors", remote, "--level", "warn", "--fail-on", "warn")


def test_db_push_applies_every_migration_and_notes_it(supabase, empty_database):
    status, told = push(supabase, empty_database)

    assert status == 0, told
    stems = [Path(path).stem.partition("_") for path in sorted(MIGRATIONS.glob("*.sql"))]
    assert empty_database.rows("owner", HISTORY) == [(version, name) for version, _, name in stems]
    assert empty_database.rows("owner", TABLES) == [(5,)]


def test_a_second_db_push_finds_nothing_to_do(supabase, empty_database):
    push(supabase, empty_database)

    status, told = push(supabase, empty_database)

    assert status == 0
    assert "up to date" in told
    assert "Applying" not in told


def test_the_advisors_of_supabase_warn_of_nothing(supabase, database):
    status, told = advise(supabase, database)

    assert status == 0, told
    assert "No issues found" in told


def test_the_advisors_look_into_analytics(supabase, database):
    database.rows("owner", "create table analytics.planted (loan_id text primary key)")
    database.rows("owner", "grant usage on schema analytics to anon")
    database.rows("owner", "grant select on analytics.planted to anon")

    status, told = advise(supabase, database)

    assert status != 0
    assert "analytics.planted" in told
