"""Take things away so that a crash loses nothing unrecorded: rename, record, then unlink.

Each thing lies in a folder of its own under the trash, beside the line that is to be recorded. What
was left there by a process that died is finished by the next.
"""

import os
import re
import shutil
from pathlib import Path

from settings.errors import StorageError
from warehouse.durable import durable_write, fsync_dir, make_folder
from warehouse.failpoints import fail_point
from warehouse.retention.log import Removal, read_log, record, removal_of, removal_text
from warehouse.storage_errors import typed_storage

_ITEM = "item"
_TOLD = "removal.json"
_ID = re.compile(r"[0-9a-f]{32}")  # of a removal


def discard(data: Path, trash: Path, path: Path, removal: Removal) -> None:
    """Move `path` to the trash, record that, and unlink it.

    Raises:
        StorageError: The disk refused; the next retention goes on from here.
    """
    folder = make_folder(trash / removal.id)
    durable_write(folder / _TOLD, removal_text(removal))
    with typed_storage(path):
        path.rename(folder / _ITEM)
    fail_point("trash_renamed")
    fsync_dir(folder)
    fsync_dir(path.parent)
    record(data, removal)
    _unlink(folder)


def empty(data: Path, trash: Path) -> int:
    """Finish what a process that died has left in the trash; return how many things that were.

    Raises:
        StorageError: The disk refused.
    """
    if not trash.is_dir():
        return 0
    recorded = {told.id for told in read_log(data)}
    with typed_storage(trash):
        left = sorted(folder for folder in trash.iterdir() if _is_ours(folder))
    for folder in left:
        if folder.name not in recorded and os.path.lexists(folder / _ITEM):
            record(data, _told(folder))
        _unlink(folder)
    return len(left)


def _is_ours(folder: Path) -> bool:
    """Return whether retention made it: a drop folder may have a trash of its own."""
    is_named = _ID.fullmatch(folder.name) is not None
    if not is_named or folder.is_symlink() or not folder.is_dir():
        return False
    return all(path.name.startswith((_ITEM, _TOLD)) for path in folder.iterdir())


def _told(folder: Path) -> Removal:
    with typed_storage(folder / _TOLD):
        text = (folder / _TOLD).read_bytes()
    try:
        return removal_of(text)
    except ValueError:
        raise StorageError(
            f"{folder} does not say what it holds",
            fix=f"look at {folder / _ITEM}, move it back where it belongs or remove it by hand",
        ) from None


def _unlink(folder: Path) -> None:
    item = folder / _ITEM
    with typed_storage(folder):
        if item.is_dir() and not item.is_symlink():
            shutil.rmtree(item)
        else:
            item.unlink(missing_ok=True)
        fail_point("trash_unlinked")
        shutil.rmtree(folder)
    fsync_dir(folder.parent)
