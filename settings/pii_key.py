"""A key in a file, made once at random, then kept: what masks customers in development."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from settings.errors import StorageError


class PiiKeyFileError(StorageError):
    """The key file cannot be made or read, or others can read it too."""

    code = "PII_KEY_FILE"
    can_heal = False


def development_key(file: Path, variable: str = "TAPEWATCH_PII_KEY") -> str:
    """Return the key in `file`; where there is none, make one for this user alone.

    Args:
        file: Where the key is kept.
        variable: What an operator can set instead, for the message.

    Raises:
        PiiKeyFileError: The file cannot be made or read, or others can read it too.
    """
    try:
        if not file.exists():
            _make(file)
        shared = file.stat().st_mode & 0o077
        key = file.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        raise _unusable(file, "is not text", f"restore {file} from a backup") from None
    except OSError as error:
        fix = f"make {file.parent} writable for this user, or set {variable}"
        raise _unusable(file, f"cannot be used ({error.strerror})", fix) from error
    if shared:
        raise _unusable(file, "can be read by other users", f"chmod 600 {file}")
    return key


def _make(file: Path) -> None:
    """Put a whole key at `file` in one step: two starts at once end with one and the same key."""
    for folder in reversed(file.parents):
        folder.mkdir(mode=0o700, exist_ok=True)
    draft = file.with_name(f"{file.name}.{secrets.token_hex(4)}.tmp")
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as opened:
        opened.write(secrets.token_hex(32) + "\n")
        opened.flush()
        os.fsync(descriptor)
    # A rename would replace a key made meanwhile. The draft is gone if that start cleaned up too.
    with suppress(FileExistsError, FileNotFoundError):
        file.hardlink_to(draft)
    draft.unlink(missing_ok=True)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(folder)  # published ids hang on this key: it must outlive a power cut
    os.close(folder)


def _unusable(file: Path, what: str, fix: str) -> PiiKeyFileError:
    return PiiKeyFileError(f"{file} {what}", fix=fix)
