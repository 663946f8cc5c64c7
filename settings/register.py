"""The register of credentials: which are in use, when each was set, when it ends; never a value."""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import reduce
from pathlib import Path
from typing import cast, get_args

from pydantic import JsonValue, SecretStr, TypeAdapter

from settings.credentials import CredentialName, CredentialsSettings
from settings.model import Settings, variables
from settings.thresholds import Status, Thresholds

_TOKEN = re.compile(r"[\w-]+\.([\w-]+)\.[\w-]*", re.ASCII)  # of a JSON Web Token: its claims
_CLAIMS = TypeAdapter(dict[str, JsonValue])


@dataclass(frozen=True)
class Credential:
    """One credential in use; `expires_by` says what its first end is known from."""

    name: CredentialName
    set_at: datetime | None
    expires_at: datetime | None
    expires_by: str | None

    def age_days(self, now: datetime) -> int | None:
        """How long ago it was set, in whole days."""
        return None if self.set_at is None else (now - self.set_at).days

    def days_left(self, now: datetime) -> int | None:
        """How many whole days are left; below 0 when it has ended."""
        return None if self.expires_at is None else (self.expires_at - now).days

    def status(self, now: datetime, lines: Thresholds) -> Status:
        """Return what the alert says of it, by the second and not by whole days."""
        left = None if self.expires_at is None else (self.expires_at - now) / timedelta(days=1)
        return lines.status(left, "higher")


def list_credentials(settings: Settings) -> tuple[Credential, ...]:
    """Return every credential that these settings hold, in the order of CredentialName."""
    found = ((name, _held(settings, name)) for name in get_args(CredentialName))
    return tuple(_judge(name, held, settings.credentials) for name, held in found if held)


def _held(settings: Settings, name: CredentialName) -> str | Path | None:
    held: object = reduce(getattr, variables()[name], settings)
    return held.get_secret_value() if isinstance(held, SecretStr) else cast("Path | None", held)


def _judge(name: CredentialName, held: str | Path, told: CredentialsSettings) -> Credential:
    begins, own_end = _of_file(held) if isinstance(held, Path) else _of_token(held)
    set_on = told.set_on.get(name)
    ends = sorted(_ends(name, own_end, told))
    expires_at, expires_by = ends[0] if ends else (None, None)
    set_at = begins if set_on is None else _midnight(set_on)
    return Credential(name, set_at, expires_at, expires_by)


def _ends(
    name: CredentialName, own_end: datetime | None, told: CredentialsSettings
) -> Iterator[tuple[datetime, str]]:
    if own_end is not None:
        yield own_end, "itself"
    if name in told.expires_on:
        yield _midnight(told.expires_on[name]), "expires_on"
    if name in told.set_on:
        end = told.set_on[name] + timedelta(days=told.rotate_after_days)
        yield _midnight(end), "rotate_after_days"


def _of_token(secret: str) -> tuple[datetime | None, datetime | None]:
    """Return when a token says that it was issued and ends; no signature is looked at."""
    token = _TOKEN.fullmatch(secret)
    if token is None:
        return None, None
    try:
        text = base64.urlsafe_b64decode(token[1] + "=" * (-len(token[1]) % 4))
        claims = _CLAIMS.validate_json(text)
    except ValueError:
        return None, None
    return _claim(claims, "iat"), _claim(claims, "exp")


def _claim(claims: dict[str, JsonValue], name: str) -> datetime | None:
    seconds = claims.get(name)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None  # no moment that a calendar has


def _of_file(path: Path) -> tuple[datetime | None, datetime | None]:
    """Return from when and until when all of a certificate's chain is valid."""
    from cryptography import x509  # 0.1 s: only where a certificate is used

    try:
        chain = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError):
        return None, None  # who uses it says what is wrong with it
    return (
        max(one.not_valid_before_utc for one in chain),
        min(one.not_valid_after_utc for one in chain),
    )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)
