"""The exporter: as a server, or in a thread for as long as the programs around it run."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from threading import Thread

from prometheus.exporter import Exporter
from prometheus.server import MetricsServer, make_app, protection
from settings.model import ExporterSettings, Settings
from warehouse.audit import AUDIT_STORE


def open_server(settings: Settings, exporter: ExporterSettings) -> MetricsServer:
    """Return a server that listens as `exporter` says; it answers once it is told to serve.

    Raises:
        BadCertificateError: The certificate cannot be used.
        CannotListenError: The port is taken, or the address is none of this machine.
        ExporterHalfConfiguredError: A user without a password, a certificate without a key.
        UnprotectedError: The address is not this machine's own, and nothing protects it.
    """
    guard = protection(exporter)
    receivers = [AUDIT_STORE] if settings.audit.is_configured else []
    app = make_app(Exporter(settings, _tell, receivers), guard.credentials)
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
