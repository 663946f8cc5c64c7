"""Remember what files say, and read one again only when it is not the file it was."""

import os
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Generic, TypeVar

from warehouse.storage_errors import typed_storage

T = TypeVar("T")
Stamp = tuple[int, int, int]  # mtime in ns, size, inode: a file that was replaced has another one

# A second write within one tick of the disk's clock leaves the stamp as it was, so a stamp this
# young proves nothing yet.
_SETTLED_NS = 1_000_000_000


class FileIndex(Generic[T]):
    """What each file says, by its path; holds as much as there are files, whatever the time."""

    def __init__(self, load: Callable[[Path], T]) -> None:
        """Know how one file is read."""
        self._load = load
        self._known: dict[str, tuple[Stamp | None, T]] = {}

    def read(self, path: str) -> T:
        """Return what the file says now; an error of `load` is raised at every call anew."""
        stamp = _stamp(path)  # before the read: what is written meanwhile has another one
        before = self._known.get(path)
        if before is not None and stamp is not None and before[0] == stamp:
            return before[1]
        value = self._load(Path(path))
        self._known[path] = (_settled(stamp), value)
        return value

    def keep_only(self, paths: Collection[str]) -> None:
        """Forget every other file."""
        if len(self._known) > len(paths):
            wanted = set(paths)
            self._known = {path: known for path, known in self._known.items() if path in wanted}


class TreeMemo(Generic[T]):
    """One value worked out from whole folders, and again when a file in one comes, goes or is new.

    Files there are only ever replaced by a rename, and a rename changes its folder.
    """

    def __init__(self) -> None:
        """Know nothing yet."""
        self._known: tuple[tuple[Stamp | None, ...], T] | None = None

    def get(self, folders: Collection[Path], work_out: Callable[[], T]) -> T:
        """Return the value of these folders as they are now, those inside them not counted."""
        stamps = tuple(_stamp(str(folder)) for folder in folders)
        if self._known is not None and self._known[0] == stamps:
            return self._known[1]
        value = work_out()
        is_settled = all(stamp is None or _settled(stamp) is not None for stamp in stamps)
        self._known = (stamps, value) if is_settled else None
        return value


def file_paths(folder: Path, suffix: str = "") -> list[str]:
    """Return the files of a folder by name, none where there is no folder.

    Raises:
        StorageError: It cannot be read.
    """
    with typed_storage(folder), suppress(FileNotFoundError), os.scandir(folder) as entries:
        return sorted(entry.path for entry in entries if entry.name.endswith(suffix))
    return []


def folders_under(root: Path) -> list[Path]:
    """Return `root`, be it there or not, and every folder below it.

    Raises:
        StorageError: One cannot be read.
    """
    found = [root]
    with typed_storage(root):
        for folder, names, _ in os.walk(root, onerror=_raise_if_there):
            found.extend(Path(folder, name) for name in names)
    return found


def _raise_if_there(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _stamp(path: str) -> Stamp | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - a Path apiece would cost more than the stat
    except OSError:
        return None  # reading it will say why
    return found.st_mtime_ns, found.st_size, found.st_ino


def _settled(stamp: Stamp | None) -> Stamp | None:
    return stamp if stamp is not None and time.time_ns() - stamp[0] > _SETTLED_NS else None
