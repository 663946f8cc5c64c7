"""The audit store over REST: PostgREST's dialect, through Supabase's own small client."""

import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import httpx
from postgrest import SyncPostgrestClient
from postgrest.exceptions import APIError

from blocks.clients.audit_store import (
    SCHEMA,
    PayloadRefusedError,
    StoreTlsError,
    StoreUnavailableError,
    StoreUrlError,
    is_here,
    judge_sqlstate,
    refused_login,
    wrong_ca_file,
)
from blocks.clients.tls import tls_context
from settings.connections import AuditSettings
from settings.errors import TapewatchError
from warehouse.json_text import JsonObject

T = TypeVar("T")
_PATH = "/rest/v1"
_PAGE = 1_000  # the most rows that Supabase answers at once by default
_READ_SECONDS = 60.0
_UNAUTHORIZED, _TOO_LARGE, _ITS_FAULT = 401, 413, 500


class RestStore:
    """The store behind SUPABASE_URL and its service-role key."""

    def __init__(self, settings: AuditSettings) -> None:
        """Prepare the client; nothing is asked before the first call.

        Raises:
            StoreUrlError: The URL is not https, and not on this machine.
            CaFileError: The file of certificates cannot be used.
        """
        self._settings = settings
        self._url = _url(settings)
        self._status = 0
        key = settings.rest_key() or ""
        self._deadline = _Deadline(
            verify=_tls_context(settings.ca_file),
            trust_env=False,
            limits=httpx.Limits(max_keepalive_connections=0),  # nothing to close afterwards
        )
        http = httpx.Client(
            transport=self._deadline,
            trust_env=False,
            follow_redirects=False,  # the key goes nowhere else
            event_hooks={"response": [self._see]},
        )
        self._http = http
        self._client = SyncPostgrestClient(
            str(self._url).rstrip("/"),
            schema=SCHEMA,
            headers={"apikey": key, "Authorization": f"Bearer {key}"},
            http_client=http,
            retry_enabled=False,  # the outbox tries again, and counts
        )

    @property
    def host(self) -> str:
        """Whom DNS is asked for."""
        return self._url.host

    @property
    def address(self) -> str:
        """The host for people, without any secret."""
        return f"Supabase at {self._url.host}"

    def record(self, payload: JsonObject, seconds: float) -> JsonObject:
        """Store one run by the one function that writes; see `AuditStore.record`."""
        arguments: Any = {"payload": dict(payload)}
        request = self._client.rpc("record_pipeline_run", arguments)
        return self._ask(lambda: request.execute().data, seconds)

    def chain_problems(self) -> list[JsonObject]:
        """Return what the store finds wrong with its chain; see `AuditStore.chain_problems`."""
        request = self._client.rpc("verify_audit_chain", {})
        return self._ask(lambda: request.execute().data, _READ_SECONDS)

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[Mapping[str, Any]]:
        """Yield every row of a table, page by page; see `AuditStore.rows`."""
        order = [name.partition("::")[0] for name in columns[:3]]
        start = 0
        while page := self._page(table, columns, order, start):
            yield from page
            start += len(page)  # the project may allow fewer rows than were asked for

    def _page(
        self, table: str, columns: Sequence[str], order: Sequence[str], start: int
    ) -> list[Mapping[str, Any]]:
        request = self._client.from_(table).select(*columns)
        for name in order:  # pages need one order for all rows
            request = request.order(name)
        question = request.range(start, start + _PAGE - 1).execute
        return self._ask(question, _READ_SECONDS).data

    def _see(self, response: httpx.Response) -> None:
        self._status = response.status_code  # the client's errors do not tell it

    def _ask(self, question: Callable[[], Any], seconds: float) -> Any:  # noqa: ANN401
        self._status = 0
        self._deadline.until = time.monotonic() + seconds
        self._http.timeout = httpx.Timeout(
            seconds, connect=min(seconds, float(self._settings.connect_seconds))
        )
        try:
            return question()
        except APIError as error:
            raise self._judge(error) from None
        except httpx.ConnectError as error:
            if isinstance(_root(error), ssl.SSLError):
                raise StoreTlsError(
                    f"{self.address}: its certificate cannot be trusted",
                    fix="correct SUPABASE_URL, or name its authority in TAPEWATCH_AUDIT__CA_FILE",
                ) from None
            raise self._unreachable(error) from None
        except (httpx.HTTPError, ValueError) as error:  # ValueError: a body that is no JSON
            raise self._unreachable(error) from None

    def _judge(self, error: APIError) -> TapewatchError:
        code, message = error.code, error.message or "no reason given"
        if self._status == _UNAUTHORIZED and code != "42501":
            return refused_login(self.address)
        if self._status == _TOO_LARGE:
            return PayloadRefusedError(
                f"{self.address} finds the rows too large",
                fix="raise the gateway's limit of a body",
            )
        is_ours = code is not None and code.startswith("PT")  # raised by the store's own function
        if not is_ours and (self._status >= _ITS_FAULT or code in (None, str(self._status))):
            return self._unreachable(None)
        return judge_sqlstate(code, message, self.address)

    def _unreachable(self, error: Exception | None) -> StoreUnavailableError:
        how = f"answers HTTP {self._status}" if self._status else "cannot be reached, or hangs"
        why = "" if error is None else f" ({type(error).__name__})"
        return StoreUnavailableError(
            f"{self.address} {how}{why}",
            fix="see whether SUPABASE_URL is right and the project is not paused",
        )


class _Deadline(httpx.HTTPTransport):
    """Ends an answer that comes drop by drop: the client's timeouts are of each drop."""

    until = 0.0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        response.stream = _Stream(cast("httpx.SyncByteStream", response.stream), self.until)
        return response


class _Stream(httpx.SyncByteStream):
    def __init__(self, stream: httpx.SyncByteStream, until: float) -> None:
        self._stream = stream
        self._until = until

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            if time.monotonic() > self._until:
                raise httpx.ReadTimeout("the answer takes too long")
            yield chunk

    def close(self) -> None:
        self._stream.close()


def _url(settings: AuditSettings) -> httpx.URL:
    url = httpx.URL((settings.url or "").rstrip("/"))
    if url.scheme != "https" and not is_here(url.host):
        raise StoreUrlError("SUPABASE_URL must begin with https://", fix="correct SUPABASE_URL")
    if url.userinfo or not url.host:
        raise StoreUrlError("SUPABASE_URL must name a host alone", fix="correct SUPABASE_URL")
    return url if url.path.endswith(_PATH) else url.copy_with(path=_PATH)


def _tls_context(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return tls_context(ca_file)
    except OSError:  # ssl.SSLError is one
        raise wrong_ca_file(ca_file or Path()) from None


def _root(error: BaseException) -> BaseException:
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error
