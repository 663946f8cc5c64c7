"""Read ZIPs of strangers: each member judged before any is read, none beyond what it states."""

import copy
import errno
import re
import stat
import struct
import threading
import zipfile
import zlib
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from os.path import lexists
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, cast

from settings.errors import DataRejectedError
from warehouse.durable import Copied, copy_with_sha256
from warehouse.storage_errors import storage_error

_UNPACKERS = 2  # zlib lets go of the interpreter, so two members go side by side
_CHUNK = 1 << 20
_MAX_EXPANSION = 200  # a tape of digits and commas compresses about 12 times
_SPARE_BYTES = 64 << 20
_MAX_DIRECTORY = 4 << 20  # bytes; each entry becomes an object of some 600
_ENCRYPTED = 0x41  # the old encryption and the strong one
_SIZES_FOLLOW = 0x8  # written as a stream: the sizes stand behind the member
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # zipfile unpacks the others without a bound
_LOCAL = struct.Struct("<4s5H3L2H")
_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_BYTES = 20
_END_BYTES = 0xFFFF + _END.size + _LOCATOR_BYTES + _END_64.size
_FULL = 0xFFFFFFFF  # a field of four bytes that points to its field of eight
_NESTED = re.compile(
    r"\.(?:zipx?|7z|rar|gz|tgz|tar|t?bz2|t?xz|zst|lz4|lzma|z|jar|cab|iso)", re.IGNORECASE
)
_WORKBOOK = ".xlsx"
_ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_MAGIC = re.compile(
    rb"PK(?:\x03\x04|\x05\x06|\x07\x08)|7z\xbc\xaf'\x1c|Rar!\x1a\x07|\x1f\x8b|BZh[1-9]1AY&SY"
    rb"|\xfd7zXZ\x00|\x28\xb5\x2f\xfd|.{257}ustar",
    re.DOTALL,
)
_MAGIC_BYTES = 262
_DRIVE = re.compile(r"[A-Za-z]:")
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


class BadArchiveError(DataRejectedError):
    """The ZIP is damaged, or holds something an export never does."""

    code = "BAD_ARCHIVE"


@dataclass(frozen=True)
class ArchiveLimits:
    """How much one archive may hold: members, and bytes of all members together, unpacked."""

    max_members: int
    max_bytes: int


@dataclass(frozen=True)
class Member:
    """One file of an archive: base name, stated size unpacked, place in the directory."""

    name: str
    size: int
    index: int


class _StoppedError(Exception):
    """Another member was refused: what is still being unpacked is of no use."""


def bad_archive(archive: Path, reason: str, why: str) -> BadArchiveError:
    """Return the error that names the archive; `reason` is the one word for reports."""
    return BadArchiveError(
        f"{archive.name}: {why}",
        fix="export the ZIP again and compare its size",
        evidence={"archive": archive.name, "reason": reason},
    )


def list_members(archive: Path, limits: ArchiveLimits) -> tuple[Member, ...]:
    """Judge every member, and return the files among them without folders and macOS litter.

    Raises:
        BadArchiveError: One is not what an export holds, also when nobody would read it.
        StorageError: The archive cannot be read.
    """
    with open_archive(archive) as opened:
        judge_members(opened, archive, limits)
        members = tuple(
            Member(PurePosixPath(info.filename).name, info.file_size, index)
            for index, info in enumerate(opened.infolist())
            if not info.is_dir() and not _is_litter(info.filename)
        )
        _judge_base_names(members, archive)
    return members


def read_head(archive: Path, member: Member, size: int) -> bytes:
    """Return the first `size` bytes of a member without unpacking the rest.

    Raises:
        BadArchiveError: The member is damaged, or an archive itself.
        StorageError: The archive cannot be read.
    """
    with open_archive(archive) as opened:
        info = _find(opened, archive, member)
        head = _judged_head(opened, info, archive, size)
    return head[:size]


def unpack(archive: Path, members: Mapping[Member, Path], limits: ArchiveLimits) -> list[Copied]:
    """Stream each member into its new target, two side by side; all of them, or none is left.

    Raises:
        BadArchiveError: A member is damaged, an archive, or not as long as it states.
        StorageError: The disk refused, or a target exists.
    """
    job = _Unpacking(archive, limits, deque(sorted(members.items(), key=lambda m: -m[0].size)))
    try:
        with ThreadPoolExecutor(_UNPACKERS) as pool:
            workers = [pool.submit(job.work) for _ in range(min(_UNPACKERS, len(members)))]
            try:
                for worker in as_completed(workers):
                    worker.result()
            finally:
                job.stop.set()
    except BaseException:
        for target in job.made:
            with suppress(OSError):  # the first error is the one to report
                target.unlink(missing_ok=True)
        raise
    return [job.done[target] for target in members.values()]


