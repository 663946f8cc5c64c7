"""Fetch Cascade's export over HTTP: one request, tried again while that can help.

Every try, wait and answer is a line of the run's log; no URL with its query and no cookie is.
"""

import logging
import os
import random
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Protocol

import httpx

from blocks.clients.answers import (
    PATIENCE,
    CascadeUnavailableError,
    RateLimitedError,
    TooBigError,
    TooSlowError,
    judge_failure,
    judge_file,
    judge_status,
)
from blocks.clients.export_url import export_url
from blocks.clients.guard import Guard
from blocks.clients.tls import tls_context
from settings.connections import CascadeSettings
from settings.errors import ConfigError, InternalError, TapewatchError
from settings.value_types import size_bytes
from warehouse.durable import create_private, write_all
from warehouse.storage_errors import typed_storage

_FIRST_WAIT_SECONDS = 1.0  # doubles with each try; between half and all of it, by chance


class NotConfiguredError(ConfigError):
    """The export cannot be fetched over HTTP: neither its URL nor a cookie is set."""

    code = "CASCADE_NOT_CONFIGURED"


class CaFileError(ConfigError):
    """The file of certificates cannot be used."""

    code = "CASCADE_CA_FILE"


class ProxyError(ConfigError):
    """The URL of the proxy is none."""

    code = "CASCADE_PROXY"


class Log(Protocol):
    """What is needed of a logger."""

    def info(self, event: str, **facts: object) -> object:
        """Write a line of what happened."""
        ...

    def warning(self, event: str, **facts: object) -> object:
        """Write a line of what went wrong and may still go right."""
        ...


