"""Slack: each channel is a receiver, by its own webhook, the bot token, or the common webhook.

httpx is asked, not slack_sdk's clients: those take a proxy of the environment, follow redirects
and log the URL. Nothing is tried twice here: the outbox tries again, and knows the day's limit.
"""

import json
import re
import ssl
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

import httpx

from blocks.clients.tls import tls_context
from settings.alerting import ROUTES, AlertingSettings, Route, SlackSettings, webhook_url
from settings.errors import ConfigError, SourceUnavailableError, TapewatchError
from warehouse.delivery_box import AskedToWaitError, RefusedError
from warehouse.mail import MessageItem
from warehouse.message_box import Posted, channel_name
from warehouse.messages import check_messages

_REASON = re.compile(r"[a-z][a-z_]{2,60}")
_LATER = {  # what chat.postMessage answers when it is not the message's fault
    "internal_error",
    "fatal_error",
    "service_unavailable",
    "request_timeout",
    "team_added_to_org",
    "ekm_access_denied",
}
_WAIT_SECONDS = 30.0  # of an answer 429 that names no time
_ANSWER_MAX = 65_536
_Answer = tuple[int, str, bytes]  # status, Retry-After, body
_FIXES = {
    "invalid_auth": "set SLACK_BOT_TOKEN to a token of the app, with the scope chat:write",
    "channel_not_found": "invite the app to the channel, or correct its name in the settings",
    "invalid_payload": "report this line: it is a mistake of Tapewatch",
}
_MEANS = {
    "not_authed": "invalid_auth",
    "token_revoked": "invalid_auth",
    "token_expired": "invalid_auth",
    "account_inactive": "invalid_auth",
    "missing_scope": "invalid_auth",
    "not_in_channel": "channel_not_found",
    "is_archived": "channel_not_found",
    "invalid_blocks": "invalid_payload",
    "invalid_blocks_format": "invalid_payload",
    "msg_too_long": "invalid_payload",
    "no_text": "invalid_payload",
}


class SlackUnavailableError(SourceUnavailableError):
    """Slack did not answer, or not with an answer of its own."""

    code = "SLACK_UNAVAILABLE"


class SlackRefusedError(RefusedError):
    """Slack will never take this message on this way."""

    code = "SLACK_REFUSED"


class NoChannelError(ConfigError):
    """No webhook and no token leads to the channel."""

    code = "SLACK_NOT_SET"


@dataclass(frozen=True)
class Way:
    """How a channel is reached; the URL and the token are shown to nobody."""

    route: Route
    channel: str
    url: str
    token: str | None = None
    by: str = "its own webhook"  # for people

    def __repr__(self) -> str:
        """Return what may be seen of it."""
        return f"Way({self.channel} by {'token' if self.token else 'webhook'})"


class CannotRenderError(RefusedError):
    """A message tells what this Tapewatch cannot draw: no other must wait behind it."""

    code = "MESSAGE_NOT_DRAWN"


class SlackReceiver:
    """Posts the messages of one channel."""

    def __init__(self, way: Way, alerting: AlertingSettings, seconds: float) -> None:
        self.name = channel_name(way.route)
        self._way = way
        self._alerting = alerting
        self._seconds = seconds

    @property
    def store(self) -> str:
        """The channel."""
        return self._way.channel

    def send(self, item: MessageItem, seconds: float, /) -> Posted:
        """Post one message and return its name in the channel.

        Raises:
            HashMismatchError: What was sealed is not what lies there.
            RefusedError: It will never be taken.
            TapewatchError: It was not taken now.
        """
        from blocks.clients.slack_messages import render  # only what is sent needs Block Kit

        manifest = None if item.run is None else check_messages(item.run)
        try:
            payload = render(item.message, self._alerting, manifest)
        except (LookupError, TypeError, ValueError) as error:  # sealed by another version
            raise CannotRenderError(
                f"message {item.message.ref} cannot be drawn ({type(error).__name__})",
                fix="read it in its run: `tapewatch runs show`",
            ) from None
        ts = post(self._way, payload, min(seconds, self._seconds))
        return Posted(item.message.ref, ts)


def open_channels(slack: SlackSettings, alerting: AlertingSettings) -> tuple[SlackReceiver, ...]:
    """Return the channels that can be reached."""
    ways = (way_of(slack, route) for route in ROUTES)
    return tuple(SlackReceiver(way, alerting, float(slack.seconds)) for way in ways if way)


def way_of(slack: SlackSettings, route: Route) -> Way | None:
    """Return how a channel is reached: its own webhook, the token, the webhook for all."""
    channel, own = slack.channel(route), slack.own_webhook(route)
    if own is None and slack.bot_token is not None:
        token = slack.bot_token.get_secret_value()
        url = f"{slack.api_url}/chat.postMessage"
        return Way(route, channel, url, token, by="the bot token")
    if own is not None:
        return Way(route, channel, webhook_url(own))
    common = slack.webhook(route)
    return None if common is None else Way(route, channel, common, by="the webhook for all")


def need_way(slack: SlackSettings, route: Route) -> Way:
    """Return how a channel is reached.

    Raises:
        NoChannelError: It cannot be reached.
    """
    way = way_of(slack, route)
    if way is None:
        raise NoChannelError(
            f"nothing leads to {slack.channel(route)}",
            fix=f"export SLACK_WEBHOOK_{route.upper()}=... or SLACK_BOT_TOKEN=... here: "
            "Prefect's blocks are for the flows",
        )
    return way


