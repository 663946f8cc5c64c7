"""The audit store over REST and straight to Postgres: the same answers, the same errors."""

import logging
import socket
import time
from contextlib import suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from blocks.clients.audit_store import (
    AuditReceiver,
    PayloadRefusedError,
    StoreAuthError,
    StoreBehindError,
    StorePermissionError,
    StoreSchemaError,
    StoreUnavailableError,
    StoreUrlError,
    open_store,
    probe,
)
from settings.connections import AuditHalfConfiguredError
from settings.errors import ConfigError
from settings.load import load_settings
from tests.supabase.payloads import payload, run_id
from warehouse.attempt_folder import ErrorFacts
from warehouse.attempt_state import AttemptRecord
from warehouse.outbox import Item

KEY = {"TAPEWATCH_PII_KEY": "k" * 16}

ATTEMPT = AttemptRecord(
    *("a1", "failed", "development", "default", "2026-01-01T00:00:00Z", "log"),
    error=ErrorFacts("X", "x", "y", 65),
)


def store_of(**variables):
    return open_store(load_settings(KEY | variables).audit)


@pytest.fixture(params=["rest", "postgres"])
def road(request):
    """The variables that lead to the test's database, by either road."""
    if request.param == "postgres":
        return {"SUPABASE_DB_URL": request.getfixturevalue("database").url("app")}
    rest = request.getfixturevalue("rest")
    return {"SUPABASE_URL": rest.url, "SUPABASE_SERVICE_ROLE": rest.secret_key}


@pytest.fixture
def store(road):
    return store_of(**road)


def test_a_run_sent_twice_is_stored_once_and_answers_with_the_same_link(store):
    first, again = store.record(payload(), 10), store.record(payload(), 10)

    assert (first["created"], again["created"]) == (True, False)
    assert first["ledger_seq"] == again["ledger_seq"] == 1
    assert first["ledger_hash"] == again["ledger_hash"]


def test_every_digit_of_a_value_is_stored(store):
    sent = payload()
    sent["kpi_values"][0]["value"] = "12345678901234567890123456.123456"
    store.record(sent, 10)

    rows = list(store.rows("kpi_values", ["run_id", "kpi_name", "value::text"]))

    stored = {row["kpi_name"]: row["value"] for row in rows}
    assert stored[sent["kpi_values"][0]["kpi_name"]] == "12345678901234567890123456.123456"


def test_all_rows_come_in_one_order_whatever_the_page(store, monkeypatch):
    for number in range(1, 8):
        store.record(payload(number), 10)
    if hasattr(store, "_client"):
        monkeypatch.setattr("blocks.clients.audit_rest._PAGE", 2)

    rows = list(store.rows("kpi_values", ["run_id", "kpi_name", "value::text"]))

    keys = [(row["run_id"], row["kpi_name"]) for row in rows]
    assert len(keys) == len(set(keys)) == 21
    assert [run for run, _ in keys] == sorted(str(run_id(n)) for n in range(1, 8) for _ in range(3))


def test_other_facts_of_a_stored_run_are_refused_for_good(store):
    store.record(payload(), 10)

    with pytest.raises(PayloadRefusedError, match="stored with other facts") as raised:
        store.record(payload(status="failed", error={"code": "X"}), 10)
    assert raised.value.evidence == {"sqlstate": "PT409"}


def test_what_only_a_later_migration_knows_is_no_refusal_for_good(store):
    with pytest.raises(StoreBehindError, match="no column takes"):
        store.record(payload(unheard_of=1), 10)


@pytest.mark.parametrize("change", [{"as_of": None}, {"as_of": "soon"}])
def test_a_payload_that_no_run_can_be_stored_from_is_refused_for_good(store, change):
    with pytest.raises(PayloadRefusedError) as raised:
        store.record(payload(**change), 10)
    assert raised.value.evidence == {"sqlstate": "PT422"}


