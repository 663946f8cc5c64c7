"""Open a ZIP only if its directory is whole, plain, and agrees with the members' own headers."""

import errno
import struct
import zipfile
import zlib
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from warehouse.archive_rules import ENCRYPTED, bad_archive, lying_directory, shown, too_many
from warehouse.storage_errors import storage_error

_MAX_DIRECTORY = 4 << 20  # bytes; each entry becomes an object of some 600
_SIZES_FOLLOW = 0x8  # written as a stream: the sizes stand behind the member
_LOCAL = struct.Struct("<4s5H3L2H")
_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_BYTES = 20
_END_BYTES = 0xFFFF + _END.size + _LOCATOR_BYTES + _END_64.size
_FULL = 0xFFFFFFFF  # a field of four bytes that points to its field of eight
_DAMAGED = (  # what zipfile lets out on hostile bytes, UnicodeDecodeError being a ValueError
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    struct.error,
    EOFError,
    RuntimeError,
    ValueError,
    OverflowError,
)


@contextmanager
def open_archive(archive: Path) -> Generator[zipfile.ZipFile, None, None]:
    """Open a ZIP whose directory is whole and agrees with its members, for this block.

    Raises:
        BadArchiveError: It does not, or a member read in the block is damaged.
        StorageError: The archive cannot be read.
    """
    try:
        with archive.open("rb") as file:
            count, offset = _read_end(file, archive)
            with zipfile.ZipFile(file) as opened:
                if (len(opened.infolist()), opened.start_dir) != (count, offset):
                    raise lying_directory(archive)
                _judge_places(file, opened, archive)
                yield opened
    except OSError as error:
        if error.errno != errno.EINVAL:  # a seek to where no file can be: the directory lies
            raise storage_error(error, archive) from error
        raise lying_directory(archive) from error
    except _DAMAGED as error:
        raise bad_archive(
            archive, "damaged", "it is damaged, encrypted or packed in an unknown way"
        ) from error


def _read_end(file: BinaryIO, archive: Path) -> tuple[int, int]:
    """Return how many members the end record states and where it says the directory begins.

    Two readers may take two records for the end of one ZIP, so only a plain one is let in: at
    the very end of the file, with the directory directly before it, and its own 64-bit twin.
    """
    size = file.seek(0, 2)
    if not size:
        raise bad_archive(archive, "empty", "it is empty: 0 bytes")
    file.seek(max(0, size - _END_BYTES))
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        raise bad_archive(archive, "cut_off", "it is cut off, or no ZIP")
    here, count, length, offset, comment = _END.unpack_from(tail, at)[3:]
    if comment != len(tail) - at - _END.size:
        raise bad_archive(archive, "cut_off", "it is cut off, or bytes were added to it")
    locator = at - _LOCATOR_BYTES
    if locator >= _END_64.size and tail.startswith(b"PK\x06\x07", locator):
        at = locator - _END_64.size
        wide = _END_64.unpack_from(tail, at)[6:]
        _judge_twin((here, count, length, offset), wide, archive)
        here, count, length, offset = wide
    if length > _MAX_DIRECTORY:
        raise too_many(archive, "a directory larger than any export has")
    if here != count or offset + length != size - len(tail) + at:
        raise lying_directory(archive)
    if not count:
        raise bad_archive(archive, "empty", "it is empty: no member is in it")
    return count, offset


def _judge_twin(small: Sequence[int], wide: Sequence[int], archive: Path) -> None:
    for stated, true, full in zip(small, wide, (0xFFFF, 0xFFFF, _FULL, _FULL), strict=True):
        if stated not in (true, full):
            raise lying_directory(archive)


def _judge_places(file: BinaryIO, opened: zipfile.ZipFile, archive: Path) -> None:
    end = 0
    for info in sorted(opened.infolist(), key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise bad_archive(archive, "overlap", f"{shown(info.filename)} overlaps another member")
        end = _judge_local(file, info, archive)
    if end > opened.start_dir:
        raise bad_archive(archive, "overlap", "a member overlaps the directory")


def _judge_local(file: BinaryIO, info: zipfile.ZipInfo, archive: Path) -> int:
    """Return where the member ends, after holding its own header against the directory."""
    file.seek(info.header_offset)
    magic, _, flags, method, _, _, crc, packed, size, name, extra = _LOCAL.unpack(
        file.read(_LOCAL.size)
    )
    if magic != b"PK\x03\x04" or method != info.compress_type:
        raise lying_directory(archive)
    if flags & ENCRYPTED:
        raise bad_archive(archive, "encrypted", f"{shown(info.filename)} is encrypted")
    stated = (info.CRC, info.compress_size, info.file_size)
    if not flags & _SIZES_FOLLOW and _FULL not in (packed, size) and (crc, packed, size) != stated:
        raise lying_directory(archive)
    return info.header_offset + _LOCAL.size + name + extra + info.compress_size
