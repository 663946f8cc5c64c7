"""Every failure an operator can meet: what happened, where, and what to do next.

TapewatchError
├── UsageError              64  the command was asked for something it cannot do
├── DataRejectedError       65  the input is not fit to publish; the last good run stays served
├── SourceUnavailableError  69  the input cannot be reached
├── InternalError           70  a mistake of ours
├── StorageError            74  the disk refused
├── BusyError               75  another run holds the lock; try later
├── AuthError               77  a credential is missing or expired
└── ConfigError             78  a setting is missing or wrong

One subclass per mistake is defined beside the code that raises it.
"""

from collections.abc import Mapping
from typing import ClassVar


def error_line(code: str, message: str, fix: str, attempt_id: str | None = None) -> str:
    """Return the one line a person reads: code, what happened, what to do, which attempt."""
    parts = [f"TAPEWATCH-{code}: {message}", f"fix: {fix}"]
    if attempt_id is not None:
        parts.append(f"run: {attempt_id}")
    return " | ".join(" ".join(part.split()) for part in parts)


class TapewatchError(Exception):
    """One failure with its code, its message, the next step, and the facts behind it."""

    code: ClassVar[str] = "INTERNAL"
    exit_code: ClassVar[int] = 70
    can_heal: bool = False  # a retry of the same call may succeed

    def __init__(
        self, message: str, *, fix: str, evidence: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix
        self.evidence: dict[str, object] = dict(evidence or {})

    def line(self, attempt_id: str | None = None) -> str:
        """Return the one line a person reads: code, what happened, what to do, which attempt."""
        return error_line(self.code, self.message, self.fix, attempt_id)


class UsageError(TapewatchError):
    """The command was asked for something it cannot do."""

    code = "USAGE"
    exit_code = 64


class DataRejectedError(TapewatchError):
    """The input is not fit to publish."""

    code = "DATA_REJECTED"
    exit_code = 65


class SourceUnavailableError(TapewatchError):
    """The input cannot be reached."""

    code = "SOURCE_UNAVAILABLE"
    exit_code = 69
    can_heal = True


class InternalError(TapewatchError):
    """A mistake of ours: never the operator's."""


class StorageError(TapewatchError):
    """The disk refused."""

    code = "STORAGE"
    exit_code = 74
    can_heal = True


class BusyError(TapewatchError):
    """Another run holds the lock."""

    code = "BUSY"
    exit_code = 75


class AuthError(TapewatchError):
    """A credential is missing or expired."""

    code = "AUTH"
    exit_code = 77


class ConfigError(TapewatchError):
    """A setting is missing or wrong."""

    code = "CONFIG"
    exit_code = 78
