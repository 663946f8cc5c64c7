"""Slack's webhooks, a heartbeat service and PagerDuty Events v2 on loopback, as strict as they are.

One address a channel, as an app's webhooks have it. What breaks the protocol is answered with 400
and kept in `refused`, so that nothing passes that the real service would not take.
"""

import html
import json
import re
import time
from collections import defaultdict
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, cast
from urllib.parse import quote, unquote

from blocks.clients.slack_figures import RECOVERED, WRITTEN_OFF
from deployments.observe.block_kit import problems_of

ROUTING_KEY = "0123456789abcdef0123456789abcdef"
PAGER = "PagerDuty"
_PAGERDUTY = "/v2/enqueue"
_HEARTBEAT = "/heartbeat"
_SLACK = "/slack/"
_MENTION = re.compile(r"<(@[UW][A-Z0-9]+|!subteam\^S[A-Z0-9]+)>")
_BETTER = (RECOVERED, WRITTEN_OFF)
_SEVERITIES = {"critical", "error", "warning", "info"}


@dataclass(frozen=True)
class Told:
    """One message that was taken."""

    where: str  # the channel, or the pager
    title: str
    text: str
    state: str  # trigger or resolve
    mention: str
    payload: dict[str, Any]
    at: float


@dataclass
class Heard:
    """What each channel took and was asked; `answers` are given first, one a request."""

    channels: frozenset[str]
    tell: Callable[[Told], None] | None = None  # is told each message as it comes
    told: dict[str, list[Told]] = field(default_factory=lambda: defaultdict(list))
    statuses: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    answers: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    refused: list[str] = field(default_factory=list[str])
    beats: int = 0
    url: str = ""

    @property
    def pagerduty(self) -> str:
        """The address that stands for PagerDuty's."""
        return self.url + _PAGERDUTY

    @property
    def heartbeat(self) -> str:
        """The address that is asked while alerting works."""
        return self.url + _HEARTBEAT

    def webhook(self, channel: str) -> str:
        """Return the address of a channel."""
        return self.url + _SLACK + quote(channel, safe="")

    def forget(self) -> None:
        """Begin anew: nothing was told."""
        self.told.clear()
        self.statuses.clear()

    def titles(self) -> dict[str, list[str]]:
        """Return what was told where, without the heartbeat."""
        return {where: [told.title for told in heard] for where, heard in self.told.items()}

    def states(self, where: str) -> list[str]:
        """Return whether each message of a channel was a trigger or a resolve."""
        return [told.state for told in self.told[where]]

    def take(self, path: str, body: bytes) -> tuple[int, str]:
        """Return the status and the text that the service would answer."""
        channel = unquote(path.removeprefix(_SLACK))
        where = PAGER if path == _PAGERDUTY else channel if channel in self.channels else path
        status, answer = self._answer(where, path, body)
        self.statuses[where].append(status)
        return status, answer

    def _answer(self, where: str, path: str, body: bytes) -> tuple[int, str]:
        if self.answers[where]:
            return self.answers[where].pop(0), "not now"
        try:
            payload = json.loads(body)
            if path == _HEARTBEAT:
                self.beats += 1
            elif path == _PAGERDUTY:
                self._keep(_page(payload))
                return 202, json.dumps({"status": "success", "dedup_key": payload["dedup_key"]})
            else:
                self._keep(self._message(where, payload))
        except (_RefusedPayload, KeyError, TypeError, ValueError) as error:
            self.refused.append(f"{where}: {error!r}: {body[:2000]!r}")
            return 400, "invalid_payload"
        return 200, "ok"

    def _keep(self, told: Told) -> None:
        self.told[told.where].append(told)
        if self.tell is not None:
            self.tell(told)

    def _message(self, channel: str, payload: dict[str, Any]) -> Told:
        """A webhook belongs to one channel; Alertmanager's message is one attachment."""
        _demand(channel in self.channels, "no_service")
        if "blocks" in payload:
            return _message_of_blocks(channel, payload)
        _demand(payload["channel"] == channel, "another channel's address")
        [attachment] = payload["attachments"]
        _demand(bool(attachment["title"]), "no title")
        _demand(bool(attachment["fallback"]), "no_text")
        state = "resolve" if attachment["color"] == "good" else "trigger"
        mention, text = attachment.get("pretext", ""), attachment.get("text", "")
        return Told(channel, attachment["title"], text, state, mention, payload, time.monotonic())


class _RefusedPayload(Exception):
    """What the real service would not take."""


def _demand(is_so: bool, reason: str) -> None:
    if not is_so:
        raise _RefusedPayload(reason)


def _message_of_blocks(channel: str, payload: dict[str, Any]) -> Told:
    """Take a message of the flow: a header, perhaps a mention of its own, and what it says."""
    problems = problems_of(payload)
    _demand(not problems, "; ".join(problems))
    texts = [
        html.unescape(element["text"])
        for block in payload["blocks"]
        for element in _texts_of(block)
    ]
    title, *lines = texts
    is_called = bool(lines) and _MENTION.fullmatch(lines[0]) is not None
    mention = lines.pop(0) if is_called else ""
    state = "resolve" if title.startswith(_BETTER) else "trigger"
    return Told(channel, title, "\n".join(lines), state, mention, payload, time.monotonic())


def _texts_of(block: dict[str, Any]) -> list[dict[str, str]]:
    own = [block["text"]] if "text" in block else []
    return [*own, *block.get("fields", ()), *block.get("elements", ())]


def _page(payload: dict[str, Any]) -> Told:
    """An event has a key of 32 characters and, to trigger, says what, where and how bad."""
    _demand(payload["routing_key"] == ROUTING_KEY, "no integration has this key")
    _demand(0 < len(payload["dedup_key"]) <= 255, "dedup_key")
    state = payload["event_action"]
    _demand(state in ("trigger", "resolve"), state)
    event = cast("dict[str, Any]", payload.get("payload", {}))
    if state == "trigger":
        _demand(0 < len(event["summary"]) <= 1024, "summary")
        _demand(bool(event["source"]), "source")
        _demand(event["severity"] in _SEVERITIES, "severity")
    details = cast("dict[str, str]", event.get("custom_details", {}))
    title, text = event.get("summary", ""), details.get("description", "")
    return Told(PAGER, title, text, state, "", payload, time.monotonic())


@contextmanager
def stand_ins(
    channels: frozenset[str], tell: Callable[[Told], None] | None = None
) -> Generator[Heard, None, None]:
    """Serve them all on one free port; yield what they hear."""
    heard, lock = Heard(channels, tell), Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                status, answer = heard.take(self.path, body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer.encode())

        def do_GET(self) -> None:
            """Answer as Cascade does when its session has expired."""
            self.send_response(401)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    heard.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield heard
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
