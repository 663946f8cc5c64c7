"""Whether this process is traced: OpenTelemetry's own variables say so, none of Tapewatch."""

import os

# Documented in .env.example; every other variable of OpenTelemetry is its SDK's business alone.
VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_SERVICE_NAME")
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def is_traced() -> bool:
    """Return whether a collector is named that gets the traces of this process."""
    return any(os.environ.get(name, "").strip() for name in _ENDPOINTS)


def service_name() -> str:
    """Return what the collector is told that this process is."""
    return os.environ.get("OTEL_SERVICE_NAME", "").strip() or "tapewatch"