@dataclass(frozen=True)
class _Unpacking:
    archive: Path
    limits: ArchiveLimits
    todo: deque[tuple[Member, Path]]
    made: list[Path] = field(default_factory=list[Path])
    done: dict[Path, Copied] = field(default_factory=dict[Path, Copied])
    stop: threading.Event = field(default_factory=threading.Event)

    def work(self) -> None:
        """Unpack what is left to do, with a handle of its own: zipfile is for one thread."""
        with open_archive(self.archive) as opened:
            judge_members(opened, self.archive, self.limits)
            while not self.stop.is_set():
                try:
                    member, target = self.todo.popleft()
                except IndexError:
                    return
                self._unpack_one(opened, member, target)

    def _unpack_one(self, opened: zipfile.ZipFile, member: Member, target: Path) -> None:
        info = _find(opened, self.archive, member)
        _judged_head(opened, info, self.archive)
        if not lexists(target):  # what was there before is not ours to remove
            self.made.append(target)
        with _open_stated(opened, info, self.archive, self.stop) as stream:
            self.done[target] = copy_with_sha256(cast("BinaryIO", stream), target)


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
                    raise _lying(archive)
                _judge_places(file, opened, archive)
                yield opened
    except OSError as error:
        if error.errno != errno.EINVAL:  # a seek to where no file can be: the directory lies
            raise storage_error(error, archive) from error
        raise _lying(archive) from error
    except _DAMAGED as error:
        raise bad_archive(
            archive, "damaged", "it is damaged, encrypted or packed in an unknown way"
        ) from error


def judge_members(opened: zipfile.ZipFile, archive: Path, limits: ArchiveLimits) -> None:
    """Hold every directory entry against the rules that any ZIP must keep.

    Raises:
        BadArchiveError: The first rule that is broken, and by which member.
    """
    infos = opened.infolist()
    if len(infos) > limits.max_members:
        raise _too_many(archive, f"{len(infos):,} members; {limits.max_members:,} are allowed")
    for info in infos:
        fault = _name_fault(info) or _kind_fault(info)
        if fault:
            raise bad_archive(archive, fault[0], f"{_safe(info.filename)} {fault[1]}")
    _judge_sizes(infos, archive, limits)
    twice = _first_twice([info.filename for info in infos])
    if twice:
        raise bad_archive(archive, "twice", f"{_safe(twice)} is in it twice")


def read_chunks(opened: zipfile.ZipFile, info: zipfile.ZipInfo, archive: Path) -> Iterator[bytes]:
    """Yield a member whole, in chunks, after its size and before its CRC were found true."""
    with _open_stated(opened, info, archive, threading.Event()) as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


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
        raise _too_many(archive, "a directory larger than any export has")
    if here != count or offset + length != size - len(tail) + at:
        raise _lying(archive)
    if not count:
        raise bad_archive(archive, "empty", "it is empty: no member is in it")
    return count, offset


def _judge_twin(small: Sequence[int], wide: Sequence[int], archive: Path) -> None:
    for stated, true, full in zip(small, wide, (0xFFFF, 0xFFFF, _FULL, _FULL), strict=True):
        if stated not in (true, full):
            raise _lying(archive)


