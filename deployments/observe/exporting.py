"""The exporter: as a server, or in a thread for as long as the programs around it run."""

import ssl
import sys
from collections.abc import Generator
from contextlib import contextmanager
from threading import Thread
from urllib.request import HTTPSHandler, ProxyHandler, build_opener

from blocks.clients.receivers import receiver_names
from prometheus.exporter import Exporter
from prometheus.server import (
    SERVER_NAME,
    CannotListenError,
    MetricsServer,
    make_app,
    protection,
)
from settings.connections import ExporterSettings
from settings.model import Settings

_ANSWERS_WITHIN_SECONDS = 5


def open_server(settings: Settings, exporter: ExporterSettings) -> MetricsServer:
    """Return a server that listens as `exporter` says; it answers once it is told to serve.

    Raises:
        BadCertificateError: The certificate cannot be used.
        CannotListenError: The port is taken, or the address is none of this machine.
        ExporterHalfConfiguredError: A user without a password, a certificate without a key.
        UnprotectedError: The address is not this machine's own, and nothing protects it.
    """
    guard = protection(exporter)
    app = make_app(Exporter(settings, _tell, receiver_names(settings)), guard.credentials)
    return MetricsServer(exporter.address, exporter.port, app, guard.tls)


def _tell(line: str) -> None:
    sys.stderr.write(f"tapewatch exporter: {' '.join(line.split())}\n")
    sys.stderr.flush()


class Exporting:
    """A running exporter that can be ended before its time."""

    def __init__(self, server: MetricsServer) -> None:
        """Begin to answer."""
        self._server = server
        self._thread = Thread(target=server.serve_forever, name="exporter", daemon=True)
        self._thread.start()
        self.url = server.url
        self.address = server.url.split("://")[1]

    def stop(self) -> None:
        """Answer no more; a second time does nothing."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextmanager
def exporting(settings: Settings, exporter: ExporterSettings) -> Generator[Exporting, None, None]:
    """Serve the metrics, and stop at the end.

    Raises:
        ConfigError: As `open_server`.
    """
    served = Exporting(open_server(settings, exporter))
    try:
        yield served
    finally:
        served.stop()


@contextmanager
def any_exporter(settings: Settings, exporter: ExporterSettings) -> Generator[str, None, None]:
    """Yield the URL of the exporter that runs on that port already, or of one of our own.

    Raises:
        ConfigError: As `open_server`, if what listens there is no exporter.
    """
    try:
        with exporting(settings, exporter) as served:
            yield served.url
    except CannotListenError:
        scheme = "http" if exporter.cert_file is None else "https"
        url = f"{scheme}://{exporter.address}:{exporter.port}"
        if not _is_exporter(url):
            raise
        yield url


def _is_exporter(url: str) -> bool:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # asked for its name alone
    direct = build_opener(ProxyHandler({}), HTTPSHandler(context=context))
    try:
        with direct.open(f"{url}/healthz", timeout=_ANSWERS_WITHIN_SECONDS) as answer:
            return answer.headers["Server"] == SERVER_NAME
    except OSError:
        return False
