"""The record of all that retention has removed or archived: one line each, only ever added to.

Each line holds the hash of the line before it, so that one taken out or altered later is seen.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from warehouse.durable import create_private, fsync_dir, make_folder, write_all
from warehouse.failpoints import fail_point
from warehouse.json_text import line_json
from warehouse.storage_errors import typed_storage

Kind = Literal["log", "export", "raw", "rejected", "run"]
Action = Literal["removed", "archived"]
LOG = Path("retention") / "removed.jsonl"  # under the data folder


@dataclass(frozen=True)
class Removal:
    """Who took what away, when, why, and the hash of what it was.

    `sha256` of a run is that of its manifest, which lists every other; of a folder that has none
    it is the hash over its files. `inputs` are those of a run.
    """

    id: str
    at: AwareDatetime
    by: str
    kind: Kind
    action: Action
    name: str
    bytes: int
    sha256: str
    why: str
    inputs: tuple[str, ...] = ()


_REMOVAL = TypeAdapter(Removal)
_BEFORE = "before"  # the hash of the line before, in each line


def record(data: Path, removal: Removal) -> None:
    """Add one line, durably.

    Raises:
        StorageError: The disk refused.
    """
    path = data / LOG
    make_folder(path.parent)
    told = _REMOVAL.dump_python(removal, mode="json")
    with typed_storage(path):
        fd = create_private(path, flags=os.O_APPEND)
        try:
            text = path.read_bytes()
            begin = b"" if text.endswith(b"\n") or not text else b"\n"  # of a line cut by a crash
            lines = text.splitlines()
            before = hashlib.sha256(lines[-1]).hexdigest() if lines else None
            write_all(fd, begin + line_json({**told, _BEFORE: before}))
            os.fsync(fd)
        finally:
            os.close(fd)
    fsync_dir(path.parent)
    fail_point("removal_recorded")


def read_log(data: Path) -> tuple[Removal, ...]:
    """Return every line that can be read, oldest first; `log_problems` names the others.

    Raises:
        StorageError: The file cannot be read.
    """
    return tuple(told for told in map(_parse, _lines(data)) if told is not None)


def log_problems(data: Path) -> list[str]:
    """Return every way in which the record is not what was written.

    Raises:
        StorageError: The file cannot be read.
    """
    problems: list[str] = []
    before: str | None = None
    for number, line in enumerate(_lines(data), start=1):
        if _parse(line) is None:
            problems.append(f"line {number} cannot be read")
        elif json.loads(line).get(_BEFORE) != before:
            problems.append(f"line {number} does not follow the line before it")
        before = hashlib.sha256(line).hexdigest()
    return problems


def removed_manifests(data: Path, run: str) -> Iterator[str]:
    """Yield the hash of the manifest of each time that a run of this name was removed.

    Raises:
        StorageError: The file cannot be read.
    """
    for told in read_log(data):
        if told.kind == "run" and told.name == run:
            yield told.sha256


def _lines(data: Path) -> list[bytes]:
    path = data / LOG
    if not path.is_file():
        return []
    with typed_storage(path):
        return path.read_bytes().splitlines()


def _parse(line: bytes) -> Removal | None:
    try:
        fields = json.loads(line)
        fields.pop(_BEFORE)
        return _REMOVAL.validate_python(fields, strict=False)
    except (ValueError, KeyError, AttributeError, TypeError, ValidationError):
        return None


def removal_of(data: bytes) -> Removal:
    """Return what `removal_text` wrote.

    Raises:
        ValidationError: It is something else.
    """
    return _REMOVAL.validate_json(data)


def removal_text(removal: Removal) -> bytes:
    """Return a removal as the trash keeps it beside what it is about."""
    return line_json(_REMOVAL.dump_python(removal, mode="json"))


def tree_sha256(path: Path) -> str:
    """Return the hash of a file, or over the names and hashes of all files of a folder.

    Raises:
        StorageError: One cannot be read.
    """
    with typed_storage(path):
        if path.is_file():
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        digest = hashlib.sha256()
        for each in sorted(p for p in path.rglob("*") if p.is_file() and not p.is_symlink()):
            digest.update(f"{tree_sha256(each)}  {each.relative_to(path)}\n".encode())
    return digest.hexdigest()


def tree_bytes(path: Path) -> int:
    """Return how many bytes a file, or all files of a folder, hold.

    Raises:
        StorageError: One cannot be read.
    """
    with typed_storage(path):
        files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
        return sum(p.lstat().st_size for p in files)
