"""Start a run under strace, and read what it asked of the disk from the log."""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.leaving_out import leave_out

_SYNCS = ("fsync", "fdatasync", "sync_file_range")
_RENAMES = ("rename", "renameat", "renameat2")
_REMOVALS = ("unlink", "unlinkat", "rmdir")
_MAKERS = ("mkdir", "mkdirat", "link", "linkat", "symlink", "symlinkat")
_OPENS = ("open", "openat", "creat")
_WRITES = ("write", "writev", "pwrite64", "pwritev", "pwritev2", "copy_file_range", "sendfile")
_SIZES = ("ftruncate", "truncate", "fallocate")
CALLS = (*_SYNCS, *_RENAMES, *_REMOVALS, *_MAKERS, *_OPENS, *_WRITES, *_SIZES)
_LINE = re.compile(r"(?P<thread>\d+) +(?P<said>.*)")
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>(?P<rest>.*)")
_UNFINISHED = " <unfinished ...>"
_CALL = re.compile(r"(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+|\?)(?P<told>.*)")
_PATH = re.compile(r'(?:AT_FDCWD|\d+)<(?P<folder>[^>]*)>, "(?P<name>[^"]*)"|"(?P<plain>[^"]*)"')
_DESCRIPTOR = re.compile(r"\d+<(?P<path>[^>]*)>")


@dataclass(frozen=True)
class Call:
    """One system call: which thread made it, where it lies in the log, and on which paths.

    A call that a kill interrupted may have happened: it is neither done nor refused.
    """

    thread: int
    began: int
    ended: int
    name: str
    paths: tuple[str, ...]
    flags: str
    is_done: bool
    is_refused: bool
    is_injected: bool

    @property
    def is_creation(self) -> bool:
        return self.name in _OPENS and "O_CREAT" in self.flags

    @property
    def is_write(self) -> bool:
        return self.is_creation or self.name in _WRITES or self.name in _SIZES

    @property
    def is_sync(self) -> bool:
        return self.name in ("fsync", "fdatasync")

    @property
    def is_rename(self) -> bool:
        return self.name in _RENAMES

    @property
    def is_removal(self) -> bool:
        return self.name in _REMOVALS


def strace() -> str:
    """Return the path of strace; where there is none the test is left out, but never in CI."""
    found = shutil.which("strace")
    return found or leave_out("strace is not installed")


def traced(log: Path, *more: str, calls: tuple[str, ...] = CALLS) -> tuple[str, ...]:
    """Return the command that starts a run and logs what it asks of the disk."""
    which = ",".join(f"?{name}" for name in calls)  # the mark: not every machine has every call
    return (strace(), "-f", "-y", "-qq", "-s", "0", "-o", str(log), "-e", f"trace={which}", *more)


def read_log(log: Path) -> list[Call]:
    """Return the calls of a log in the order in which they began."""
    begun: dict[int, tuple[int, str]] = {}
    calls = []
    for number, line in enumerate(log.read_text(errors="replace").splitlines()):
        thread, said = _LINE.fullmatch(line).group("thread", "said")
        if said.endswith(_UNFINISHED):
            begun[int(thread)] = number, said.removesuffix(_UNFINISHED)
            continue
        began = number
        if resumed := _RESUMED.fullmatch(said):
            began, head = begun.pop(int(thread))
            said = head + resumed["rest"]
        if told := _CALL.fullmatch(said):
            calls.append(_call(int(thread), began, number, told))
    for thread, (began, head) in begun.items():
        told = _CALL.fullmatch(f"{head}) = ?")
        calls.append(_call(thread, began, number + 1, told))
    return sorted(calls, key=lambda call: call.began)


def _call(thread: int, began: int, ended: int, told: re.Match[str]) -> Call:
    arguments = told["arguments"]
    paths = tuple(
        found["plain"] or os.path.join(found["folder"], found["name"])  # noqa: PTH118
        for found in _PATH.finditer(arguments)
    )
    if told["name"] in (*_SYNCS, *_WRITES, *_SIZES) and told["name"] != "truncate":
        paths = tuple(found["path"] for found in _DESCRIPTOR.finditer(arguments))
    return Call(
        thread,
        began,
        ended,
        told["name"],
        paths,
        arguments,
        is_done=told["result"].isdecimal(),
        is_refused=told["result"].startswith("-"),
        is_injected="(INJECTED)" in told["told"],
    )
