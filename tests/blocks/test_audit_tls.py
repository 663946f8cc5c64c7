"""TLS to the audit store: a certificate that is not trusted ends the talk before the password."""

import socket
import ssl
import struct
import threading
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import pytest

from blocks.clients.audit_store import StoreTlsError, open_store
from settings.load import load_settings
from tests.certificates import make_certificate
from tests.supabase.payloads import payload

KEY = {"TAPEWATCH_PII_KEY": "k" * 16}
SSL_REQUEST = struct.pack("!ii", 8, 80877103)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A certificate of 127.0.0.1 and one of another host, each signed by itself, with its key."""
    hosts = {"here": "IP:127.0.0.1", "elsewhere": "DNS:db.example.com"}
    return {
        name: make_certificate(tmp_path_factory.mktemp(name), host) for name, host in hosts.items()
    }


@contextmanager
def tls_in_front_of(url, certificate):
    """Speak TLS as a Postgres server does, and pass on what is said to the one without it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.file, certificate.key)
    parts = urlsplit(url)
    heard = []

    def serve():
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                with client, suppress(OSError):
                    assert client.recv(8) == SSL_REQUEST
                    client.sendall(b"S")
                    with context.wrap_socket(client, server_side=True) as safe:
                        talk(safe)

    def talk(safe):
        with socket.create_connection((parts.hostname, parts.port)) as server:
            back = threading.Thread(target=pump, args=(server, safe))
            back.start()
            while said := safe.recv(65536):
                heard.append(said)
                server.sendall(said)
            server.shutdown(socket.SHUT_WR)
            back.join()

    def pump(server, safe):
        with suppress(OSError):
            while said := server.recv(65536):
                safe.sendall(said)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        port = listener.getsockname()[1]
        try:
            yield url.replace(f":{parts.port}", f":{port}"), heard
        finally:
            listener.shutdown(socket.SHUT_RDWR)
    thread.join()


def store_at(url, ca_file):
    variables = {"SUPABASE_DB_URL": url, "TAPEWATCH_AUDIT__CA_FILE": str(ca_file)}
    return open_store(load_settings(KEY | variables).audit)


def test_a_database_with_the_certificate_of_its_authority_is_written_to(database, certificates):
    with tls_in_front_of(database.url("app"), certificates["here"]) as (url, heard):
        answer = store_at(url, certificates["here"].file).record(payload(), 10)

    assert answer["created"] is True
    assert heard


@pytest.mark.parametrize(("served", "trusted"), [("here", "elsewhere"), ("elsewhere", "elsewhere")])
def test_an_unknown_authority_or_another_host_hears_no_password(
    database, certificates, served, trusted
):
    with (
        tls_in_front_of(database.url("app"), certificates[served]) as (url, heard),
        pytest.raises(StoreTlsError) as raised,
    ):
        store_at(url, certificates[trusted].file).record(payload(), 10)

    assert heard == []
    assert "TAPEWATCH_AUDIT__CA_FILE" in raised.value.fix


def test_a_database_without_tls_is_not_spoken_to_when_it_must_be_trusted(database, certificates):
    with pytest.raises(StoreTlsError):
        store_at(database.url("app"), certificates["here"].file).record(payload(), 10)
