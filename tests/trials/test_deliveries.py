"""Whatever happens on the way to the store: every run is stored once, none is lost.

`pytest --trials 1000` kills 200 backends; the evidence is the rows in a real Postgres, counted and
compared with the sealed files by SQL of the trials' own.
"""

import json
import socket
import time
from datetime import datetime, timedelta
from random import Random
from threading import Event, Thread

import psycopg
import pytest

from blocks.clients.audit_store import AuditReceiver, open_store
from settings.load import load_settings
from tests.supabase.relay import Relay
from tests.trials.sealed_days import real_run, seal_days
from tests.trials.store_evidence import stored_once
from warehouse.delivery import Order, deliver
from warehouse.layout import Layout

pytestmark = pytest.mark.slow

LOCK = "hashtextextended('analytics.audit_ledger', 0)"
SOON = 20.0


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    return real_run(tmp_path_factory.mktemp("template"))


@pytest.fixture
def desk(tmp_path, database, template):
    return Desk(tmp_path, database, template)


class Desk:
    """Sealed runs, a store, and what has come of the ones in the other."""

    def __init__(self, root, database, template):
        self.root, self.database, self.template = root, database, template
        self.runs = []

    def seal(self, days):
        self.runs = seal_days(self.layout(self.settings()), self.template, days)

    def settings(self, **variables):
        given = {"PIPELINE_ENV": self.template.manifest.identity.environment}
        given |= {"TAPEWATCH_PII_KEY": "k" * 16, "TAPEWATCH_DATA_DIR": str(self.root / "home")}
        return load_settings(given | variables)

    def layout(self, settings):
        return Layout.of(settings)

    def send(self, seconds=SOON, **variables):
        """Deliver once by the road that `variables` name; return how it went."""
        settings = self.settings(**variables)
        receiver = AuditReceiver(open_store(settings.audit), float(settings.audit.send_seconds))
        order = Order(seconds, is_now=True)
        (result,) = deliver(
            self.layout(settings), (receiver,), settings.environment, settings.delivery, order
        )
        return result

    def lose_receipts(self):
        for path in (self.root / "home").glob("data/delivery/*/audit_store/received/*"):
            path.unlink()

    def send_until_all_is_received(self, **variables):
        for tried in range(1, 500):
            if self.send(**variables).pending == 0:
                return tried
        raise AssertionError("it never became well")

    def problems(self):
        return stored_once(self.root / "home", self.database)


class Killer:
    """Ends the backends of the sender while they are in the middle of a transaction."""

    def __init__(self, database, kills, seed):
        self.kills = 0
        self._wanted, self._database, self._random = kills, database, Random(seed)  # noqa: S311
        self._stop = Event()
        self._thread = Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _run(self):
        with psycopg.connect(self._database.url("superuser"), autocommit=True) as connection:
            while self.kills < self._wanted and not self._stop.is_set():
                # every other time the sender is held inside its transaction, so that it is met
                held = self._random.random() < 0.5
                if held:
                    connection.execute(f"select pg_advisory_lock({LOCK})")
                time.sleep(self._random.random() * 0.03)
                ended = connection.execute(
                    "select count(pg_terminate_backend(pid)) from pg_stat_activity "
                    "where datname = current_database() and usename = 'tapewatch_app' "
                    "and xact_start is not null"
                ).fetchone()[0]
                if held:
                    connection.execute(f"select pg_advisory_unlock({LOCK})")
                self.kills += ended