def test_a_dry_run_stores_nothing(store):
    answer = store.record({**payload(), "dry_run": True}, 10)

    assert answer["dry_run"] is True
    assert list(store.rows("pipeline_runs", ["run_id"])) == []


def test_the_chain_of_an_untouched_store_has_no_problem(store):
    store.record(payload(), 10)

    assert store.chain_problems() == []


def test_what_a_superuser_changed_is_named(store, road, request):
    store.record(payload(), 10)
    database = request.getfixturevalue("database")
    database.rows(
        "superuser",
        "set session_replication_role = replica; update analytics.kpi_values set value = 0",
    )

    (problem,) = store.chain_problems()

    assert problem["run_id"] == str(run_id(1))
    assert "altered" in problem["problem"]


def test_a_wrong_key_is_named_and_never_shown(rest):
    store = store_of(SUPABASE_URL=rest.url, SUPABASE_SERVICE_ROLE="sb_secret_wrong")

    with pytest.raises(StoreAuthError) as raised:
        store.record(payload(), 10)
    assert "sb_secret_wrong" not in raised.value.line()


def test_a_wrong_password_is_named_and_never_shown(database):
    url = database.url("app").replace("only-for-tests", "canary-password")

    with pytest.raises(StoreAuthError) as raised:
        store_of(SUPABASE_DB_URL=url).record(payload(), 10)
    assert "canary-password" not in raised.value.line()


def test_the_public_key_may_write_nothing(rest):
    store = store_of(SUPABASE_URL=rest.url, SUPABASE_SERVICE_ROLE=rest.publishable_key)

    with pytest.raises((StorePermissionError, StoreAuthError)):
        store.record(payload(), 10)


def test_a_login_without_the_grant_is_told_which_it_needs(database):
    with pytest.raises(StorePermissionError) as raised:
        store_of(SUPABASE_DB_URL=database.url("authenticated")).record(payload(), 10)
    assert "grant service_role" in raised.value.fix


def test_a_store_without_the_migration_is_told_to_migrate(empty_database, rest_server):
    with pytest.raises(StoreSchemaError) as raised:
        store_of(SUPABASE_DB_URL=empty_database.url("app")).record(payload(), 10)
    assert "tapewatch audit migrate" in raised.value.fix

    with rest_server.serving(empty_database) as rest, pytest.raises(StoreSchemaError):
        store_of(SUPABASE_URL=rest.url, SUPABASE_SERVICE_ROLE=rest.secret_key).record(payload(), 10)


@pytest.mark.parametrize("scheme", ["postgresql://app:canary@{}/x", "http://{}"])
def test_a_store_that_is_down_is_unavailable(scheme):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = f"127.0.0.1:{listener.getsockname()[1]}"

    with pytest.raises(StoreUnavailableError) as raised:
        _at(scheme.format(place)).record(payload(), 10)
    assert "canary" not in raised.value.line()


@pytest.mark.parametrize("scheme", ["postgresql://app:canary@{}/x", "http://{}"])
def test_a_store_that_never_answers_is_given_up_in_time(scheme):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        store = _at(scheme.format(f"127.0.0.1:{listener.getsockname()[1]}"))
        started = time.monotonic()
        with pytest.raises(StoreUnavailableError):
            store.record(payload(), 2)

    assert time.monotonic() - started < 6


def _at(url):
    if url.startswith("http"):
        return store_of(SUPABASE_URL=url, SUPABASE_SERVICE_ROLE="sb_secret_canary")
    return store_of(SUPABASE_DB_URL=url)


def test_no_log_of_a_library_holds_the_key(rest, caplog):
    store = store_of(SUPABASE_URL=rest.url, SUPABASE_SERVICE_ROLE=rest.secret_key)
    for library in ("httpx", "httpcore"):  # another client in this process may have hushed them
        caplog.set_level(logging.DEBUG, library)
    store.record(payload(), 10)

    assert caplog.text  # the libraries did log
    assert rest.secret_key not in caplog.text


