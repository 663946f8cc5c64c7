"""What Cascade can answer instead of an export, each with its error; `judge_*` tell which it is.

An expired session is told by what the answer is, never by what its headers say it is.
"""

import re
import ssl
from pathlib import Path
from typing import ClassVar
from urllib.parse import urljoin, urlsplit

import httpx

from settings.errors import AuthError, BusyError, DataRejectedError, SourceUnavailableError
from warehouse.csv_text import NotALoanTapeError
from warehouse.storage_errors import typed_storage

_HEAD_BYTES = 1 << 16
_TAIL_BYTES = 22 + 65_535  # the end record of a ZIP and its longest comment
_ZIP_END = b"PK\x05\x06"
_SUFFIXES = {b"PK": ".zip", b"PAR1": ".parquet"}
_GZIP = b"\x1f\x8b"
_LOGIN = re.compile(r"log-?_?in|sign-?_?in|auth|sso|sessions?(/|$)", re.IGNORECASE)
_RETRIED_STATUS = frozenset({408, 425, 500, 502, 503, 504, 507, 508, 520, 521, 522, 523, 524})
PATIENCE = "raise TAPEWATCH_CASCADE__TOTAL_SECONDS if the export is large, or run again later"
_SIGN_IN = "sign in to Cascade again and refresh CASCADE_SESSION_COOKIE"


class CascadeUnavailableError(SourceUnavailableError):
    """Cascade gave no complete answer; this and its kinds count against the breaker."""

    code = "CASCADE_UNAVAILABLE"
    can_heal = False  # it was tried again inside the client: a phase would meet an open breaker
    is_tried_again: ClassVar[bool] = True


class UnreachableError(CascadeUnavailableError):
    """No connection: refused, reset, or the name is not known."""

    code = "CASCADE_UNREACHABLE"


class TooSlowError(CascadeUnavailableError):
    """The time allowed for an answer, or for the whole fetch, is over."""

    code = "TOO_SLOW"


class TruncatedError(CascadeUnavailableError):
    """The answer broke off before its end."""

    code = "TRUNCATED"


class TlsFailedError(CascadeUnavailableError):
    """The server could not prove who it is."""

    code = "TLS_FAILED"
    is_tried_again = False


class RateLimitedError(BusyError):
    """Too many requests: Cascade says so, or our own count of the last minute."""

    code = "RATE_LIMITED"


class AuthExpiredError(AuthError):
    """The session cookie is not accepted any more."""

    code = "AUTH_EXPIRED"


class UnexpectedRedirectError(SourceUnavailableError):
    """Cascade points elsewhere; the cookie does not follow."""

    code = "UNEXPECTED_REDIRECT"
    can_heal = False


class UnexpectedStatusError(SourceUnavailableError):
    """Cascade refuses the request itself."""

    code = "UNEXPECTED_STATUS"
    can_heal = False


class UnexpectedEncodingError(SourceUnavailableError):
    """The answer is compressed, which was not asked for: its end could not be told from a cut."""

    code = "UNEXPECTED_ENCODING"
    can_heal = False


class TooBigError(DataRejectedError):
    """The export is larger than allowed: data that is rejected, since another try is no smaller."""

    code = "TOO_BIG"


class EmptyExportError(DataRejectedError):
    """The export holds no row."""

    code = "EMPTY_EXPORT"


def judge_status(response: httpx.Response) -> None:
    """Raise the error of an answer that its status or its headers already tell.

    Raises:
        TapewatchError: The answer is no export.
    """
    status = response.status_code
    if status in (401, 403):
        raise _expired(f"answered {status}")
    if response.is_redirect or 300 <= status < 400:
        raise _redirected(response)
    if status == 429:
        raise RateLimitedError(
            "Cascade answered 429, too many requests",
            fix="wait a few minutes, and run again; see who else exports with this account",
        )
    if status in _RETRIED_STATUS:
        raise CascadeUnavailableError(
            f"Cascade answered {status}", fix="run again later; see whether Cascade's site works"
        )
    if status == 204:
        raise _empty("no content (204)")
    if status != 200:
        raise UnexpectedStatusError(
            f"Cascade answered {status}", fix="check CASCADE_EXPORT_URL: copy the link again"
        )
    if response.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise UnexpectedEncodingError(
            "Cascade compressed its answer though it was asked not to",
            fix="see whether a proxy on the way compresses; download the export by hand meanwhile",
        )


