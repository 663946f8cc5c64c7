"""Serve a test's database as a Supabase project does: PostgREST's dialect, keys and roles."""

import json
import os
import secrets
import select
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.postgres import Database
from tests.supabase.node import REST, find_node

ANSWERS_WITHIN_SECONDS = 90


@dataclass(frozen=True)
class Rest:
    """One database behind REST: `secret_key` acts as service_role, `publishable_key` as anon."""

    url: str
    secret_key: str
    publishable_key: str
    database: Database


@dataclass(frozen=True)
class RestServer:
    """The one Node process of a worker; it opens a port for each database."""

    process: subprocess.Popen
    log: Path
    secret_key: str
    publishable_key: str

    @contextmanager
    def serving(self, database: Database) -> Iterator[Rest]:
        """Serve `database` on a port of its own."""
        port = self._ask({"open": database.url("rest")})["port"]
        try:
            url = f"http://127.0.0.1:{port}"
            yield Rest(url, self.secret_key, self.publishable_key, database)
        finally:
            self._ask({"close": port})

    def _ask(self, request: dict) -> dict:
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        readable, _, _ = select.select([self.process.stdout], [], [], ANSWERS_WITHIN_SECONDS)
        line = self.process.stdout.readline() if readable else b""
        if not line:
            raise RuntimeError(f"the REST stand-in gave no answer:\n{self.log.read_text()}")
        return json.loads(line)


@pytest.fixture(scope="session")
def rest_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RestServer]:
    """The REST stand-in, started once a worker; it ends with its standard input."""
    keys = [f"sb_{kind}_{secrets.token_hex(16)}" for kind in ("secret", "publishable")]
    environment = {
        "PATH": os.environ["PATH"],
        "SECRET_KEY": keys[0],
        "PUBLISHABLE_KEY": keys[1],
        "LITE_TELEMETRY": "0",
        "DO_NOT_TRACK": "1",
    }
    log = tmp_path_factory.mktemp("rest") / "log"
    with log.open("wb") as complaints:
        process = subprocess.Popen(  # noqa: S603
            [find_node(), "server.mjs"],
            cwd=REST,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            bufsize=0,
            start_new_session=True,
        )
    with process:
        yield RestServer(process, log, *keys)


@pytest.fixture
def rest(rest_server: RestServer, database: Database) -> Iterator[Rest]:
    """This test's own migrated database behind REST."""
    with rest_server.serving(database) as served:
        yield served
