"""Apply supabase/migrations to the store's Postgres, noted where the Supabase CLI notes them."""

import re
from dataclasses import dataclass
from pathlib import Path

import psycopg

from blocks.clients.audit_postgres import PostgresStore
from blocks.clients.audit_store import StorePermissionError
from settings.errors import BusyError, ConfigError, InternalError, TapewatchError

_PACKED = Path(__file__).with_name("migrations")  # where the wheel carries them
_SOURCE = Path(__file__).parents[2] / "supabase" / "migrations"
_FILE = re.compile(r"(\d+)_(.*)\.sql")
_SECONDS = 600.0
_IS_BUSY, _REFUSED, _UNKNOWN_NAME = "55P03", "42501", "42704"

# All of it ends with the transaction, which keeps it safe behind a transaction pooler.
_BEGIN = b"""
set local lock_timeout = '10s';
set local statement_timeout = '600s';
select pg_advisory_xact_lock(hashtextextended('supabase_migrations', 0));
"""
_HAS_HISTORY = b"select to_regclass('supabase_migrations.schema_migrations') is not null"
_MAKE_HISTORY = b"""
create schema if not exists supabase_migrations;
create table if not exists supabase_migrations.schema_migrations (
  version text not null primary key, statements text[], name text
);
"""
_RECORDED = b"select version from supabase_migrations.schema_migrations"
_RECORD = b"""
insert into supabase_migrations.schema_migrations (version, statements, name) values (%s, %s, %s)
"""
_HAS_TABLES = b"""
select exists (
  select from pg_class
   where relnamespace = to_regnamespace('analytics')
     and relname in ('pipeline_runs', 'raw_artifacts', 'kpi_values', 'data_quality_results',
                     'audit_ledger'))
"""


class MigrationFailedError(ConfigError):
    """The database refused a migration; nothing of it is left there."""

    code = "AUDIT_MIGRATION_FAILED"


class NoHistoryError(ConfigError):
    """The store has the tables, and nothing says that a migration made them."""

    code = "AUDIT_NO_HISTORY"


class MigrationBusyError(BusyError):
    """Something else holds what the migration needs."""

    code = "AUDIT_MIGRATION_BUSY"


@dataclass(frozen=True)
class Migration:
    """One file of supabase/migrations."""

    version: str
    name: str
    sql: str

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"{self.version}_{self.name}.sql"


def load_migrations() -> tuple[Migration, ...]:
    """Return every migration in its order.

    Raises:
        InternalError: This installation has none.
    """
    folder = _PACKED if _PACKED.is_dir() else _SOURCE
    matches = [(_FILE.fullmatch(path.name), path) for path in sorted(folder.glob("*.sql"))]
    found = tuple(
        Migration(match[1], match[2], path.read_text(encoding="utf-8"))
        for match, path in matches
        if match
    )
    if not found:
        raise InternalError("the migrations are not installed", fix="install Tapewatch again")
    return found


def migrate(store: PostgresStore) -> tuple[Migration, ...]:
    """Apply what the store does not have yet, each file in one transaction; return what was.

    Raises:
        NoHistoryError: The tables are there and no migration is recorded.
        MigrationFailedError: The database refused one; those before it stay applied.
        MigrationBusyError: Another migration is at work, or a table is locked.
        TapewatchError: The database cannot be reached, or the login may not do it.
    """
    migrations = load_migrations()
    with store.connect(_SECONDS) as connection:
        return tuple(m for m in migrations if _apply(connection, m, migrations, store.address))


def _apply(
    connection: psycopg.Connection,
    migration: Migration,
    every: tuple[Migration, ...],
    address: str,
) -> bool:
    """Apply and record one migration unless it is recorded."""
    try:
        with connection.transaction():
            connection.execute(_BEGIN)
            recorded = _recorded(connection)
            if migration.version in recorded:
                return False
            if recorded.isdisjoint(m.version for m in every) and _is_true(connection, _HAS_TABLES):
                raise _no_history(every, address)
            connection.execute(_MAKE_HISTORY)
            connection.execute(migration.sql.encode())
            noted = (migration.version, [migration.sql], migration.name)
            connection.execute(_RECORD, noted)
    except psycopg.Error as error:
        if error.sqlstate is None:  # it was no answer: connect() says what happened
            raise
        raise _judge(error, migration, address) from None
    return True


def _recorded(connection: psycopg.Connection) -> set[str]:
    if not _is_true(connection, _HAS_HISTORY):
        return set()
    return {version for (version,) in connection.execute(_RECORDED)}


def _is_true(connection: psycopg.Connection, question: bytes) -> bool:
    row = connection.execute(question).fetchone()
    return row is not None and row[0]


def _no_history(every: tuple[Migration, ...], address: str) -> NoHistoryError:
    return NoHistoryError(
        f"{address} has tables of analytics, and no record that a migration made them",
        fix=f"name another database; or, if they are what {every[0].file} makes, record that "
        f"(supabase migration repair --status applied {every[0].version}) and migrate again",
    )


def _judge(error: psycopg.Error, migration: Migration, address: str) -> TapewatchError:
    said = error.diag.message_primary or type(error).__name__
    told = f"{address}: {migration.file} is not applied, nothing of it is left: {said}"
    if error.sqlstate == _IS_BUSY:
        return MigrationBusyError(told, fix="try again when the other migration has ended")
    if error.sqlstate == _REFUSED:
        fix = "log in as the owner of the database: postgres, on Supabase"
        return StorePermissionError(told, fix=fix, evidence={"sqlstate": error.sqlstate})
    fix = "put right what it names, then migrate again"
    if error.sqlstate == _UNKNOWN_NAME and "role" in said:
        fix = "make the roles that every Supabase project has: anon, authenticated, service_role"
    return MigrationFailedError(told, fix=fix, evidence={"sqlstate": error.sqlstate})
