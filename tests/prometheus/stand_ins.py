"""Slack's webhooks, a heartbeat service and PagerDuty Events v2 on loopback, as strict as they are.

One address a channel, as an app's webhooks have it. What breaks the protocol is answered with 400
and kept in `refused`, so that no test passes on a message that the real service would not take.
"""

import json
import threading
import time
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ROUTING_KEY = "0123456789abcdef0123456789abcdef"
PAGERDUTY = "/v2/enqueue"
HEARTBEAT = "/heartbeat"
CHANNELS = {
    "/slack/risk-monitoring": "#risk-monitoring",
    "/slack/executive-briefing": "#executive-briefing",
    "/slack/compliance-team": "#compliance-team",
    "/slack/devops-alerts": "#devops-alerts",
}
SEVERITIES = {"critical", "error", "warning", "info"}


@dataclass(frozen=True)
class Told:
    """One message that was taken."""

    title: str
    state: str  # trigger or resolve
    mention: str
    payload: dict
    at: float


@dataclass
class Heard:
    """What each channel took and was asked; `answers` are given first, one a request."""

    told: dict[str, list[Told]] = field(default_factory=lambda: defaultdict(list))
    statuses: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    answers: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    refused: list[str] = field(default_factory=list)
    beats: int = 0
    url: str = ""

    def forget(self):
        self.told.clear()
        self.statuses.clear()

    def titles(self):
        """Return what was told where, without the heartbeat."""
        return {where: [told.title for told in heard] for where, heard in self.told.items()}

    def states(self, where):
        return [told.state for told in self.told[where]]

    def take(self, path, body):
        """Return the status and the text that the service would answer."""
        where = "PagerDuty" if path == PAGERDUTY else CHANNELS.get(path, path)
        status, answer = self._answer(where, path, body)
        self.statuses[where].append(status)
        return status, answer

    def _answer(self, where, path, body):
        if self.answers[where]:
            return self.answers[where].pop(0), "not now"
        try:
            payload = json.loads(body)
            if path == HEARTBEAT:
                self.beats += 1
            elif path == PAGERDUTY:
                self.told[where].append(page(payload))
                return 202, json.dumps({"status": "success", "dedup_key": payload["dedup_key"]})
            else:
                self.told[where].append(message(where, payload))
        except (AssertionError, KeyError, TypeError, ValueError) as error:
            self.refused.append(f"{where}: {error!r}: {body[:2000]!r}")
            return 400, "invalid_payload"
        return 200, "ok"


def message(channel, payload):
    """A webhook belongs to one channel, and its message is one attachment with a title."""
    assert channel in CHANNELS.values(), "no_service"
    assert payload["channel"] == channel, "another channel's address"
    [attachment] = payload["attachments"]
    title = attachment["title"]
    assert title, "no title"
    assert attachment["fallback"], "no_text"
    state = "resolve" if attachment["color"] == "good" else "trigger"
    return Told(title, state, attachment.get("pretext", ""), payload, time.monotonic())


def page(payload):
    """An event has a key of 32 characters and, to trigger, says what, where and how bad."""
    assert payload["routing_key"] == ROUTING_KEY, "no integration has this key"
    assert 0 < len(payload["dedup_key"]) <= 255, "dedup_key"
    state = payload["event_action"]
    assert state in ("trigger", "resolve"), state
    event = payload.get("payload", {})
    if state == "trigger":
        assert 0 < len(event["summary"]) <= 1024, "summary"
        assert event["source"], "source"
        assert event["severity"] in SEVERITIES, "severity"
    return Told(event.get("summary", ""), state, "", payload, time.monotonic())


@contextmanager
def stand_ins():
    """Serve them all on one free port; yield what they hear."""
    heard = Heard()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                status, answer = heard.take(self.path, body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer.encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    heard.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield heard
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
