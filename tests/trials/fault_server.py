"""A loopback server that answers wrongly in every way we know, and writes down who asked."""

import socket
import struct
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

CSV = b"loan_id,balance\n" + b"L1,100.00\n" * 500
ZIP = b"PK\x03\x04" + b"x" * 400 + b"PK\x05\x06" + b"\0" * 18


def answer(body=b"", status="200 OK", *headers, length=None):
    size = len(body) if length is None else length
    head = [f"HTTP/1.1 {status}", f"Content-Length: {size}", "Connection: close", *headers]
    return "\r\n".join([*head, "", ""]).encode() + body


GOOD = answer(CSV)


def always(data):
    return lambda conn, hit: conn.sendall(data)


def then_good(data, times=2):
    return lambda conn, hit: conn.sendall(data if hit <= times else GOOD)


def drip(first, piece=b"x", seconds=0.05):
    def mode(conn, hit):
        conn.sendall(first)
        for _ in range(400):
            time.sleep(seconds)
            conn.sendall(piece)

    return mode


def hang(first=b"", seconds=2):
    def mode(conn, hit):
        conn.sendall(first)
        conn.settimeout(seconds)
        conn.recv(1)

    return mode


def reset(first):
    def mode(conn, hit):
        conn.sendall(first)
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return mode


def endless(first, chunk=b"1,2\n" * 4096):
    def mode(conn, hit):
        conn.sendall(first)
        while True:
            conn.sendall(chunk)

    return mode


@dataclass
class FaultServer:
    mode: object
    host: str = "127.0.0.1"
    tls: object = None
    heads: list = field(default_factory=list)
    times: list = field(default_factory=list)

    def __enter__(self):
        self._socket = socket.create_server((self.host, 0))
        self.port = self._socket.getsockname()[1]
        self._threads = [threading.Thread(target=self._serve, daemon=True)]
        self._threads[0].start()
        return self

    def __exit__(self, *_):
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join(3)

    @property
    def url(self):
        scheme = "https" if self.tls else "http"
        return f"{scheme}://{self.host}:{self.port}/export?token=canary-token"

    def _serve(self):
        while True:
            try:
                conn, _ = self._socket.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._handle, args=(conn,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _handle(self, conn):
        with suppress(OSError), conn:
            if self.tls:
                conn = self.tls.wrap_socket(conn, server_side=True)
            with conn:
                head = b""
                while b"\r\n\r\n" not in head:
                    head += conn.recv(65_536) or b"\r\n\r\n"
                self.times.append(time.time())
                self.heads.append(head)
                self.mode(conn, len(self.heads))
