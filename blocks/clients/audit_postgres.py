"""The audit store straight to its Postgres: psycopg, one short transaction a call.

Nothing of a session is used, so a transaction pooler may stand between.
"""

import math
import os
import re
import socket
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from threading import Timer
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.json import Jsonb

from blocks.clients.audit_store import (
    SCHEMA,
    StorePermissionError,
    StoreTlsError,
    StoreUnavailableError,
    StoreUrlError,
    is_here,
    judge_sqlstate,
    refused_login,
    wrong_ca_file,
)
from settings.connections import AuditSettings
from settings.errors import ConfigError, InternalError, TapewatchError
from warehouse.json_text import JsonObject

_READ_SECONDS = 300.0  # of a statement that reads everything there is
_LOCK_SECONDS = 10.0
_SEES = (
    "select not row_security_active('analytics.audit_ledger') "
    "or pg_has_role(current_user, 'service_role', 'usage')"
)
_COLUMN = re.compile(r"([a-z0-9_]+)(::text)?")


class NoDatabaseUrlError(ConfigError):
    """What is asked for goes to the store's Postgres alone, and its URL is not set."""

    code = "AUDIT_NO_DB_URL"


class PostgresStore:
    """The store behind SUPABASE_DB_URL."""

    def __init__(self, settings: AuditSettings) -> None:
        """Read the URL; nothing is connected before the first call.

        Raises:
            StoreUrlError: The URL is none.
        """
        self._settings = settings
        self._parameters = _parameters(settings)

    @property
    def host(self) -> str | None:
        """Whom DNS is asked for; None for a local socket."""
        host = str(self._parameters.get("host") or "")
        return None if not host or host.startswith("/") else host

    @property
    def address(self) -> str:
        """Host and port for people, without any secret."""
        host = self._parameters.get("host") or "the local socket"
        return f"Postgres at {host}:{self._parameters.get('port') or 5432}"

    @contextmanager
    def connect(self, seconds: float | None = None) -> Generator[psycopg.Connection, None, None]:
        """Yield a connection that is cut after `seconds`, whatever the server does.

        `statement_timeout` is no help against a server that is frozen.

        Raises:
            TapewatchError: What any failure inside the block means.
        """
        try:
            with (
                psycopg.connect(**self._parameters, prepare_threshold=None) as connection,
                _cut_after(seconds or 2 * _READ_SECONDS, connection),
            ):
                yield connection
                connection.commit()
        except psycopg.Error as error:
            raise self._judge(error) from None

    def record(self, payload: JsonObject, seconds: float) -> JsonObject:
        """Store one run by the one function that writes; see `AuditStore.record`."""
        with self.connect(seconds) as connection:
            limit(connection, seconds)
            query = "select analytics.record_pipeline_run(%s)"
            row = connection.execute(query, [Jsonb(dict(payload))]).fetchone()
        return row[0] if row else {}

    def chain_problems(self) -> list[JsonObject]:
        """Return what the store finds wrong with its chain; see `AuditStore.chain_problems`."""
        with self.connect() as connection:
            limit(connection, _READ_SECONDS)
            return chain_problems(connection, self.address)

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[Mapping[str, Any]]:
        """Yield every row of a table; see `AuditStore.rows`."""
        fields = [_field(column) for column in columns]
        query = sql.SQL("select {} from {} order by 1").format(
            sql.SQL(", ").join(fields), sql.Identifier(SCHEMA, table)
        )
        with self.connect() as connection:
            limit(connection, _READ_SECONDS)
            wrapped = sql.SQL("select to_jsonb(t) from ({}) t").format(query)
            for (row,) in connection.execute(wrapped):
                yield row

    def _judge(self, error: psycopg.Error) -> TapewatchError:
        told, said = _first_line(error), str(error)
        if "certificate" in said or "does not support SSL" in said:
            return StoreTlsError(
                f"{self.address}: its certificate cannot be trusted",
                fix="set TAPEWATCH_AUDIT__CA_FILE to the certificate of the project's database",
            )
        if "authentication failed" in said or "no password supplied" in said:
            return refused_login(self.address)
        if error.sqlstate is None:
            return StoreUnavailableError(
                f"{self.address} cannot be reached, or hangs",
                fix="see whether SUPABASE_DB_URL names the right host, and the server is up",
            )
        return judge_sqlstate(error.sqlstate, told, self.address)


