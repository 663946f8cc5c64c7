"""The audit store: one interface, over REST or straight to Postgres, and what its refusals mean."""

import ipaddress
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Protocol, cast
from uuid import uuid4

from pydantic import BaseModel, Field, JsonValue, ValidationError

from settings.connections import AuditSettings
from settings.errors import AuthError, ConfigError, SourceUnavailableError, TapewatchError
from warehouse.attempt_folder import ErrorFacts, utc_text
from warehouse.attempt_state import AttemptRecord
from warehouse.audit import AUDIT_STORE, attempt_payload
from warehouse.delivery_box import NotYetError, RefusedError
from warehouse.json_text import JsonObject
from warehouse.outbox import Item, Link

SCHEMA = "analytics"
_MIGRATE = "apply the migration: tapewatch audit migrate"


class StoreUnavailableError(SourceUnavailableError):
    """The audit store did not answer, or not with an answer of its own."""

    code = "AUDIT_STORE_UNAVAILABLE"


class StoreTlsError(SourceUnavailableError):
    """The audit store's certificate cannot be trusted."""

    code = "AUDIT_STORE_TLS"
    can_heal = False


class StoreAuthError(AuthError):
    """The audit store does not know the key or the password."""

    code = "AUDIT_STORE_AUTH"


class StorePermissionError(ConfigError):
    """The audit store knows the login and does not let it do what is needed."""

    code = "AUDIT_STORE_PERMISSION"


class StoreSchemaError(ConfigError):
    """The audit store has not the tables and functions that are needed."""

    code = "AUDIT_STORE_SCHEMA"


class StoreBehindError(NotYetError):
    """The audit store has no column for something of this item: a later migration brings it."""

    code = "AUDIT_STORE_BEHIND"


class StoreUrlError(ConfigError):
    """The address of the audit store cannot be used."""

    code = "AUDIT_STORE_URL"


class CaFileError(ConfigError):
    """The file of certificates cannot be used."""

    code = "AUDIT_CA_FILE"


class NoStoreError(ConfigError):
    """No audit store is set."""

    code = "AUDIT_STORE_NOT_SET"


class PayloadRefusedError(RefusedError):
    """The store will never take this run: it holds other facts of it, or the rows are bad."""

    code = "AUDIT_REFUSED"


class StoreDnsError(SourceUnavailableError):
    """The audit store's host is not known."""

    code = "AUDIT_STORE_DNS"


class AuditStore(Protocol):
    """What is asked of the store, whichever way leads there."""

    @property
    def host(self) -> str | None:
        """Whom DNS is asked for; None for a local socket."""
        ...

    @property
    def address(self) -> str:
        """Host and port for people, without any secret."""
        ...

    def record(self, payload: JsonObject, seconds: float) -> JsonObject:
        """Store one run, once however often it is sent; return the link of the chain.

        Raises:
            PayloadRefusedError: It will never be taken.
            TapewatchError: It was not taken now.
        """
        ...

    def chain_problems(self) -> list[JsonObject]:
        """Return `seq`, `run_id` and `problem` of all that the store finds wrong with its chain.

        Raises:
            TapewatchError: It did not answer.
        """
        ...

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[Mapping[str, Any]]:
        """Yield every row of a table, `columns` of it, in the order of the first column.

        Raises:
            TapewatchError: It did not answer.
        """
        ...


class AuditReceiver:
    """Sends items to the audit store."""

    name = AUDIT_STORE

    def __init__(self, store: AuditStore, send_seconds: float) -> None:
        self._store = store
        self._send_seconds = send_seconds

    @property
    def store(self) -> str:
        """Where the store is."""
        return self._store.address

    def send(self, item: Item, seconds: float, /) -> Link:
        """Store one item and return the link that it got.

        Raises:
            PayloadRefusedError: It will never be taken.
            TapewatchError: It was not taken now.
        """
        payload = item.payload()
        answer = self._store.record(payload, min(seconds, self._send_seconds))
        return _link(payload, answer, self._store.address)


def open_store(settings: AuditSettings) -> AuditStore | None:
    """Return the store that the settings name, None when they name none.

    Raises:
        AuditHalfConfiguredError: The URL is set without its key, or the key without its URL.
        StoreUrlError: The address cannot be used.
    """
    if not settings.is_configured:
        return None
    if settings.db_url is not None:
        from blocks.clients.audit_postgres import PostgresStore

        return PostgresStore(settings)
    from blocks.clients.audit_rest import RestStore

    return RestStore(settings)


