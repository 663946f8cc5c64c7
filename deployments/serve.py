"""`make serve`: Prefect's server, a worker, every deployment and the exporter, on one machine."""

import os
import socket
import sys
import time
import urllib.request
from contextlib import AbstractContextManager, ExitStack, suppress
from ipaddress import ip_address
from pathlib import Path
from socket import AF_INET, AF_INET6, SO_REUSEADDR, SOL_SOCKET

from rich.console import Console

from deployments.deploy import deploy
from deployments.edge import report, stop_on_signals
from deployments.observe.exporting import exporting
from deployments.observe.stack import observe_folder
from deployments.prefect_api import POOL, PrefectApi, PrefectSilentError
from deployments.programs import Program, running
from deployments.render import open_console, print_facts
from prometheus.configuration import watch_prefect
from prometheus.server import CannotListenError
from settings.connections import PrefectSettings
from settings.errors import ConfigError
from settings.load import load_settings
from settings.model import Settings
from settings.prefect_home import server_environment
from warehouse.durable import make_folder

_READY_WITHIN_SECONDS = 180
_LOOKS_EVERY_SECONDS = 1
_CANCELED_WITHIN_SECONDS = 45  # Prefect's worker kills what has not ended after 30


class OpenServerError(ConfigError):
    """Anybody on the network could start and stop runs."""

    code = "PREFECT_UNPROTECTED"


class ServerNotReadyError(ConfigError):
    """Prefect's server does not answer."""

    code = "PREFECT_NOT_READY"


def main() -> int:
    """Serve until a signal ends it, and return the exit code."""
    os.umask(0o077)
    stop_on_signals()
    try:
        serve(load_settings())
    except BaseException as error:  # noqa: BLE001 - the edge: no error goes further than this
        return report(error, is_debug=False)
    return 0


def serve(settings: Settings) -> None:
    """Start everything in its order, tell where it is, and run until a program ends.

    Raises:
        CannotListenError: The exporter's port is taken.
        DeployError: Prefect refused a deployment.
        PiiKeyFileError: The file of the key that encrypts saved blocks cannot be used.
        OpenServerError: The address is not this machine's own, and nobody would have to sign in.
        ProgramEndedError: A program did not start, or ended.
        ServerNotReadyError: The server does not answer.
    """
    url = _url(settings.prefect)
    os.environ.update(server_environment(settings.paths, settings.prefect))
    os.environ["PREFECT_API_URL"] = f"{url}/api"
    os.environ["TAPEWATCH_DATA_DIR"] = str(settings.root_dir)  # runs start in another folder
    # whoever pages calls people: make observe, beside this; without it, set it to flow
    os.environ.setdefault("TAPEWATCH_ALERTING__MENTIONS_BY", "alertmanager")
    logs = make_folder(settings.paths.data_dir / "serve")
    console = open_console()
    with ExitStack() as ending:
        exporter = ending.enter_context(exporting(settings, settings.exporter))
        _refuse_taken(settings.prefect)
        with console.status("starting Prefect's server (half a minute the first time) …"):
            server = ending.enter_context(_server(settings.prefect, logs))
            _await(f"{url}/api/health", server)
        with console.status("registering the deployments …"):
            deploy(os.environ)
        config = observe_folder(settings) / "config"
        watch_prefect(config, url.removeprefix("http://"))
        ending.callback(watch_prefect, config, None)
        api = PrefectApi(f"{url}/api", settings.prefect)
        with console.status("starting the worker …"):
            api.crash_left_over()  # the only worker is ours: what is at work has lost its own
            worker = ending.enter_context(_worker(logs))
        ending.callback(_cancel_runs, api, worker, console)
        print_facts(
            console,
            {
                "Prefect": url,
                "exporter": f"{exporter.url}/metrics",
                "logs": str(logs),
                "run now": f"PREFECT_API_URL={url}/api {Path(sys.executable).parent / 'prefect'} "
                "deployment run daily/scheduled",
            },
        )
        console.print("ends by Ctrl-C or SIGTERM")
        while True:
            server.check()
            worker.check()
            time.sleep(_LOOKS_EVERY_SECONDS)


def _cancel_runs(server: PrefectApi, worker: Program, console: Console) -> None:
    """Let the runs at work end in order before the worker goes, which would kill them."""
    if worker.process.poll() is not None:
        return  # nobody is left who could pass it on
    with console.status("ending the runs at work …"), suppress(PrefectSilentError):
        if left := server.cancel_runs(_CANCELED_WITHIN_SECONDS):
            console.print(f"{left} runs did not end; the next run cleans up after them")


def _url(prefect: PrefectSettings) -> str:
    if prefect.auth_string is None and not ip_address(prefect.address).is_loopback:
        raise OpenServerError(
            f"everybody who reaches {prefect.address} could start and stop runs",
            fix="export TAPEWATCH_PREFECT__AUTH_STRING=user:password",
        )
    host = f"[{prefect.address}]" if ":" in prefect.address else prefect.address
    return f"http://{host}:{prefect.port}"


def _refuse_taken(prefect: PrefectSettings) -> None:
    """Whoever listens there already would be taken for our server, and get our schedules."""
    family = AF_INET6 if ":" in prefect.address else AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        try:
            probe.bind((prefect.address, prefect.port))
        except OSError as error:
            raise CannotListenError(
                f"{prefect.address} port {prefect.port}: {error.strerror}",
                fix="stop what listens there (`ss -ltnp`), or set TAPEWATCH_PREFECT__PORT",
            ) from None


def _server(prefect: PrefectSettings, logs: Path) -> AbstractContextManager[Program]:
    command = ["server", "start", "--host", prefect.address, "--port", str(prefect.port)]
    return running("Prefect's server", _prefect(*command), logs / "server.log", "()")


def _worker(logs: Path) -> AbstractContextManager[Program]:
    command = ["worker", "start", "--pool", POOL, "--type", "process"]
    started = r"Worker '(.*)' started"
    return running("Prefect's worker", _prefect(*command), logs / "worker.log", started)


def _prefect(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "prefect", *arguments]


def _await(url: str, server: Program) -> None:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    until = time.monotonic() + _READY_WITHIN_SECONDS
    while time.monotonic() < until:
        server.check()
        try:
            direct.open(url, timeout=5).close()
        except OSError:
            time.sleep(0.2)
            continue
        return
    raise ServerNotReadyError(f"{url} does not answer", fix=f"see {server.log}")


if __name__ == "__main__":
    sys.exit(main())