class CascadeClient:
    """Fetches the export; all that may heal is tried again here, so no error of it can heal."""

    def __init__(
        self,
        settings: CascadeSettings,
        state: Path,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Prepare to fetch.

        Args:
            settings: Where from, with what cookie, and every limit.
            state: The folder that keeps the breaker and the requests of the last minute.
            clock: The wall clock; a test may give its own, as for `sleep`.
            sleep: How to wait.
        """
        self._settings = settings
        self._guard = Guard(settings, state, clock)
        self._clock = clock
        self._sleep = sleep

    def fetch(self, folder: Path, log: Log) -> Path:
        """Download the export into `folder` and return the file; its suffix tells its kind.

        Raises:
            ConfigError: The URL, the cookie, the proxy or the file of certificates is wrong.
            AuthExpiredError: The session cookie is not accepted any more.
            TapewatchError: Any other reason not to have the whole export; no file is left.
        """
        if not self._settings.is_configured:
            raise NotConfiguredError(
                "neither CASCADE_SESSION_COOKIE nor CASCADE_EXPORT_URL is set",
                fix="export both, or give the export's file with --input",
            )
        request = _Request(self._settings, folder, log)
        for number in range(1, self._settings.max_tries + 1):
            self._wait_for_admission(request)
            try:
                path = request.send()
            except (CascadeUnavailableError, RateLimitedError) as error:
                # A refusal for too many requests comes from a Cascade that is well.
                failed = isinstance(error, CascadeUnavailableError)
                is_open = self._guard.record(failed=failed)
                log.warning("cascade request failed", code=error.code, request=number)
                self._wait_or_raise(error, number, request, is_open=is_open)
            except TapewatchError:
                # An expired session or a bad export is an answer too: Cascade is there, and a
                # breaker that opened for it would hide the one error that names the cure.
                self._guard.record(failed=False)
                raise
            else:
                self._guard.record(failed=False)
                return path
        raise InternalError("the last try neither returned nor raised", fix="report this")

    def _wait_for_admission(self, request: "_Request") -> None:
        while seconds := self._guard.admit():
            if seconds >= request.seconds_left():
                limit = self._settings.requests_per_minute
                raise RateLimitedError(
                    f"{limit} requests in a minute are used up", fix="run again in a minute"
                )
            request.log.warning("cascade rate limit reached", wait_seconds=round(seconds, 1))
            self._sleep(seconds)

    def _wait_or_raise(
        self,
        error: CascadeUnavailableError | RateLimitedError,
        number: int,
        request: "_Request",
        *,
        is_open: bool,
    ) -> None:
        longest = _FIRST_WAIT_SECONDS * 2 ** (number - 1)
        chance = random.uniform(0.5, 1)  # noqa: S311 - keeps runs apart, guards no secret
        seconds = max(longest * chance, _asked_wait(request.retry_after, self._clock()))
        is_final = isinstance(error, CascadeUnavailableError) and not error.is_tried_again
        is_last = is_final or is_open or number >= self._settings.max_tries
        if is_last or seconds >= request.seconds_left():
            raise error
        request.log.warning("cascade retry", wait_seconds=round(seconds, 1), request=number + 1)
        self._sleep(seconds)


class _Request:
    """One fetch: the same request, to be sent as often as its time allows."""

    def __init__(self, settings: CascadeSettings, folder: Path, log: Log) -> None:
        self.log = log
        self.retry_after = ""
        self._settings = settings
        self._url = export_url(settings)
        self._tls = _tls_context(settings.ca_file)
        self._proxy = _proxy(settings)
        self._max_bytes = size_bytes(settings.max_bytes)
        self._part = folder / "cascade_export.part"
        self._deadline = time.monotonic() + float(settings.total_seconds)
        for name in ("httpx", "httpcore"):  # they log the URL with its token, and every header
            logging.getLogger(name).setLevel(logging.WARNING)

    def seconds_left(self) -> float:
        """Return how much of the fetch's time is left, counted by a clock that nobody sets."""
        return self._deadline - time.monotonic()

    def send(self) -> Path:
        """Send the request once and return the file of a whole export.

        Raises:
            TapewatchError: There is none; no file is left.
        """
        self.retry_after = ""
        left = self.seconds_left()
        if left <= 0:
            raise self._too_slow()
        response = None
        try:
            with _Watchdog(left) as watchdog, self._client(left) as client:
                try:
                    with client.stream(
                        "GET", self._url, extensions={"trace": watchdog.trace}
                    ) as response:
                        return self._receive(response, watchdog)
                except httpx.HTTPError as error:
                    if watchdog.has_fired:
                        raise self._too_slow() from None
                    raise judge_failure(error, in_body=response is not None) from None
        finally:
            self._part.unlink(missing_ok=True)

    def _client(self, left: float) -> httpx.Client:
        """Return a client for one request: no cookie jar, no connection outlives it."""
        connect = min(float(self._settings.connect_seconds), left)
        read = min(float(self._settings.read_seconds), left)
        cookie = self._settings.session_cookie
        return httpx.Client(
            headers={
                "User-Agent": "tapewatch",
                "Accept": "*/*",
                "Accept-Encoding": "identity",
                # A header: a client's cookies would follow a redirect to another host.
                "Cookie": cookie.get_secret_value() if cookie else "",
            },
            verify=self._tls,
            trust_env=False,
            follow_redirects=False,
            proxy=self._proxy,
            timeout=httpx.Timeout(read, connect=connect),
        )

    def _receive(self, response: httpx.Response, watchdog: "_Watchdog") -> Path:
        started = time.monotonic()
        seconds = round(watchdog.seconds(), 3)
        self.log.info("cascade answered", status=response.status_code, seconds=seconds)
        self.retry_after = response.headers.get("retry-after", "")
        judge_status(response)
        if int(response.headers.get("content-length", "0")) > self._max_bytes:
            raise self._too_big()
        size = self._store(response)
        if watchdog.has_fired:  # a body without a length has then ended, as if it were whole
            raise self._too_slow()
        headers = response.headers
        suffix = judge_file(
            self._part, has_length="content-length" in headers or "transfer-encoding" in headers
        )
        path = self._part.with_suffix(suffix)
        with typed_storage(path):
            self._part.replace(path)
        seconds = round(time.monotonic() - started, 3)
        self.log.info("cascade export received", file=path.name, bytes=size, seconds=seconds)
        return path

    def _store(self, response: httpx.Response) -> int:
        with typed_storage(self._part):
            fd = create_private(self._part, flags=os.O_TRUNC | os.O_NOFOLLOW)
        size = 0
        try:
            for chunk in response.iter_raw():  # given a size it would wait for so many bytes
                size += len(chunk)
                if size > self._max_bytes:
                    raise self._too_big()
                if self.seconds_left() <= 0:
                    raise self._too_slow()
                with typed_storage(self._part, size):
                    write_all(fd, chunk)
        finally:
            os.close(fd)
        return size

    def _too_slow(self) -> TooSlowError:
        seconds = self._settings.total_seconds
        return TooSlowError(f"Cascade did not deliver within {seconds} seconds", fix=PATIENCE)

    def _too_big(self) -> TooBigError:
        return TooBigError(
            f"Cascade's export is larger than {self._settings.max_bytes}",
            fix="raise TAPEWATCH_CASCADE__MAX_BYTES if an export may be so large",
        )


class _Watchdog:
    """Ends the connection when the time is over, whatever the server is doing.

    A read time-out starts anew with each byte, and no chunk comes while a header drips in.
    """

    def __init__(self, seconds: float) -> None:
        self.has_fired = False
        self._started = time.monotonic()
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._fire)
        self._timer.daemon = True

    def __enter__(self) -> "_Watchdog":
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._timer.join()
        if self._socket is not None:
            self._socket.close()

    def seconds(self) -> float:
        """Return the seconds since the request began."""
        return time.monotonic() - self._started

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """Take hold of the connection as soon as there is one; httpx calls this at every step."""
        if event == "connection.connect_tcp.complete":
            # A second descriptor: TLS takes the first one over.
            self._socket = info["return_value"].get_extra_info("socket").dup()
            if self.has_fired:
                self._fire()

    def _fire(self) -> None:
        self.has_fired = True
        if self._socket is not None:
            with suppress(OSError):  # the server may have hung up in this moment
                self._socket.shutdown(socket.SHUT_RDWR)


def _asked_wait(text: str, now: float) -> float:
    """Return the seconds a Retry-After header asks for, 0 where it says nothing of use."""
    if re.fullmatch(r"[0-9]{1,12}", text.strip()):
        return float(text)
    try:
        when = parsedate_to_datetime(text)
        return max(0.0, (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _tls_context(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return tls_context(ca_file)
    except OSError:  # ssl.SSLError is one
        raise CaFileError(
            f"{ca_file} is not a readable file of certificates",
            fix="give a PEM file in TAPEWATCH_CASCADE__CA_FILE, or unset it",
        ) from None


def _proxy(settings: CascadeSettings) -> httpx.Proxy | None:
    if settings.proxy is None:
        return None
    try:
        return httpx.Proxy(settings.proxy.get_secret_value())
    except (httpx.InvalidURL, ValueError):
        raise ProxyError(
            "CASCADE_PROXY is not a URL", fix="correct it, as in http://127.0.0.1:3128, or unset it"
        ) from None
