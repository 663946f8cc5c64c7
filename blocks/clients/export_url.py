"""Judge the URL of the export before any connection: the session cookie goes where it says."""

import ipaddress
import re
from urllib.parse import urlsplit

import httpx

from settings.connections import CascadeSettings
from settings.errors import ConfigError

# Space, control characters and \ too: parsers of URLs disagree about them.
_STRANGE = re.compile(r"[^!-~]|[\\^`{|}<>\"]")
_LOOPBACK = ipaddress.ip_network("127.0.0.0/8")


class ExportUrlError(ConfigError):
    """The export's URL leads where the session cookie must not go."""

    code = "EXPORT_URL_REFUSED"


def export_url(settings: CascadeSettings) -> httpx.URL:
    """Return the URL to fetch, a path of one being appended to the base URL.

    Raises:
        ExportUrlError: It is not https, or not to an allowed host, or can be read in two ways.
    """
    text = settings.export_url.get_secret_value() if settings.export_url else ""
    if text.startswith("/") and not text.startswith("//"):
        text = settings.base_url.rstrip("/") + text
    if _STRANGE.search(text):
        raise _refused("it holds a character that a URL must escape")
    try:
        url, again = httpx.URL(text), urlsplit(text)
        _ = again.port  # raises beyond 65535, which httpx lets pass
    except (httpx.InvalidURL, ValueError):
        raise _refused("it is not a URL") from None
    if url.host != (again.hostname or ""):
        raise _refused("its host can be read in two ways")
    if problem := _problem(url, settings.allowed_hosts):
        raise _refused(problem)
    return url


def _problem(url: httpx.URL, allowed: tuple[str, ...]) -> str | None:
    is_local = url.host == "localhost" or _in_loopback(url.host)
    if url.userinfo or "@" in url.netloc.decode("ascii"):
        return "it holds a user name"
    if url.scheme != "https" and not (url.scheme == "http" and is_local):
        return "it does not begin with https://"
    if not url.host or (url.host not in allowed and not is_local):
        return f"its host is not {' or '.join(allowed)}"
    if not is_local and _is_private(url.host):
        return "its host is a private address"
    return None


def _in_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host) in _LOOPBACK  # ::1 and ::ffff:127.0.0.1 are not
    except ValueError:
        return False


def _is_private(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return False


def _refused(problem: str) -> ExportUrlError:
    return ExportUrlError(
        f"CASCADE_EXPORT_URL is refused: {problem}",
        fix="copy the export's link from Cascade again; another host of Cascade must be in "
        "TAPEWATCH_CASCADE__ALLOWED_HOSTS",
    )
