"""The databases of the tests know nothing of each other."""

import psycopg
import pytest

from tests.postgres import make_roles


def answers(url):
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


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