def _judge_places(file: BinaryIO, opened: zipfile.ZipFile, archive: Path) -> None:
    end = 0
    for info in sorted(opened.infolist(), key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise bad_archive(archive, "overlap", f"{_safe(info.filename)} overlaps another member")
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
        raise _lying(archive)
    if flags & _ENCRYPTED:
        raise bad_archive(archive, "encrypted", f"{_safe(info.filename)} is encrypted")
    stated = (info.CRC, info.compress_size, info.file_size)
    if not flags & _SIZES_FOLLOW and _FULL not in (packed, size) and (crc, packed, size) != stated:
        raise _lying(archive)
    return info.header_offset + _LOCAL.size + name + extra + info.compress_size


def _name_fault(info: zipfile.ZipInfo) -> tuple[str, str] | None:
    for name in (info.orig_filename, info.filename):
        if any(ord(letter) < ord(" ") or letter == "\x7f" for letter in name):
            return "name", "has a control character in its name"
        if name.startswith("/") or _DRIVE.match(name):
            return "absolute", "has an absolute name"
        if "\\" in name:
            return "traversal", "has a backslash in its name"
        if ".." in name.split("/"):
            return "traversal", "leads out of the archive"
        if not PurePosixPath(name).name:
            return "name", "has no name"
    return None


def _kind_fault(info: zipfile.ZipInfo) -> tuple[str, str] | None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "symlink", "is a symlink"
    if kind not in (0, stat.S_IFDIR if info.is_dir() else stat.S_IFREG):
        return "kind", "is no regular file"
    if info.flag_bits & _ENCRYPTED:
        return "encrypted", "is encrypted"
    if info.compress_type not in _METHODS:
        return "compression", "is packed in an unknown way"
    if info.compress_type == zipfile.ZIP_STORED and info.compress_size != info.file_size:
        return "size", "states another size than it has"
    return None


def _judge_sizes(infos: Sequence[zipfile.ZipInfo], archive: Path, limits: ArchiveLimits) -> None:
    for info in infos:
        if info.file_size > info.compress_size * _MAX_EXPANSION + _SPARE_BYTES:
            why = f"{_safe(info.filename)} unpacks to far more than a tape"
            raise bad_archive(archive, "bomb", why)
    total = sum(info.file_size for info in infos)
    packed = sum(info.compress_size for info in infos)
    if total > packed * _MAX_EXPANSION + _SPARE_BYTES:
        raise bad_archive(archive, "bomb", "it unpacks to far more than a tape")
    if total > limits.max_bytes:
        why = f"it unpacks to {total:,} bytes; {limits.max_bytes:,} are allowed"
        raise bad_archive(archive, "too_large", why)


def _judge_base_names(members: Sequence[Member], archive: Path) -> None:
    if not members:
        raise bad_archive(archive, "empty", "it is empty: no file is in it")
    for member in members:
        if _NESTED.fullmatch(PurePosixPath(member.name).suffix):
            raise _nested(archive, member.name)
    twice = _first_twice([member.name for member in members])
    if twice:
        raise bad_archive(archive, "twice", f"{_safe(twice)} is in it twice")


def _first_twice(names: Sequence[str]) -> str | None:
    seen: set[str] = set()
    for name in names:
        if name.casefold() in seen:
            return name
        seen.add(name.casefold())
    return None


def _is_litter(name: str) -> bool:
    path = PurePosixPath(name)
    return "__MACOSX" in path.parts or path.name == ".DS_Store" or path.name.startswith("._")


def _find(opened: zipfile.ZipFile, archive: Path, member: Member) -> zipfile.ZipInfo:
    infos = opened.infolist()
    if member.index < len(infos):
        info = infos[member.index]
        if (PurePosixPath(info.filename).name, info.file_size) == (member.name, member.size):
            return info
    raise bad_archive(archive, "changed", "it changed while it was read")


class _Stated:
    """The bytes of a member: as many as its entry states, neither more nor fewer."""

    def __init__(
        self, stream: IO[bytes], info: zipfile.ZipInfo, archive: Path, stop: threading.Event
    ) -> None:
        self._stream = stream
        self._info = info
        self._archive = archive
        self._stop = stop
        self._left = info.file_size

    def read(self, size: int) -> bytes:
        """Return the next bytes, never one beyond the stated size."""
        if self._stop.is_set():
            raise _StoppedError
        chunk = self._stream.read(size)
        self._left -= len(chunk)
        if self._left < 0 or (not chunk and self._left):
            why = f"{_safe(self._info.filename)} states another size than it has"
            raise bad_archive(self._archive, "size", why)
        return chunk


@contextmanager
def _open_stated(
    opened: zipfile.ZipFile,
    info: zipfile.ZipInfo,
    archive: Path,
    stop: threading.Event,
) -> Generator[_Stated, None, None]:
    one_more = copy.copy(info)
    one_more.file_size += 1  # zipfile cuts at the stated size: one more shows what lies behind
    with opened.open(one_more) as stream:
        yield _Stated(stream, info, archive, stop)


def _judged_head(
    opened: zipfile.ZipFile, info: zipfile.ZipInfo, archive: Path, size: int = 0
) -> bytes:
    with opened.open(info) as stream:
        head = stream.read(max(size, _MAGIC_BYTES))
    is_workbook = info.filename.lower().endswith(_WORKBOOK) and head.startswith(_ZIP_MAGIC)
    if _MAGIC.match(head) and not is_workbook:
        raise _nested(archive, info.filename)
    return head


def _nested(archive: Path, name: str) -> BadArchiveError:
    return bad_archive(archive, "nested", f"{_safe(name)} is an archive inside the archive")


def _lying(archive: Path) -> BadArchiveError:
    why = "it is damaged: its directory does not agree with its members"
    return bad_archive(archive, "directory", why)


def _too_many(archive: Path, what: str) -> BadArchiveError:
    return bad_archive(archive, "too_many", f"it holds too many members: {what}")


def _safe(name: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in name)[:80]