def test_backends_killed_in_mid_transaction_lose_and_double_nothing(desk, request, record_property):
    kills = max(30, request.config.getoption("--trials") // 5)
    desk.seal(12)
    variables = {"SUPABASE_DB_URL": desk.database.url("app")}

    with Killer(desk.database, kills, seed=kills) as killer:
        while killer.kills < kills:
            desk.send_until_all_is_received(**variables)
            desk.lose_receipts()  # as if each process had died before it wrote them
    desk.send_until_all_is_received(**variables)

    record_property("backends_killed", killer.kills)
    assert killer.kills >= kills
    assert desk.problems() == []


@pytest.mark.parametrize("road", ["postgres", "rest"])
def test_lost_acknowledgements_double_nothing(desk, road, request):
    desk.seal(5)
    if road == "postgres":
        url, words = desk.database.url("app"), b"COMMIT"
    else:
        rest = request.getfixturevalue("rest")
        url, words = rest.url, b"record_pipeline_run"
    with Relay(url).running() as relay:
        relay.lose_answer(words, times=4)
        through = relay.through(url)
        variables = {"SUPABASE_DB_URL": through}
        if road == "rest":
            variables = {"SUPABASE_URL": through, "SUPABASE_SERVICE_ROLE": rest.secret_key}
        tries = desk.send_until_all_is_received(**variables)

    assert tries == 5
    assert relay.met == 4
    assert desk.problems() == []


def test_a_store_that_is_down_through_sixty_runs_gets_all_of_them_in_order(desk):
    dead = {"SUPABASE_DB_URL": "postgresql://app:x@127.0.0.1:9/x"}
    desk.seal(60)

    results = [desk.send(seconds=2, **dead) for _ in range(3)]
    assert {result.pending for result in results} == {60}

    last = desk.send(**{"SUPABASE_DB_URL": desk.database.url("app")}, seconds=60)

    assert (last.sent, last.pending) == (60, 0)
    assert desk.problems() == []
    stored = desk.database.rows(
        "app",
        "select as_of from analytics.audit_ledger join analytics.pipeline_runs using (run_id) "
        "order by seq",
    )
    assert stored == sorted(stored)


@pytest.mark.parametrize("moment", ["freeze", "freeze_answer", "black hole"])
def test_a_store_that_freezes_is_given_up_in_time_and_gets_all_later(desk, moment):
    desk.seal(3)
    url = desk.database.url("app")
    with Relay(url).running() as relay:
        variables = {"SUPABASE_DB_URL": relay.through(url)}
        if moment == "freeze":
            relay.freeze(b"record_pipeline_run")
        elif moment == "freeze_answer":
            relay.freeze_answer(b"COMMIT")
        else:
            relay.freeze()
        started = time.monotonic()
        result = desk.send(seconds=4, **variables)
        took = time.monotonic() - started

        assert took < 5
        assert (result.sent, result.pending) == (0, 3)
        assert result.error is not None
        relay.pass_on()
        desk.send_until_all_is_received(**variables)

    assert desk.problems() == []


def test_a_wrong_password_and_a_missing_table_keep_all_of_it_pending(desk, databases):
    desk.seal(3)
    wrong = desk.database.url("app").replace("only-for-tests", "wrong")
    assert desk.send(SUPABASE_DB_URL=wrong).error.code == "AUDIT_STORE_AUTH"
    with databases.empty() as empty:
        assert desk.send(SUPABASE_DB_URL=empty.url("app")).error.code == "AUDIT_STORE_SCHEMA"

    result = desk.send(SUPABASE_DB_URL=desk.database.url("app"))

    assert (result.sent, result.pending) == (3, 0)
    assert desk.problems() == []


def test_a_locked_table_is_waited_for_and_then_given_up(desk):
    desk.seal(1)
    url = desk.database.url("app")
    with psycopg.connect(desk.database.url("superuser")) as connection:
        connection.execute("lock table analytics.kpi_values in access exclusive mode")
        started = time.monotonic()
        result = desk.send(seconds=2, SUPABASE_DB_URL=url)

    assert time.monotonic() - started < 4
    assert result.error.code == "AUDIT_STORE_UNAVAILABLE"
    assert desk.send(SUPABASE_DB_URL=url).sent == 1
    assert desk.problems() == []


def test_a_run_gives_a_hanging_store_five_seconds_at_most_and_ends_well(data_folder):
    with socket.create_server(("127.0.0.1", 0)) as black_hole:
        url = f"postgresql://app:canary@127.0.0.1:{black_hole.getsockname()[1]}/x"
        done = data_folder.set(SUPABASE_DB_URL=url, TAPEWATCH_AUDIT__CONNECT_SECONDS="60").run()

    assert done.code == 0, done.err
    assert "canary" not in done.out + done.err
    lines = [json.loads(line) for line in _newest_log(data_folder.root).splitlines()]
    at = {line["event"]: datetime.fromisoformat(line["timestamp"]) for line in lines}
    assert at["delivered"] - at["run sealed"] < timedelta(seconds=5)
    (told,) = json.loads(done.out)["deliveries"].values()
    assert (told["code"], told["pending"]) == ("RECEIVER_HANGS", 3)


def _newest_log(root):
    (log,) = (root / "logs/runs/latest").glob("pipeline_*.log")
    return log.read_text()