def post(way: Way, payload: Mapping[str, Any], seconds: float) -> str | None:
    """Post one message; return Slack's name of it, None by a webhook.

    Raises:
        AskedToWaitError: Slack is asked too often.
        SlackRefusedError: It will never be taken.
        SlackUnavailableError: It was not taken now.
    """
    headers = {"User-Agent": "tapewatch", "Content-Type": "application/json; charset=utf-8"}
    body = dict(payload)
    if way.token is not None:
        headers["Authorization"] = f"Bearer {way.token}"
        body["channel"] = way.channel
    try:
        status, retry_after, answer = _ask(way.url, headers, body, seconds)
    except httpx.HTTPError as error:  # its own text may repeat the URL
        raise _unavailable(way, type(error).__name__) from None
    if status == 429:
        raise _asked_to_wait(way, retry_after)
    return _judge_call(way, status, answer) if way.token else _judge_webhook(way, status, answer)


def _ask(url: str, headers: Mapping[str, str], body: Mapping[str, Any], seconds: float) -> _Answer:
    """Return status, Retry-After and body of the answer, all of it within `seconds`.

    httpx limits each read, not all of them: headers that drip would take any time. So the asking
    has a thread of its own, and an answer that is whole when the time is over counts.
    """
    told: SimpleQueue[_Answer | Exception] = SimpleQueue()

    def ask() -> None:
        try:
            told.put(_ask_in_its_time(url, headers, body, seconds))
        except Exception as error:  # noqa: BLE001 - raised again by the thread that waits
            told.put(error)

    Thread(target=ask, name="slack", daemon=True).start()
    try:
        answer = told.get(timeout=max(0.0, seconds))
    except Empty:
        raise httpx.ReadTimeout("the answer takes too long") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _ask_in_its_time(
    url: str, headers: Mapping[str, str], body: Mapping[str, Any], seconds: float
) -> _Answer:
    timeout = {name: seconds for name in ("connect", "read", "write", "pool")}
    request = httpx.Request(
        "POST",
        url,
        headers=dict(headers),
        content=json.dumps(body).encode(),
        extensions={"timeout": timeout},
    )
    # the transport, not the client: that one logs the URL, which is the secret of a webhook
    with httpx.HTTPTransport(verify=_trust(), trust_env=False) as transport:
        response, answer = transport.handle_request(request), b""
        with closing(response):
            for chunk in response.iter_raw():
                answer += chunk
                if len(answer) > _ANSWER_MAX:
                    raise httpx.ReadError("the answer is too long")
            return response.status_code, response.headers.get("retry-after", ""), answer


@cache
def _trust() -> ssl.SSLContext:
    return tls_context(None)  # it reads a hundred certificates


def _judge_webhook(way: Way, status: int, answer: bytes) -> None:
    """A webhook answers "ok", or says in one word what is wrong."""
    text = answer[:200].decode("utf-8", errors="replace").strip()
    if status == 200 and text == "ok":
        return
    reason = text if _REASON.fullmatch(text) else f"HTTP {status}"
    raise _refused(way, reason) if _is_final(status) else _unavailable(way, reason)


def _judge_call(way: Way, status: int, answer: bytes) -> str | None:
    """The API answers 200 and says in the body whether it worked."""
    try:
        told: Any = json.loads(answer)
        is_ok, error, ts = told["ok"], str(told.get("error")), told.get("ts")
    except (ValueError, TypeError, KeyError, AttributeError):
        if _is_final(status):
            raise _refused(way, f"HTTP {status}") from None
        raise _unavailable(way, f"HTTP {status}") from None
    if status == 200 and is_ok is True:
        return str(ts)
    reason = error if _REASON.fullmatch(error) else f"HTTP {status}"
    if error in ("ratelimited", "rate_limited"):
        raise _asked_to_wait(way, "")
    if error in _LATER or not (_is_final(status) or status == 200):
        raise _unavailable(way, reason)
    raise _refused(way, reason)


def _is_final(status: int) -> bool:
    return 400 <= status < 500 and status not in (408, 425)


def _unavailable(way: Way, reason: str) -> TapewatchError:
    return SlackUnavailableError(
        f"Slack did not take a message for {way.channel}: {reason}",
        fix="none: it is sent again; if it stays so, see status.slack.com and the network",
    )


def _refused(way: Way, reason: str) -> TapewatchError:
    of_webhook = f"make a new webhook for {way.channel} and set SLACK_WEBHOOK_{way.route.upper()}"
    fix = _FIXES.get(_MEANS.get(reason, reason), of_webhook)
    return SlackRefusedError(
        f"Slack refuses messages for {way.channel}: {reason}",
        fix=f"{fix}; then tapewatch deliver --retry-refused",
        evidence={"reason": reason},
    )


def _asked_to_wait(way: Way, retry_after: str) -> TapewatchError:
    is_number = re.fullmatch(r"[0-9]{1,9}", retry_after.strip()) is not None
    seconds = float(retry_after) if is_number else _WAIT_SECONDS
    return AskedToWaitError(
        f"Slack wants {way.channel} left alone for {seconds:.0f} s",
        fix="none: it is sent again after that",
        seconds=seconds,
    )
