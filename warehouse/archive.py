"""Read ZIPs of strangers: each member judged before any is read, none beyond what it states."""

import copy
import re
import threading
import zipfile
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from os.path import lexists
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, cast

from warehouse.archive_directory import open_archive
from warehouse.archive_rules import (
    ArchiveLimits,
    BadArchiveError,
    bad_archive,
    first_twice,
    judge_members,
    shown,
)
from warehouse.durable import Copied, copy_with_sha256

_UNPACKERS = 2  # zlib lets go of the interpreter, so two members go side by side
_CHUNK = 1 << 20
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


@dataclass(frozen=True)
class Member:
    """One file of an archive: base name, stated size unpacked, place in the directory."""

    name: str
    size: int
    index: int


class _StoppedError(Exception):
    """Another member was refused: what is still being unpacked is of no use."""


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


def read_chunks(opened: zipfile.ZipFile, info: zipfile.ZipInfo, archive: Path) -> Iterator[bytes]:
    """Yield a member whole, in chunks, after its size and before its CRC were found true."""
    with _open_stated(opened, info, archive, threading.Event()) as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


def _judge_base_names(members: Sequence[Member], archive: Path) -> None:
    if not members:
        raise bad_archive(archive, "empty", "it is empty: no file is in it")
    for member in members:
        if _NESTED.fullmatch(PurePosixPath(member.name).suffix):
            raise _nested(archive, member.name)
    twice = first_twice([member.name for member in members])
    if twice:
        raise bad_archive(archive, "twice", f"{shown(twice)} is in it twice")


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
            why = f"{shown(self._info.filename)} states another size than it has"
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
    return bad_archive(archive, "nested", f"{shown(name)} is an archive inside the archive")
