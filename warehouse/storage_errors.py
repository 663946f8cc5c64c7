"""What the disk can refuse, each refusal with its code and its next step."""

import errno
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from settings.errors import StorageError

_BLOCK = 4096  # what a disk gives at least, also to a folder or an empty file
# What a disk answers that a run meets; any other errno, as of a missing file, is our mistake.
_REFUSALS = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM),
    *(errno.EFBIG, errno.EMFILE, errno.ENFILE, errno.EIO),
}


class DiskFullError(StorageError):
    """No room is left for what must be written."""

    code = "DISK_FULL"


class NotWritableError(StorageError):
    """The folder cannot be written: read-only, or another user's."""

    code = "NOT_WRITABLE"
    can_heal = False


class FileTooBigError(StorageError):
    """A limit on the size of one file was met."""

    code = "FILE_TOO_BIG"
    can_heal = False


class TooManyFilesError(StorageError):
    """A limit on open files was met."""

    code = "TOO_MANY_FILES"


class DiskFailedError(StorageError):
    """The disk answered with an error of another kind."""

    code = "DISK_FAILED"


def disk_full(path: Path, bytes_needed: int, evidence: str) -> DiskFullError:
    """Return the error for a disk without `bytes_needed` bytes left at `path`."""
    return DiskFullError(
        f"{evidence} while writing {path}, which needs {bytes_needed:,} bytes",
        fix=f"free at least {bytes_needed:,} bytes there (`df -h`, `df -i`), then run again",
        evidence={"path": str(path), "bytes_needed": bytes_needed},
    )


def storage_error(error: OSError, path: Path, bytes_needed: int = 0) -> StorageError:
    """Return the typed error for what the system answered about `path`."""
    said = error.strerror or type(error).__name__
    evidence = {"path": str(path), "errno": error.errno}
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return disk_full(path, max(bytes_needed, _BLOCK), said)
        case errno.EROFS | errno.EACCES | errno.EPERM:
            fix = f"make {path.parent} writable for this user, or set TAPEWATCH_DATA_DIR"
            return NotWritableError(f"{said}: {path}", fix=fix, evidence=evidence)
        case errno.EFBIG:
            fix = "raise the file size limit (ulimit -f) of this user"
            return FileTooBigError(f"{said}: {path}", fix=fix, evidence=evidence)
        case errno.EMFILE | errno.ENFILE:
            fix = "raise the limit on open files (ulimit -n) of this user"
            return TooManyFilesError(f"{said}: {path}", fix=fix, evidence=evidence)
        case _:
            fix = f"check the disk that holds {path.parent}, then run the same command again"
            return DiskFailedError(f"{said}: {path}", fix=fix, evidence=evidence)


def typed_refusal(error: BaseException) -> BaseException:
    """Return the typed error for what the disk refused, any other error as it is."""
    if not isinstance(error, OSError) or error.errno not in _REFUSALS or not error.filename:
        return error
    return storage_error(error, Path(str(error.filename)))


@contextmanager
def typed_storage(path: Path, bytes_needed: int = 0) -> Generator[None, None, None]:
    """Turn every OSError of the block into the typed error that names `path`.

    Raises:
        StorageError: One of its kinds, for what the system answered.
    """
    try:
        yield
    except OSError as error:
        raise storage_error(error, path, bytes_needed) from error
