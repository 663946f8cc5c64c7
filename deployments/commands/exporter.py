"""`tapewatch exporter`: serve the metrics of this data folder until a signal ends it."""

import sys

from deployments.render import open_console, short_path
from prometheus.exporter import Exporter
from prometheus.server import MetricsServer, make_app, protection
from settings.model import ExporterSettings, Settings
from warehouse.audit import AUDIT_STORE


def serve_metrics(settings: Settings, address: str | None, port: int | None) -> None:
    """Listen where the settings say, or where the caller does, and answer each scrape.

    Raises:
        BadCertificateError: The certificate cannot be used.
        CannotListenError: The port is taken, or the address is none of this machine.
        ExporterHalfConfiguredError: A user without a password, a certificate without a key.
        UnprotectedError: The address is not this machine's own, and nothing protects it.
    """
    asked = {"address": address, "port": port}
    given = {name: value for name, value in asked.items() if value is not None}
    exporter = settings.exporter.model_copy(update=given)
    guard = protection(exporter)
    receivers = [AUDIT_STORE] if settings.audit.is_configured else []
    app = make_app(Exporter(settings, _tell, receivers), guard.credentials)
    with MetricsServer(exporter.address, exporter.port, app, guard.tls) as server:
        _say_hello(settings, exporter, server.url)
        server.serve_forever()


def _say_hello(settings: Settings, exporter: ExporterSettings, url: str) -> None:
    if exporter.user is not None:
        guarded = f"user {exporter.user}" + ("" if exporter.cert_file else ", sent in the clear")
    else:
        guarded = "everybody who reaches this address"
    told = f"{url}/metrics: {settings.environment} in {short_path(settings.paths.data_dir)}"
    open_console().print(f"{told}, for {guarded}; ends by SIGTERM", soft_wrap=True, markup=False)


def _tell(line: str) -> None:
    sys.stderr.write(f"tapewatch exporter: {' '.join(line.split())}\n")
    sys.stderr.flush()