def judge_file(path: Path, *, has_length: bool) -> str:
    """Return the suffix for a downloaded export, told by its first bytes.

    Args:
        path: The file.
        has_length: The answer said where it ends, so it cannot have been cut without notice.

    Raises:
        TapewatchError: The file is no export, or was cut.
    """
    with typed_storage(path), path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        size = file.seek(0, 2)
        file.seek(max(0, size - _TAIL_BYTES))
        tail = file.read()
    suffix = next((_SUFFIXES[magic] for magic in _SUFFIXES if head.startswith(magic)), ".csv")
    if suffix == ".csv":
        _judge_text(head, size)
    if not has_length and not _ends(tail, suffix):
        raise TruncatedError(
            "Cascade's answer has no length, and breaks off", fix="run again; export it anew"
        )
    return suffix


def judge_failure(error: httpx.HTTPError, *, in_body: bool) -> CascadeUnavailableError:
    """Return our error for one of httpx, whose own text may repeat the URL."""
    if isinstance(error, httpx.TimeoutException) and not isinstance(error, httpx.ConnectTimeout):
        return TooSlowError("Cascade was silent for too long", fix=PATIENCE)
    if in_body:
        return TruncatedError(
            "Cascade's answer broke off", fix="run again later; see whether the export downloads"
        )
    tls = _cause(error, ssl.SSLError)
    if isinstance(tls, ssl.SSLError) and not isinstance(tls, ssl.SSLEOFError):
        why = getattr(tls, "verify_message", "") or "no safe connection could be agreed on"
        return TlsFailedError(
            f"Cascade's server cannot prove who it is: {why}",
            fix="never send the cookie there; if a proxy of yours signs, name its authority in "
            "TAPEWATCH_CASCADE__CA_FILE",
        )
    if isinstance(error, httpx.ProtocolError):
        return CascadeUnavailableError(
            "Cascade's answer is not HTTP", fix="run again later; check CASCADE_EXPORT_URL"
        )
    return UnreachableError(
        "Cascade cannot be reached", fix="check the network, the name and CASCADE_PROXY"
    )


def _judge_text(head: bytes, size: int) -> None:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text:
        raise _empty("nothing")
    if text.startswith(b"<"):
        if re.search(rb"<(!doctype html|html|head|body|form)\b", text[:4096], re.IGNORECASE):
            raise _expired("answered with a web page")
        raise _no_tape("XML")
    if text.startswith((b"{", b"[")):
        raise _no_tape("JSON")
    if text.startswith(_GZIP):
        raise _no_tape("a gzip file")
    if size == len(head) and not re.search(rb"[\r\n]\s*\S", text):
        raise _empty("a header without a row")


def _ends(tail: bytes, suffix: str) -> bool:
    if suffix == ".zip":
        return _ZIP_END in tail
    return tail.endswith(b"PAR1" if suffix == ".parquet" else b"\n")


def _redirected(response: httpx.Response) -> AuthExpiredError | UnexpectedRedirectError:
    """Return the error of a redirect: to the login page of the same host, or elsewhere."""
    here = str(response.request.url)
    try:
        to = urlsplit(urljoin(here, response.headers.get("location", "")))
        is_here = to.hostname == response.request.url.host and to.scheme in ("http", "https")
    except ValueError:
        to, is_here = urlsplit(""), False
    if is_here and _LOGIN.search(to.path):
        return _expired("redirects to its login page")
    where = "within its own host" if is_here else "to another host"
    return UnexpectedRedirectError(
        f"Cascade answered {response.status_code}, a redirect {where}, which is not followed",
        fix=f"copy the export's link again into CASCADE_EXPORT_URL; if it is right, {_SIGN_IN}",
    )


def _expired(what: str) -> AuthExpiredError:
    return AuthExpiredError(
        f"Cascade {what}: the session has expired",
        fix=f"{_SIGN_IN}; if it is fresh, check CASCADE_EXPORT_URL",
    )


def _empty(what: str) -> EmptyExportError:
    return EmptyExportError(
        f"Cascade's export holds {what}", fix="look at the export in Cascade, then run again"
    )


def _no_tape(what: str) -> NotALoanTapeError:
    return NotALoanTapeError(
        f"Cascade answered with {what}, not with an export",
        fix="open CASCADE_EXPORT_URL in a browser: it may show an error; copy the link again",
    )


def _cause(error: BaseException | None, kind: type[BaseException]) -> BaseException | None:
    while error is not None and not isinstance(error, kind):
        error = error.__cause__ or error.__context__
    return error