def need_store(settings: AuditSettings) -> AuditStore:
    """Return the store that the settings name.

    Raises:
        NoStoreError: They name none.
        AuditHalfConfiguredError: The URL is set without its key, or the key without its URL.
        StoreUrlError: The address cannot be used.
    """
    store = open_store(settings)
    if store is None:
        raise NoStoreError(
            "no audit store is set: the facts of every run are in its run folder alone",
            fix="export SUPABASE_URL and SUPABASE_SERVICE_ROLE, or SUPABASE_DB_URL",
        )
    return store


def is_here(host: str) -> bool:
    """Return whether a server of this name is on this machine, so that nobody can listen in."""
    if host in ("", "localhost") or host.startswith("/"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def probe(store: AuditStore, environment: str, seconds: float) -> float:
    """Find the host, trust its certificate, log in, write a run and roll it back; return seconds.

    Raises:
        StoreDnsError: The host is not known.
        TapewatchError: The step that failed: TLS, the key, the schema, the right to write.
    """
    started = time.monotonic()
    if store.host is not None:
        try:
            socket.getaddrinfo(store.host, None)
        except OSError:
            raise StoreDnsError(
                f"no host is called {store.host}",
                fix="correct SUPABASE_URL or SUPABASE_DB_URL, or the name servers of this machine",
            ) from None
    now = utc_text(datetime.now(UTC))
    error = ErrorFacts("PROBE", "written and rolled back", "none", 0)
    attempt = AttemptRecord(
        uuid4().hex, "failed", environment, "probe", now, "", ended_at=now, error=error
    )
    payload = attempt_payload(attempt)
    run = cast("dict[str, JsonValue]", payload["run"])
    run["decision"] = {"reason": "probe"}  # what the newest migration made room for
    answer = store.record({**payload, "dry_run": True}, seconds)
    _link(payload, answer, store.address)
    if answer.get("dry_run") is not True:
        raise _no_store(store.address)
    return time.monotonic() - started


class _Answer(BaseModel):
    """What the one function that writes returns."""

    run_id: str
    ledger_seq: Annotated[int, Field(ge=1)]
    ledger_hash: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


def _link(payload: JsonObject, answer: object, address: str) -> Link:
    """Return the link of the run that was sent; whatever else answers is no audit store."""
    sent = cast("JsonObject", payload["run"])["run_id"]
    try:
        told = _Answer.model_validate(answer)
    except ValidationError:
        raise _no_store(address) from None
    if told.run_id != sent:
        raise _no_store(address)
    return Link(told.ledger_seq, told.ledger_hash)


def _no_store(address: str) -> StoreUnavailableError:
    return StoreUnavailableError(
        f"{address} answers, but not as an audit store does",
        fix="see whether the URL is that of the Supabase project, and nothing stands between",
    )


def judge_sqlstate(code: str | None, message: str, address: str) -> TapewatchError:
    """Return what a refusal of the database means, by its SQLSTATE (None: it was no answer)."""
    state = code or ""
    if state in ("PT409", "PT422") or state[:2] in ("22", "23"):
        return PayloadRefusedError(
            f"{address} refuses it for good: {message}",
            fix="run `tapewatch audit verify` to see what the store holds instead",
            evidence={"sqlstate": state},
        )
    if state == "42501":
        return StorePermissionError(
            f"{address}: {message}",
            fix="use the service-role key, or a login with: grant service_role to that login",
            evidence={"sqlstate": state},
        )
    if state == "PT501":
        return StoreBehindError(f"{address}: {message}", fix=_MIGRATE, evidence={"sqlstate": state})
    if state in ("42883", "42P01", "3F000", "PGRST106", "PGRST202", "PGRST205"):
        fix = _MIGRATE
        if state == "PGRST106":
            fix = f"add {SCHEMA} to the exposed schemas in the project's API settings"
        return StoreSchemaError(f"{address}: {message}", fix=fix, evidence={"sqlstate": state})
    if state.startswith("28") or state in ("PGRST300", "PGRST301", "PGRST302", "PGRST303"):
        return refused_login(address)
    told = f"{address} answers {state or 'nothing'}"
    return StoreUnavailableError(
        told, fix="none: it is sent again; if it stays so, see the server's log"
    )


def wrong_ca_file(path: Path) -> CaFileError:
    """Return the error of a file of certificates that is none."""
    return CaFileError(
        f"{path} is not a readable file of certificates",
        fix="give a PEM file in TAPEWATCH_AUDIT__CA_FILE, or unset it",
    )


def refused_login(address: str) -> StoreAuthError:
    """Return the error of a key or password that the store does not accept."""
    return StoreAuthError(
        f"{address} does not accept the key or password",
        fix="set SUPABASE_SERVICE_ROLE to the project's service-role key, or mend SUPABASE_DB_URL",
    )
