"""The kinds of value a setting can have, each with the law it must obey.

No message here repeats the value: it may be a secret put into the wrong variable.
"""

import re
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints

KEY_BYTES_MIN = 16  # 128 bits: fewer can be searched for

_SIZE = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?) ?([KMGT])(i?)B")
_DATABASE = re.compile(
    r"postgres(ql)?://([^\s@/?#]+@)?[A-Za-z0-9._\-:,\[\]%]*([/?][^\s@]*)?", re.ASCII
)
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})*")


class Section(BaseModel):
    """A group of settings: frozen, no unknown key, and no value in any error text."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def _check_size(text: str) -> str:
    match = _SIZE.fullmatch(text)
    if match is None or Decimal(match[1]) == 0:
        raise ValueError("must be a size above zero with its unit, such as 512MB or 1.5GiB")
    return text


def size_bytes(text: str) -> int:
    """Return the bytes of a size that its law has let pass: 1KB is 1000, 1KiB is 1024."""
    match = _SIZE.fullmatch(_check_size(text))
    number, unit, binary = match.groups() if match else ("0", "K", "")
    return int(Decimal(number) * (1024 if binary else 1000) ** ("KMGT".index(unit) + 1))


def _check_time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError("must be an IANA time zone, such as America/El_Salvador") from None
    return name


def _check_pattern(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error:
        raise ValueError("must be a regular expression") from None
    return pattern


def _check_key(key: SecretStr) -> SecretStr:
    text = key.get_secret_value()
    if not text.isprintable() or text != text.strip():
        # The same key with and without its newline would mask one customer in two ways.
        raise ValueError("must be printable text without white space around it")
    if len(text.encode()) < KEY_BYTES_MIN:
        raise ValueError(f"must be at least {KEY_BYTES_MIN} bytes long")
    return key


def check_header(secret: SecretStr) -> SecretStr:
    """Return a secret that can stand in a header as it is."""
    text = secret.get_secret_value()
    if not text.isascii() or not text.isprintable() or text != text.strip():
        # A line end in a header would be a second header.
        raise ValueError("must be printable ASCII text without white space around it")
    return secret


def _check_proxy(proxy: SecretStr) -> SecretStr:
    if not proxy.get_secret_value().startswith(("http://", "https://")):
        raise ValueError("must begin with http:// or https://")
    return check_header(proxy)


def _check_database(url: SecretStr) -> SecretStr:
    text = url.get_secret_value()
    if _DATABASE.fullmatch(text) is None:
        # an @ or / in a password would end it, and what follows would be taken for the host
        raise ValueError("must be postgresql://user:password@host:5432/name, / and @ in it as %XX")
    return url


def _check_host(host: str) -> str:
    if _HOST.fullmatch(host) is None:
        raise ValueError("must be host names in small letters, such as app.cascadedebt.com")
    return host


def _check_base_url(url: str) -> str:
    if re.fullmatch(r"https?://[!-~]+", url) is None or set(url) & set("?#@\\"):
        raise ValueError("must be the beginning of a URL, such as https://host.example.com")
    return url


def _check_anchors(
    anchors: tuple[tuple[Decimal, Decimal], ...],
) -> tuple[tuple[Decimal, Decimal], ...]:
    scores = [score for _, score in anchors]
    if any(value >= following for (value, _), (following, _) in pairwise(anchors)):
        raise ValueError("must have rising values")
    if scores not in (sorted(scores), sorted(scores, reverse=True)):
        raise ValueError("must have scores that only rise or only fall")
    return anchors


def _absolute(path: Path) -> Path:
    try:
        return path.expanduser().absolute()
    except RuntimeError:
        raise ValueError("must not name the home of an unknown user") from None


Figure = Annotated[Decimal, Field(ge=-1_000_000, le=1_000_000, decimal_places=6)]
Ratio = Annotated[Decimal, Field(ge=0, le=1, decimal_places=6)]
Factor = Annotated[Decimal, Field(ge=1, le=1_000, decimal_places=6)]
Score = Annotated[Decimal, Field(ge=0, le=10, decimal_places=6)]
Anchors = Annotated[
    tuple[tuple[Figure, Score], ...], Field(min_length=2), AfterValidator(_check_anchors)
]
Count = Annotated[int, Field(ge=0, le=1_000)]
AtLeastOne = Annotated[int, Field(ge=1, le=1_000)]
Days = Annotated[int, Field(ge=1, le=36_500)]
Seconds = Annotated[int, Field(ge=1, le=86_400)]
ShortSeconds = Annotated[Decimal, Field(gt=0, le=86_400, decimal_places=3)]
Size = Annotated[str, AfterValidator(_check_size)]
TimeZone = Annotated[str, AfterValidator(_check_time_zone)]
Pattern = Annotated[str, AfterValidator(_check_pattern)]
PortfolioName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,32}$")]
PiiKey = Annotated[SecretStr, AfterValidator(_check_key)]
HeaderSecret = Annotated[SecretStr, AfterValidator(check_header)]
ProxySecret = Annotated[SecretStr, AfterValidator(_check_proxy)]
DatabaseSecret = Annotated[SecretStr, AfterValidator(_check_database)]
Host = Annotated[str, AfterValidator(_check_host)]
BaseUrl = Annotated[str, AfterValidator(_check_base_url)]
Folder = Annotated[Path, AfterValidator(_absolute)]
File = Annotated[Path, AfterValidator(_absolute)]
