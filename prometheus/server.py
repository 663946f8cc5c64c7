"""Serve the metrics over HTTP: to this machine alone, unless settings say how they are guarded."""

import base64
import hmac
import socketserver
import ssl
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from socket import AF_INET, AF_INET6
from typing import TypeVar
from wsgiref.simple_server import ServerHandler, WSGIRequestHandler, WSGIServer
from wsgiref.types import StartResponse, WSGIEnvironment

from prometheus_client import CollectorRegistry, disable_created_metrics
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from settings.connections import ExporterSettings
from settings.errors import ConfigError

A = TypeVar("A")
B = TypeVar("B")
App = Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]
SERVER_NAME = "tapewatch"
_CLIENT_SECONDS = 10  # a client that says nothing for so long is left alone
_PAGE = (
    b'<!doctype html><html lang="en"><title>Tapewatch</title>'
    b'<h1>Tapewatch</h1><p><a href="/metrics">Metrics</a></p></html>\n'
)


class CannotListenError(ConfigError):
    """The address or the port cannot be had."""

    code = "CANNOT_LISTEN"


class ExporterHalfConfiguredError(ConfigError):
    """Of two settings that only make sense together, one is missing."""

    code = "EXPORTER_HALF_CONFIGURED"


class UnprotectedError(ConfigError):
    """Anybody on the network could read the figures."""

    code = "EXPORTER_UNPROTECTED"


class BadCertificateError(ConfigError):
    """The certificate or its key cannot be used."""

    code = "BAD_CERTIFICATE"


@dataclass(frozen=True)
class Protection:
    """What stands between a network and the figures."""

    credentials: bytes | None = None  # user:password
    tls: ssl.SSLContext | None = None


def protection(settings: ExporterSettings) -> Protection:
    """Return what the settings ask for, if it is enough for their address.

    Raises:
        BadCertificateError: The certificate and the key are no pair, or cannot be read.
        ExporterHalfConfiguredError: A user without a password, a certificate without a key.
        UnprotectedError: The address is not this machine's own, and nothing protects it.
    """
    user, password = _pair("USER", settings.user, "PASSWORD", settings.password)
    certificate, key = _pair("CERT_FILE", settings.cert_file, "KEY_FILE", settings.key_file)
    is_open = user is None or password is None
    if is_open and not ip_address(settings.address).is_loopback and not settings.allow_unprotected:
        raise UnprotectedError(
            f"everybody who reaches {settings.address} could read the figures",
            fix="set TAPEWATCH_EXPORTER__USER and __PASSWORD, or TAPEWATCH_EXPORTER__"
            "ALLOW_UNPROTECTED=true if a firewall is in front",
        )
    tls = None if certificate is None or key is None else _tls(certificate, key)
    if user is None or password is None:
        return Protection(None, tls)
    return Protection(f"{user}:{password.get_secret_value()}".encode(), tls)


def _pair(one: str, a: A | None, other: str, b: B | None) -> tuple[A | None, B | None]:
    if (a is None) == (b is None):
        return a, b
    there, missing = (other, one) if a is None else (one, other)
    raise ExporterHalfConfiguredError(
        f"TAPEWATCH_EXPORTER__{there} is set, TAPEWATCH_EXPORTER__{missing} is not",
        fix=f"export TAPEWATCH_EXPORTER__{missing}=...",
    )


def _tls(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key, password="")  # never ask at the terminal
    except (OSError, ValueError) as error:
        told = getattr(error, "strerror", None) or type(error).__name__
        raise BadCertificateError(
            f"{certificate} with {key} cannot be used: {told}",
            fix="give a PEM certificate with its chain, and the key of it without a pass phrase",
        ) from None
    return context


def make_app(collector: Collector, credentials: bytes | None) -> App:
    """Return the pages: / for people, /metrics for Prometheus, /healthz for who restarts us."""
    disable_created_metrics()
    registry = CollectorRegistry()
    registry.register(collector)

    def app(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if environ["REQUEST_METHOD"] != "GET":
            return _answer(start, "405 Method Not Allowed", b"use GET\n", ("Allow", "GET"))
        if path == "/healthz":
            return _answer(start, "200 OK", b"ok\n")
        if credentials and not _is_known(environ.get("HTTP_AUTHORIZATION", ""), credentials):
            ask = ("WWW-Authenticate", 'Basic realm="tapewatch", charset="UTF-8"')
            return _answer(start, "401 Unauthorized", b"user and password, please\n", ask)
        if path == "/metrics":
            encode, kind = choose_encoder(environ.get("HTTP_ACCEPT", ""))
            return _answer(start, "200 OK", encode(registry), ("Content-Type", kind))
        if path == "/":
            html = ("Content-Type", "text/html; charset=utf-8")
            return _answer(start, "200 OK", _PAGE, html)
        return _answer(start, "404 Not Found", b"see /metrics\n")

    return app


def _answer(
    start: StartResponse, status: str, body: bytes, *headers: tuple[str, str]
) -> list[bytes]:
    told = {"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(body))}
    start(status, [*{**told, **dict(headers)}.items()])
    return [body]


def _is_known(header: str, credentials: bytes) -> bool:
    scheme, _, text = header.partition(" ")
    try:
        given = base64.b64decode(text.strip(), validate=True)
    except ValueError:
        return False
    return scheme.lower() == "basic" and hmac.compare_digest(given, credentials)


class _Handler(WSGIRequestHandler):
    timeout = _CLIENT_SECONDS

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a line every ten seconds tells nobody anything."""


class MetricsServer(socketserver.ThreadingMixIn, WSGIServer):
    """One thread a request, so that a slow client keeps nobody waiting."""

    daemon_threads = True

    def __init__(self, address: str, port: int, app: App, tls: ssl.SSLContext | None) -> None:
        """Bind and listen; requests are answered by `serve_forever`.

        Raises:
            CannotListenError: The port is taken, or the address is none of this machine.
        """
        self.address_family = AF_INET6 if ":" in address else AF_INET
        ServerHandler.server_software = SERVER_NAME
        try:
            super().__init__((address, port), _Handler)
        except OSError as error:
            raise CannotListenError(
                f"{address} port {port}: {error.strerror}",
                fix="stop what listens there (`ss -ltnp`), or choose another: --port, or "
                "TAPEWATCH_EXPORTER__PORT",
            ) from None
        self.set_app(app)
        if tls is not None:
            # the handshake is left to the request's thread: here it would keep all others waiting
            self.socket = tls.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )
        self.url = f"{'http' if tls is None else 'https'}://{_host(address)}:{self.server_port}"

    def server_bind(self) -> None:
        """Bind, without the look-up of this machine's name that may take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = SERVER_NAME, int(self.server_address[1])
        self.setup_environ()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that went away or spoke no HTTP; all else is our mistake."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)  # pyright: ignore[reportArgumentType]


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address
