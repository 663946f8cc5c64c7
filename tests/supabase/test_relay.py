"""The relay does what its commands say, or a delivery trial over it would prove nothing."""

import time

import httpx
import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.supabase.payloads import payload
from tests.supabase.relay import Relay

RECORD = "select analytics.record_pipeline_run(%s)"
COUNT = "select count(*) from analytics.pipeline_runs"


@pytest.fixture
def relay(database):
    with Relay(database.url()).running() as running:
        yield running


def record(relay, database):
    with psycopg.connect(relay.through(database.url()), connect_timeout=5) as connection:
        connection.execute(RECORD, [Jsonb(payload())])


def stored(database):
    return database.rows("app", COUNT)[0][0]


def soon(holds, seconds=10):
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.05)
    return holds()


def test_it_passes_on_what_it_is_not_told_to_stop(relay, database):
    record(relay, database)

    assert (stored(database), relay.connections, relay.met) == (1, 1, 0)


def test_a_lost_answer_is_lost_after_the_commit(relay, database):
    relay.lose_answer(b"COMMIT", times=1)

    with pytest.raises(psycopg.OperationalError):
        record(relay, database)

    assert (stored(database), relay.met) == (1, 1)


def test_words_that_are_cut_never_reach_the_server(relay, database):
    relay.cut(b"COMMIT", times=1)

    with pytest.raises(psycopg.OperationalError):
        record(relay, database)

    assert (stored(database), relay.met) == (0, 1)


def test_a_command_for_one_time_leaves_the_next_alone(relay, database):
    relay.cut(b"COMMIT", times=1)
    with pytest.raises(psycopg.OperationalError):
        record(relay, database)

    record(relay, database)

    assert stored(database) == 1


def test_a_cut_without_words_refuses_every_connection(relay, database):
    relay.cut()

    with pytest.raises(psycopg.OperationalError):
        record(relay, database)

    assert relay.met >= 1


def test_a_freeze_without_words_takes_the_connection_and_never_answers(relay, database):
    relay.freeze()

    with pytest.raises(psycopg.errors.ConnectionTimeout):
        psycopg.connect(relay.through(database.url()), connect_timeout=2)


@pytest.fixture
def rest_relay(rest):
    with Relay(rest.url).running() as running:
        yield running


def post(relay, rest, timeout):
    return httpx.post(
        f"{relay.through(rest.url)}/rest/v1/rpc/record_pipeline_run",
        json={"payload": payload()},
        headers={"apikey": rest.secret_key, "Content-Profile": "analytics"},
        timeout=timeout,
    )


def test_an_answer_of_rest_is_lost_after_the_commit(rest_relay, rest):
    rest_relay.lose_answer(b"record_pipeline_run", times=1)

    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        post(rest_relay, rest, timeout=30)

    assert stored(rest.database) == 1


def test_a_frozen_answer_is_of_something_done(rest_relay, rest):
    rest_relay.freeze_answer(b"record_pipeline_run")

    with pytest.raises(httpx.ReadTimeout):
        post(rest_relay, rest, timeout=2)

    assert stored(rest.database) == 1


def test_frozen_words_arrive_when_it_passes_on_again_and_nobody_waits(rest_relay, rest):
    rest_relay.freeze(b"record_pipeline_run")
    with pytest.raises(httpx.ReadTimeout):
        post(rest_relay, rest, timeout=1)
    assert stored(rest.database) == 0

    rest_relay.pass_on()

    assert soon(lambda: stored(rest.database) == 1)


def test_a_delay_lets_everything_through(rest_relay, rest):
    rest_relay.delay(0.2)

    assert post(rest_relay, rest, timeout=30).json()["created"]
    assert rest_relay.met >= 2  # the greeting of the connection and the request
