"""The throw-away server leaves nothing behind, and its databases know nothing of each other."""

import socket
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from tests.postgres import make_roles
from tests.supabase import server

ROOT = Path(__file__).parents[2]
HOLDS_A_SERVER = """
import time
from tests.supabase.server import throw_away_server

with throw_away_server() as url:
    print(url, flush=True)
    time.sleep(600)
"""


def answers(url):
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


def within(seconds, holds):
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.05)
    return holds()


def test_a_server_ends_with_a_worker_that_is_killed():
    command = [sys.executable, "-c", HOLDS_A_SERVER]
    with subprocess.Popen(  # noqa: S603
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as worker:
        url = worker.stdout.readline().strip()
        with psycopg.connect(url) as connection:
            folder = Path(connection.execute("show data_directory").fetchone()[0]).parent

        worker.kill()

    assert within(30, lambda: not answers(url))
    assert within(30, lambda: not folder.exists())


def test_a_port_that_somebody_took_in_between_is_left_to_them(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = iter([taken.getsockname()[1], server.free_port()])
        monkeypatch.setattr(server, "free_port", lambda: next(ports))

        with server.throw_away_server() as url:
            assert answers(url)


def test_a_database_is_gone_after_its_test_even_when_someone_is_connected(databases):
    with databases.empty() as made:
        connection = psycopg.connect(made.url("app"))

    with connection, pytest.raises(psycopg.OperationalError):
        connection.execute("select 1")
    assert not answers(made.url("app"))


def test_two_databases_share_no_row(databases):
    with databases.migrated() as one, databases.migrated() as other:
        one.rows("owner", "create table analytics.mine (x int)")

        with pytest.raises(psycopg.errors.UndefinedTable):
            other.rows("owner", "select * from analytics.mine")


def test_a_given_server_gets_its_roles_once(database):
    make_roles(database.superuser_url)

    assert database.rows("anon", "select current_user, session_user") == [("anon", "authenticator")]


def test_a_given_server_must_be_one_that_may_be_spoiled(database):
    with pytest.raises(RuntimeError, match="TEST_DATABASE_URL must be a superuser's"):
        make_roles(database.url("owner"))