@pytest.mark.parametrize(
    "url",
    [
        *("http://db.example.com", "https://user:pw@db.example.com"),
        *("http://127.evil.example", "http://127.0.0.1.nip.example"),
    ],
)
def test_a_key_is_sent_over_https_and_to_a_plain_host_alone(url):
    with pytest.raises(ConfigError):
        store_of(SUPABASE_URL=url, SUPABASE_SERVICE_ROLE="x")


@pytest.mark.parametrize("password", ["hunter@2canary", "canary/more", "canary#x", "a?canary"])
def test_a_password_that_would_be_taken_for_the_host_is_refused_unseen(password):
    with pytest.raises(ConfigError, match="as %XX") as raised:
        store_of(SUPABASE_DB_URL=f"postgresql://postgres:{password}@db.example.com/postgres")
    assert "canary" not in raised.value.line()


def test_a_login_that_sees_no_row_is_told_so_instead_of_finding_nothing_wrong(database):
    database.rows("superuser", "create role blind login password 'only-for-tests'")
    try:
        database.rows("owner", "grant usage on schema analytics to blind")
        database.rows("owner", "grant select on all tables in schema analytics to blind")
        database.rows("owner", "grant execute on all functions in schema analytics to blind")
        url = database.url("app").replace("tapewatch_app", "blind")
        with pytest.raises(StorePermissionError, match="shows this login nothing"):
            store_of(SUPABASE_DB_URL=url).chain_problems()
    finally:
        database.rows("superuser", "drop owned by blind")
        database.rows("superuser", "drop role blind")


ANSWERS = ["{}", '{"message": "Welcome to the hotel"}', "null", "[]", '"ok"', "<html>", "1"]


@pytest.mark.parametrize("answer", ANSWERS)
def test_whoever_else_answers_is_no_audit_store(answer):
    class Portal(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(answer.encode())

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Portal) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            store = _at(f"http://127.0.0.1:{server.server_port}")
            with pytest.raises(StoreUnavailableError):
                probe(store, "development", 5)
            with pytest.raises(StoreUnavailableError):
                AuditReceiver(store, 5).send(Item("x", datetime.now(UTC), ATTEMPT), 5)
        finally:
            server.shutdown()
            thread.join()


def test_an_answer_that_comes_drop_by_drop_is_given_up_in_time():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=_drip, args=(listener,))
        thread.start()
        store = _at(f"http://127.0.0.1:{listener.getsockname()[1]}")
        started = time.monotonic()
        with pytest.raises(StoreUnavailableError):
            store.record(payload(), 1)
        took = time.monotonic() - started
        thread.join()

    assert took < 4


def _drip(listener):
    client, _ = listener.accept()
    with client, suppress(OSError):
        client.recv(65536)
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(100):
            client.sendall(b" ")
            time.sleep(0.1)


def test_an_unreadable_database_url_is_not_quoted():
    with pytest.raises(StoreUrlError) as raised:
        store_of(SUPABASE_DB_URL="postgresql://app:canary%zz@host/db?x")
    assert "canary" not in raised.value.line()


@pytest.mark.parametrize(
    "variables",
    [
        {"SUPABASE_URL": "https://x.example"},
        {"SUPABASE_SERVICE_ROLE_KEY": "x"},
        {"SUPABASE_URL": "https://x.example", "SUPABASE_SERVICE_ROLE": "x"}
        | {"SUPABASE_SERVICE_ROLE_KEY": "y"},
    ],
)
def test_half_a_configuration_is_refused(variables):
    with pytest.raises(AuditHalfConfiguredError):
        store_of(**variables)


def test_without_a_store_there_is_none():
    assert store_of() is None


def test_a_database_elsewhere_is_reached_with_its_certificate_verified():
    store = store_of(SUPABASE_DB_URL="postgresql://u:p@db.example.com/x?sslmode=disable")

    assert store._parameters["sslmode"] == "verify-full"
    assert store._parameters["sslrootcert"] == "system"
