"""Slack on loopback: webhooks and chat.postMessage, as strict as they are, failing as told."""

import json
import time
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR
from threading import Lock, Thread

from deployments.observe.block_kit import problems_of
from settings.alerting import ROUTES

TOKEN = "xoxb-canary-4711"  # noqa: S105 - looked for where no secret may be


@dataclass(frozen=True)
class Answer:
    """One answer out of turn; `how` is send, hang, reset, cut, drip or slow_headers."""

    status: int = 200
    body: str = ""
    headers: dict = field(default_factory=dict)
    how: str = "send"


@dataclass
class Slack:
    """What was taken by channel, and how to answer next: `answers` first, one a request."""

    url: str = ""
    taken: list = field(default_factory=list)  # (channel, payload)
    tries: int = 0
    answers: deque = field(default_factory=deque)
    always: Answer | None = None

    def hook(self, route):
        return f"{self.url}/services/T0/B0/{route}-canary-4711"

    @property
    def api(self):
        return f"{self.url}/api"

    def variables(self):
        """Return the variables of a webhook a route."""
        return {f"SLACK_WEBHOOK_{route.upper()}": self.hook(route) for route in ROUTES}

    def texts(self, route=None):
        return [payload["text"] for where, payload in self.taken if route in (None, where)]

    def refs(self, route=None):
        """Return the refs that people saw, in the order they came."""
        shown = [
            payload["blocks"][-1]["elements"][0]["text"]
            for where, payload in self.taken
            if route in (None, where)
        ]
        return [text.rpartition("ref `")[2].rstrip("`") for text in shown]

    def judge(self, path, headers, body):
        payload = json.loads(body)
        problems = problems_of(payload)
        if path == "/api/chat.postMessage":
            if headers.get("Authorization") != f"Bearer {TOKEN}":
                return Answer(200, json.dumps({"ok": False, "error": "invalid_auth"}))
            if problems:
                return Answer(200, json.dumps({"ok": False, "error": "invalid_blocks"}))
            self.taken.append((payload["channel"], payload))
            return Answer(200, json.dumps({"ok": True, "ts": f"1733.{len(self.taken):06}"}))
        if problems or "channel" in payload:
            return Answer(400, "invalid_payload")
        if not path.endswith("-canary-4711"):
            return Answer(404, "no_service")
        self.taken.append((path.rpartition("/")[2].removesuffix("-canary-4711"), payload))
        return Answer(200, "ok")


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        slack, body = self.server.slack, self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            slack.tries += 1
            answer = slack.answers.popleft() if slack.answers else slack.always
            if answer is None or answer.how == "cut":  # a cut answer is one to a message taken
                taken = slack.judge(self.path, self.headers, body)
                answer = taken if answer is None else answer
        if answer.how == "hang":
            time.sleep(3)
        elif answer.how == "slow_headers":
            self._drip_headers()
        elif answer.how in ("reset", "cut"):
            self.connection.shutdown(SHUT_RDWR)
        else:
            self._send(answer)

    def _drip_headers(self):
        """Begin an answer and go on with it, a line at a time: each read ends in time, not all."""
        self.connection.sendall(b"HTTP/1.0 200 OK\r\n")
        for number in range(40):
            self.connection.sendall(f"X-{number}: wait\r\n".encode())
            time.sleep(0.25)
        self.connection.sendall(b"Content-Length: 2\r\n\r\nok")

    def _send(self, answer):
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        for letter in answer.body.encode():
            self.wfile.write(bytes([letter]))
            time.sleep(0.3 if answer.how == "drip" else 0)

    def log_message(self, format, *args):
        pass

    def handle_one_request(self):
        with suppress(OSError):  # a client that gave up is no error of the test
            super().handle_one_request()
            return
        self.close_connection = True


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.slack, self.lock = Slack(f"http://127.0.0.1:{self.server_port}"), Lock()

    def handle_error(self, request, client_address):
        pass


@contextmanager
def serve_slack():
    """Serve it on a free port."""
    server = _Server()
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.slack
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
