"""`tapewatch exporter`: serve the metrics of this data folder until a signal ends it."""

from deployments.observe.exporting import open_server
from deployments.render import open_console, short_path
from settings.connections import ExporterSettings
from settings.model import Settings


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
    with open_server(settings, exporter) as server:
        _say_hello(settings, exporter, server.url)
        server.serve_forever()


def _say_hello(settings: Settings, exporter: ExporterSettings, url: str) -> None:
    if exporter.user is not None:
        guarded = f"user {exporter.user}" + ("" if exporter.cert_file else ", sent in the clear")
    else:
        guarded = "everybody who reaches this address"
    told = f"{url}/metrics: {settings.environment} in {short_path(settings.paths.data_dir)}"
    open_console().print(f"{told}, for {guarded}; ends by SIGTERM", soft_wrap=True, markup=False)