def need_postgres(settings: AuditSettings, purpose: str, otherwise: str = "") -> PostgresStore:
    """Return the store behind SUPABASE_DB_URL for what REST cannot do.

    Raises:
        NoDatabaseUrlError: SUPABASE_DB_URL is not set.
        AuditHalfConfiguredError: It is not, and the URL is set without its key, or the key alone.
        StoreUrlError: It cannot be read.
    """
    if settings.db_url is None:
        found = "SUPABASE_URL leads to REST alone" if settings.is_configured else "no store is set"
        fix = "export SUPABASE_DB_URL=postgresql://user:password@host:5432/postgres"
        raise NoDatabaseUrlError(
            f"{found}: {purpose} needs SUPABASE_DB_URL",
            fix=f"{fix}{otherwise and ', or '}{otherwise}",
        )
    return PostgresStore(settings)


def _parameters(settings: AuditSettings) -> dict[str, Any]:
    if settings.db_url is None:
        raise StoreUrlError(
            "SUPABASE_DB_URL is not set", fix="export SUPABASE_DB_URL=postgresql://"
        )
    try:
        given = conninfo_to_dict(settings.db_url.get_secret_value())
    except psycopg.Error:  # its text quotes a part of the URL, password and all
        raise StoreUrlError(
            "SUPABASE_DB_URL cannot be read",
            fix="write postgresql://user:password@host:5432/postgres, special characters as %XX",
        ) from None
    seconds = float(settings.connect_seconds)
    chosen: dict[str, Any] = {
        "application_name": "tapewatch",
        **given,
        "connect_timeout": max(2, math.ceil(seconds)),  # libpq takes 1 for 2
        "tcp_user_timeout": int(float(settings.send_seconds) * 1000),
    }
    if settings.ca_file is not None and not settings.ca_file.is_file():
        raise wrong_ca_file(settings.ca_file)
    if settings.ca_file is not None or not is_here(str(given.get("host") or "")):
        chosen["sslmode"] = "verify-full"
        chosen["sslrootcert"] = str(settings.ca_file or "system")
    return chosen


def limit(connection: psycopg.Connection, seconds: float) -> None:
    """Let the server give up by itself; `set local` passes a transaction pooler, options do not."""
    for name, limit in (
        ("statement_timeout", seconds),
        ("lock_timeout", min(seconds, _LOCK_SECONDS)),
    ):
        milliseconds = sql.Literal(max(1, int(limit * 1000)))
        connection.execute(sql.SQL("set local {} = {}").format(sql.Identifier(name), milliseconds))


def _field(column: str) -> sql.Composed:
    """Return one column of a query; `name::text` asks for its text."""
    match = _COLUMN.fullmatch(column)
    if match is None:
        raise InternalError(f"{column!r} is no column", fix="name it, or name::text")
    name = sql.Identifier(match[1])
    return sql.SQL("{}::text as {}").format(name, name) if match[2] else sql.Composed([name])


def chain_problems(connection: psycopg.Connection, address: str) -> list[JsonObject]:
    """Return `seq`, `run_id` and `problem` of all that is wrong with the chain.

    Raises:
        StorePermissionError: The login sees no row at all, and so would find nothing wrong.
    """
    sees = connection.execute(_SEES).fetchone()
    if sees is None or not sees[0]:
        raise StorePermissionError(
            f"{address}: row level security shows this login nothing",
            fix="grant service_role to that login",
        )
    query = "select seq, run_id::text, problem from analytics.verify_audit_chain()"
    found = connection.execute(query).fetchall()
    return [{"seq": seq, "run_id": run, "problem": problem} for seq, run, problem in found]


def problem_line(problem: JsonObject) -> str:
    """Return one problem of the chain for people."""
    return f"link {problem['seq'] or '-'} of run {problem['run_id']}: {problem['problem']}"


@contextmanager
def _cut_after(seconds: float, connection: psycopg.Connection) -> Generator[None, None, None]:
    """Shut the connection down from outside when the time is over: whoever waits wakes up."""
    descriptor = os.dup(connection.fileno())

    def cut() -> None:
        line = socket.socket(fileno=descriptor)
        with suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)
        line.detach()

    timer = Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        os.close(descriptor)


def _first_line(error: psycopg.Error) -> str:
    text = error.diag.message_primary or str(error)
    return text.strip().splitlines()[0] if text.strip() else type(error).__name__
