"""What every member of a stranger's ZIP must keep, judged by its directory before any is read."""

import re
import stat
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from settings.errors import DataRejectedError

_MAX_EXPANSION = 200  # a tape of digits and commas compresses about 12 times
_SPARE_BYTES = 64 << 20
ENCRYPTED = 0x41  # the old encryption and the strong one
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # zipfile unpacks the others without a bound
_DRIVE = re.compile(r"[A-Za-z]:")


class BadArchiveError(DataRejectedError):
    """The ZIP is damaged, or holds something an export never does."""

    code = "BAD_ARCHIVE"


@dataclass(frozen=True)
class ArchiveLimits:
    """How much one archive may hold: members, and bytes of all members together, unpacked."""

    max_members: int
    max_bytes: int


def bad_archive(archive: Path, reason: str, why: str) -> BadArchiveError:
    """Return the error that names the archive; `reason` is the one word for reports."""
    return BadArchiveError(
        f"{archive.name}: {why}",
        fix="export the ZIP again and compare its size",
        evidence={"archive": archive.name, "reason": reason},
    )


def judge_members(opened: zipfile.ZipFile, archive: Path, limits: ArchiveLimits) -> None:
    """Hold every directory entry against the rules that any ZIP must keep.

    Raises:
        BadArchiveError: The first rule that is broken, and by which member.
    """
    infos = opened.infolist()
    if len(infos) > limits.max_members:
        raise too_many(archive, f"{len(infos):,} members; {limits.max_members:,} are allowed")
    for info in infos:
        fault = _name_fault(info) or _kind_fault(info)
        if fault:
            raise bad_archive(archive, fault[0], f"{shown(info.filename)} {fault[1]}")
    _judge_sizes(infos, archive, limits)
    twice = first_twice([info.filename for info in infos])
    if twice:
        raise bad_archive(archive, "twice", f"{shown(twice)} is in it twice")


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
    if info.flag_bits & ENCRYPTED:
        return "encrypted", "is encrypted"
    if info.compress_type not in _METHODS:
        return "compression", "is packed in an unknown way"
    if info.compress_type == zipfile.ZIP_STORED and info.compress_size != info.file_size:
        return "size", "states another size than it has"
    return None


def _judge_sizes(infos: Sequence[zipfile.ZipInfo], archive: Path, limits: ArchiveLimits) -> None:
    for info in infos:
        if info.file_size > info.compress_size * _MAX_EXPANSION + _SPARE_BYTES:
            why = f"{shown(info.filename)} unpacks to far more than a tape"
            raise bad_archive(archive, "bomb", why)
    total = sum(info.file_size for info in infos)
    packed = sum(info.compress_size for info in infos)
    if total > packed * _MAX_EXPANSION + _SPARE_BYTES:
        raise bad_archive(archive, "bomb", "it unpacks to far more than a tape")
    if total > limits.max_bytes:
        why = f"it unpacks to {total:,} bytes; {limits.max_bytes:,} are allowed"
        raise bad_archive(archive, "too_large", why)


def first_twice(names: Sequence[str]) -> str | None:
    """Return the first name that was there before, in any case of its letters."""
    seen: set[str] = set()
    for name in names:
        if name.casefold() in seen:
            return name
        seen.add(name.casefold())
    return None


def lying_directory(archive: Path) -> BadArchiveError:
    """Return the error of a directory that says other things than its members."""
    why = "it is damaged: its directory does not agree with its members"
    return bad_archive(archive, "directory", why)


def too_many(archive: Path, what: str) -> BadArchiveError:
    """Return the error of an archive that is too large to look at."""
    return bad_archive(archive, "too_many", f"it holds too many members: {what}")


def shown(name: str) -> str:
    """Return a stranger's file name as a line of a message can hold it."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)[:80]
