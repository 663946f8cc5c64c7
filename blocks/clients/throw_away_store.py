"""An audit store of its own in a throw-away PostgreSQL, which can be told to refuse everybody."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal

import psycopg
from pydantic import SecretStr

from blocks.clients.audit_migrate import migrate
from blocks.clients.audit_postgres import PostgresStore
from blocks.clients.throw_away_postgres import throw_away_server
from settings.connections import AuditSettings

# What a hosted Supabase project has before the first migration.
_ROLES = """
create role anon nologin noinherit;
create role authenticated nologin noinherit;
create role service_role nologin noinherit bypassrls
"""
_SECONDS = 3_600.0


def migrate_bare_server(store: PostgresStore) -> None:
    """Make the roles that a bare server lacks, then every table of the store.

    Raises:
        TapewatchError: The server refused.
    """
    with store.connect(_SECONDS) as connection:
        connection.execute(_ROLES)
    migrate(store)


@dataclass(frozen=True)
class ThrowAwayStore:
    """A store of one database; the server beside it takes orders while the database refuses."""

    settings: AuditSettings
    server_url: str

    def go_down(self) -> None:
        """Refuse every connection from now on, and end those that there are."""
        self._order(
            "alter database audit allow_connections false",
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = 'audit'",
        )

    def come_up(self) -> None:
        """Take connections again; nothing was lost."""
        self._order("alter database audit allow_connections true")

    def _order(self, *statements: str) -> None:
        with psycopg.connect(self.server_url, autocommit=True) as server:
            for statement in statements:
                server.execute(statement.encode())


@contextmanager
def throw_away_store() -> Generator[ThrowAwayStore, None, None]:
    """Yield a migrated store without a row; its server and its folder are gone afterwards.

    Raises:
        ThrowAwayServerError: No server can be started on this machine.
    """
    with throw_away_server() as url:
        server_url = loopback_url(url)
        with psycopg.connect(server_url, autocommit=True) as server:
            server.execute("create database audit")
        url_of_store = loopback_url(url.removesuffix("/postgres") + "/audit")
        store = ThrowAwayStore(loopback_settings(url_of_store), server_url)
        migrate_bare_server(PostgresStore(store.settings))
        yield store


def loopback_url(url: str) -> str:
    """Return the URL for a server on loopback, which has no TLS whatever PGSSLMODE asks for."""
    return f"{url}?sslmode=disable"


def loopback_settings(url: str, connect_seconds: int = 30) -> AuditSettings:
    """Return the settings of a store on loopback."""
    return AuditSettings(
        db_url=SecretStr(url),
        connect_seconds=Decimal(connect_seconds),
        send_seconds=Decimal(60),
    )
