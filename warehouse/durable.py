"""Write files that are whole or absent, also after a power cut; hash and copy them in one read.

DuckDB's COPY neither writes a new file atomically nor syncs it, so the sync is done here.
"""

import hashlib
import os
import secrets
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from warehouse.failpoints import fail_point
from warehouse.storage_errors import storage_error, typed_storage

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700
_CHUNK = 1 << 20  # fits the second-level cache: one read is hashed, counted and written while warm


@dataclass(frozen=True)
class Copied:
    """What one read of a file told: where the copy is, its sha256, and its lines."""

    path: Path
    sha256: str
    size: int
    newlines: int
    ends_with_newline: bool
    nul_line: int | None = None  # of the first NUL byte, counted from 1


def durable_write(path: Path, data: bytes) -> None:
    """Write `data` at `path`: readers see the old file or the new one, never a part.

    Raises:
        StorageError: The disk refused; the old file is untouched.
    """
    _replace(path, data, durable=True)
    fail_point("write_replaced")
    fsync_dir(path.parent)


def replace_file(path: Path, data: bytes) -> None:
    """Put `data` at `path` by one rename; a power cut may bring the old file back.

    Raises:
        StorageError: The disk refused; the old file is untouched.
    """
    _replace(path, data, durable=False)


def _replace(path: Path, data: bytes, *, durable: bool) -> None:
    tmp = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    with typed_storage(path, len(data)):
        try:
            _write_new(tmp, data, durable=durable)
            tmp.replace(path)
        except BaseException:
            with suppress(OSError):  # the first error is the one to report
                tmp.unlink(missing_ok=True)
            raise


def _write_new(path: Path, data: bytes, *, durable: bool) -> None:
    fd = create_private(path)
    try:
        if durable:
            fail_point("write_created")
        write_all(fd, data)
        if durable:
            os.fsync(fd)
            fail_point("write_synced")
    finally:
        os.close(fd)


def create_private(path: Path, flags: int = os.O_EXCL) -> int:
    """Create `path` for its owner alone, whatever the umask, and return the open descriptor."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | flags, PRIVATE_FILE)
    os.fchmod(fd, PRIVATE_FILE)
    return fd


def write_all(fd: int, data: bytes | memoryview) -> None:
    """Write all of `data` to an open descriptor."""
    data = memoryview(data)
    while data:  # a write may take less than it was given, on a nearly full disk above all
        data = data[os.write(fd, data) :]


def make_folder(path: Path) -> Path:
    """Make `path` and its missing parents, each for its owner alone and durable; return it.

    Raises:
        StorageError: The disk refused.
    """
    if path.is_dir():
        return path
    make_folder(path.parent)
    with typed_storage(path):
        path.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        path.chmod(PRIVATE_FOLDER)
    fsync_dir(path.parent)
    return path


def fsync_file(path: Path) -> None:
    """Wait until the bytes of `path` are on the disk.

    Raises:
        StorageError: The disk refused: the bytes may not be there.
    """
    _fsync(path, os.O_RDONLY)


def fsync_dir(path: Path) -> None:
    """Wait until the names inside `path` are on the disk; a rename is not durable before.

    Raises:
        StorageError: The disk refused: the names may not be there.
    """
    _fsync(path, os.O_RDONLY | os.O_DIRECTORY)


def _fsync(path: Path, flags: int) -> None:
    with typed_storage(path):
        fd = os.open(path, flags)
        try:
            os.fsync(fd)
        except OSError as error:
            refused = storage_error(error, path)
            refused.can_heal = False  # a second sync would succeed without the lost bytes
            raise refused from error
        finally:
            os.close(fd)


def sha256_file(path: Path) -> str:
    """Return the sha256 of the bytes of `path`, as hex.

    Raises:
        StorageError: The file cannot be read.
    """
    with typed_storage(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copy_with_sha256(source: Path | IO[bytes], target: Path) -> Copied:
    """Copy `source` into the new file `target`, hashing and counting lines in the same read.

    The copy is not synced: `keep_raw` and `seal` do that for what they keep. An OSError of a
    stream passed in is the caller's to explain and goes through as it is.

    Raises:
        StorageError: The disk refused, or `target` exists; a `source` path cannot be read.
    """
    with ExitStack() as stack:
        if isinstance(source, Path):
            stack.enter_context(typed_storage(source))
            source = stack.enter_context(source.open("rb", buffering=0))
        with typed_storage(target):
            fd = create_private(target)
        stack.callback(os.close, fd)
        copied = _pump(source, fd, target)
    fail_point("copy_done")
    return copied


def _pump(source: IO[bytes], fd: int, target: Path) -> Copied:
    digest = hashlib.sha256()
    size = newlines = 0
    nul_line: int | None = None
    last = b""
    while chunk := source.read(_CHUNK):
        digest.update(chunk)
        if nul_line is None and b"\0" in chunk:
            nul_line = newlines + chunk[: chunk.index(b"\0")].count(b"\n") + 1
        newlines += chunk.count(b"\n")
        size += len(chunk)
        with typed_storage(target, size):
            write_all(fd, chunk)
        last = chunk[-1:]
    return Copied(target, digest.hexdigest(), size, newlines, last == b"\n", nul_line)
