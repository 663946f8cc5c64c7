"""An OTLP/HTTP receiver on the loopback that is as strict as the specification, and bad ones."""

import socket
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

PROTOBUF = "application/x-protobuf"


@dataclass
class Sent:
    """One span as it arrived."""

    name: str
    scope: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict
    is_failed: bool
    message: str
    events: dict
    seconds: float


@dataclass
class Received:
    """Everything that was sent to one receiver."""

    url: str
    bodies: list = field(default_factory=list)
    headers: list = field(default_factory=list)

    @property
    def everything(self) -> bytes:
        return b"".join(self.bodies)

    @property
    def resources(self) -> list[dict]:
        return [_attributes(part.resource) for part in self._parts()]

    @property
    def spans(self) -> list[Sent]:
        """Every span, in the order of their beginning."""
        found = [
            (scoped.scope.name, span)
            for part in self._parts()
            for scoped in part.scope_spans
            for span in scoped.spans
        ]
        found.sort(key=lambda pair: pair[1].start_time_unix_nano)
        return [_sent(scope, span) for scope, span in found]

    def span(self, name: str, scope: str = "tapewatch") -> Sent:
        (found,) = [span for span in self.spans if (span.name, span.scope) == (name, scope)]
        return found

    def children(self, parent: Sent) -> list[Sent]:
        return [span for span in self.spans if span.parent_id == parent.span_id]

    def _parts(self):
        for body in self.bodies:
            yield from ExportTraceServiceRequest.FromString(body).resource_spans


def _sent(scope, span) -> Sent:
    return Sent(
        name=span.name,
        scope=scope,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        attributes=_attributes(span),
        is_failed=span.status.code == span.status.STATUS_CODE_ERROR,
        message=span.status.message,
        events={event.name: _attributes(event) for event in span.events},
        seconds=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
    )


def _attributes(told) -> dict:
    return {pair.key: _value(pair.value) for pair in told.attributes}


def _value(told):
    kind = told.WhichOneof("value")
    if kind == "array_value":
        return [_value(one) for one in told.array_value.values]
    return getattr(told, kind)


@contextmanager
def receive_traces():
    """Serve a receiver that takes well-formed requests alone."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            is_right = self.path == "/v1/traces" and self.headers["Content-Type"] == PROTOBUF
            ExportTraceServiceRequest.FromString(body)  # a damaged one ends the connection
            received.bodies.append(body)
            received.headers.append(dict(self.headers))
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200 if is_right else 400)
            self.send_header("Content-Type", PROTOBUF)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    received = Received(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield received
    server.shutdown()
    server.server_close()
    thread.join()


@contextmanager
def refusing():
    """Give the address of nobody."""
    with socket.socket() as taken:  # bound, so that nobody else gets it, and not listening
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@contextmanager
def hanging(answer: bytes = b""):
    """Serve what takes a request and answers one byte of `answer` a second, or nothing at all."""
    done = threading.Event()
    server = socket.create_server(("127.0.0.1", 0))

    def drip(connection):
        with connection, suppress(OSError):  # nobody waits for the rest
            for byte in answer:
                connection.send(bytes([byte]))
                time.sleep(1)
            done.wait(60)

    def serve():
        while not done.is_set():
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=drip, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}"
    done.set()
    server.close()
