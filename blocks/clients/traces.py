"""Send the traces of this process to an OTLP collector, if OpenTelemetry's variables name one.

No other module knows the SDK. Only spans of Tapewatch and of Prefect leave, and of those only what
is listed here: Prefect records the text of every error, and a foreign one quotes the tape.
"""

from __future__ import annotations

import atexit
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from threading import Event as Signal
from threading import Thread
from typing import TYPE_CHECKING, Any

from settings.tracing import is_traced, service_name
from settings.version import code_version
from warehouse.tracing import SCOPE

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

_SECONDS = 2.0  # what a collector that is down or hangs may cost the end of a process
_SCOPES = (SCOPE, "prefect")
_TOLD = (f"{SCOPE}.", "prefect.run.", "prefect.state.type", "prefect.state.name")
_TYPES = ("error.type", "exception.type")


def start_traces() -> None:
    """Make and send the spans of this process from now on; does nothing without a collector."""
    if is_traced():
        _start()


def is_collected() -> bool:
    """Return whether the collector takes a request; this one holds no span."""
    _mute()
    try:
        from opentelemetry.sdk.trace.export import SpanExportResult

        return _make_exporter().export([]) is SpanExportResult.SUCCESS
    except Exception:  # noqa: BLE001 - a variable of OpenTelemetry is wrong
        return False


@cache
def _start() -> None:
    _mute()
    try:
        provider = _make_provider()
    except Exception:  # noqa: BLE001 - whatever is wrong with a variable of OpenTelemetry
        return  # a run that is not traced is better than none; `tapewatch doctor` tells it
    from opentelemetry import trace

    trace.set_tracer_provider(provider)
    atexit.register(_Ending(provider).end)


def _mute() -> None:
    for name in ("opentelemetry", "urllib3"):  # a dead collector is no news for who reads a run
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _make_exporter() -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    class Exporter(OTLPSpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            return super().export([_discreet(span) for span in spans if _is_known(span)])

    return Exporter(timeout=_SECONDS)


def _make_provider() -> TracerProvider:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    told = {"service.name": service_name(), "service.version": code_version()}
    provider = TracerProvider(resource=Resource.create(told), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(_make_exporter()))
    return provider


class _Ending:
    """Sends the last spans in its own thread, because nothing of the SDK keeps to a time.

    The thread is there from the start: none can be made when the process is about to end.
    """

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._is_over = Signal()
        self._thread = Thread(target=self._send, name="traces", daemon=True)
        self._thread.start()

    def _send(self) -> None:
        self._is_over.wait()
        self._provider.shutdown()

    def end(self) -> None:
        self._is_over.set()
        with suppress(KeyboardInterrupt):  # told to stop: then nothing is waited for
            self._thread.join(_SECONDS)


def _is_known(span: ReadableSpan) -> bool:
    return span.instrumentation_scope is not None and span.instrumentation_scope.name in _SCOPES


def _discreet(span: ReadableSpan) -> ReadableSpan:
    """Return the span without any text that somebody else wrote."""
    from opentelemetry.sdk.trace import Event, ReadableSpan
    from opentelemetry.trace import Status

    is_ours = span.instrumentation_scope is not None and span.instrumentation_scope.name == SCOPE
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=_told(span.attributes),
        events=[Event(e.name, _told(e.attributes), e.timestamp) for e in span.events],
        kind=span.kind,
        status=span.status if is_ours else Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _told(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    found = (attributes or {}).items()
    return {k: v for k, v in found if k in _TYPES or k.startswith(_TOLD)}
