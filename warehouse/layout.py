"""Where everything lies under the data folder, and whether a run has room and rights there."""

import os
import re
import secrets
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from settings.errors import ConfigError, InternalError
from settings.model import Paths, Settings
from warehouse.durable import create_private, fsync_dir, make_folder
from warehouse.failpoints import fail_point
from warehouse.storage_errors import disk_full, typed_storage

SPARE_BYTES = 64 << 20
_ATTEMPT_ID = re.compile(r"[0-9a-z][0-9a-z-]{0,63}")


class SplitDiskError(ConfigError):
    """Staging, raw and runs lie on different file systems, where a rename is no commit."""

    code = "SPLIT_DISK"


_STAGING = "staging_"


def log_prefix(environment: str) -> str:
    """Return what the names of an environment's log folders begin with."""
    return _STAGING if environment == "staging" else ""


@dataclass(frozen=True)
class Layout:
    """Every path of one data folder; knows names, holds no state."""

    data: Path
    logs: Path
    book: str = "default"  # whose runs `current` serves: one pointer an environment and portfolio

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the layout of these settings."""
        return cls.beside(settings, settings.environment)

    @classmethod
    def beside(cls, settings: Settings, environment: str) -> Self:
        """Return the layout of another environment under the same folder."""
        paths = Paths(settings.root_dir, environment == "staging")
        layout = cls(paths.data_dir, paths.logs_dir)
        return layout.of_book((environment, settings.portfolio.name))

    def of_book(self, book: tuple[str, str]) -> Self:
        """Return the layout of another book of this data folder: its environment and portfolio."""
        return replace(self, book="-".join(book))

    @property
    def lock(self) -> Path:
        """The file whose flock makes the single writer; nothing else opens it."""
        return self.data / "lock"

    @property
    def raw(self) -> Path:
        """The inputs, byte for byte, in one folder a sha256."""
        return self.data / "raw"

    @property
    def staging(self) -> Path:
        """Work in progress; wiped by the next start."""
        return self.data / "staging"

    @property
    def runs(self) -> Path:
        """The sealed run folders, never touched again."""
        return self.data / "runs"

    @property
    def current(self) -> Path:
        """The file that holds the name of the run folder this book serves."""
        return self.data / "current" / self.book

    @property
    def withdrawn(self) -> Path:
        """One mark a run that a person has taken back."""
        return self.data / "withdrawn"

    @property
    def rollbacks(self) -> Path:
        """One file a rollback, as the audit store is told it."""
        return self.data / "rollbacks"

    @property
    def attempts(self) -> Path:
        """One state file an attempt."""
        return self.data / "attempts"

    @property
    def delivery(self) -> Path:
        """What each receiver got of the runs: receipts, refusals, and when to try again."""
        return self.data / "delivery"

    @property
    def archive(self) -> Path:
        """Raw bytes that are read no more day by day; may be a mount of a slower disk."""
        return self.data / "archive"

    @property
    def trash(self) -> Path:
        """What retention is about to unlink."""
        return self.data / "trash"

    @property
    def compliance(self) -> Path:
        """The compliance reports, two files a month and book."""
        return self.data / "compliance"

    @property
    def maintenance(self) -> Path:
        """What each maintenance did, and the lock that lets one at a time work."""
        return self.data / "maintenance"

    @property
    def verification(self) -> Path:
        """What the last verification of each kind found."""
        return self.data / "verification"

    @property
    def history(self) -> Path:
        """KPIs of past days of this book, one folder a run they come from; may be made again."""
        return self.data / "history" / self.book

    @property
    def log_runs(self) -> Path:
        """One folder an attempt, for people to read."""
        return self.logs / "runs"

    @property
    def log_trash(self) -> Path:
        """Log folders that retention is about to unlink: logs may lie on another disk.

        Data folders that share their logs have a trash each: each has a lock of its own.
        """
        return self.logs / "trash" / self.data.name

    @property
    def maintenance_logs(self) -> Path:
        """One folder a maintenance, with what each step said."""
        return self.logs / "maintenance"

    @property
    def log_prefix(self) -> str:
        """What the names of this environment's log folders begin with: the runbook's for staging.

        The log folders are the one place where environments lie side by side.
        """
        return log_prefix(self.book.partition("-")[0])

    @property
    def latest(self) -> Path:
        """The link to the newest attempt's log folder."""
        return self.log_runs / f"{self.log_prefix}latest"

    def log_folders(self) -> list[Path]:
        """Return the log folders of this environment's attempts, in their order."""
        found = (path for path in self.log_runs.glob("*/") if not path.is_symlink())
        return sorted(path for path in found if self.is_own_log(path))

    def is_own_log(self, folder: Path) -> bool:
        """Return whether a log folder is of this environment, by its name."""
        return folder.name.startswith(_STAGING) == bool(self.log_prefix)

    def pointers(self, environment: str) -> dict[str, Path]:
        """Return the file that names the served run, of each portfolio of an environment."""
        prefix = f"{environment}-"
        found = sorted(self.current.parent.glob(f"{prefix}*"))
        return {path.name.removeprefix(prefix): path for path in found if path.suffix != ".tmp"}

    @property
    def served_log(self) -> Path:
        """What people read of the run this book serves, at a path that stays."""
        return self.logs / "served" / self.book

    def raw_file(self, sha256: str, name: str) -> Path:
        """Return where the bytes of an input lie: in raw, or later in the archive."""
        hot, cold = self.raw / sha256 / name, self.archive / sha256 / name
        return cold if cold.is_file() and not hot.is_file() else hot

    def make(self) -> None:
        """Make every missing folder.

        Raises:
            StorageError: The disk refused.
        """
        for folder in (
            self.raw,
            self.staging,
            self.runs,
            self.current.parent,
            self.attempts,
            self.log_runs,
        ):
            make_folder(folder)


@dataclass(frozen=True)
class RunPaths:
    """The staging folder of one attempt: its copies, its spill, and the run being built."""

    root: Path

    @property
    def tape(self) -> Path:
        """The staged copies of the input."""
        return self.root / "tape"

    @property
    def spill(self) -> Path:
        """The engine's temporary files."""
        return self.root / "spill"

    @property
    def run(self) -> Path:
        """The folder that the seal renames into runs: flat, only what is published."""
        return self.root / "run"


def open_staging(layout: Layout, attempt_id: str) -> RunPaths:
    """Make the empty staging folders of an attempt.

    Raises:
        StorageError: The disk refused.
    """
    paths = RunPaths(layout.staging / safe_attempt_id(attempt_id))
    for folder in (paths.tape, paths.spill, paths.run):
        make_folder(folder)
    return paths


def clear_staging(paths: RunPaths) -> None:
    """Remove what is left of an attempt's staging folder.

    Raises:
        StorageError: The disk refused.
    """
    with typed_storage(paths.root):
        shutil.rmtree(paths.root)
    fsync_dir(paths.root.parent)
    fail_point("staging_cleared")


def safe_attempt_id(attempt_id: str) -> str:
    """Return `attempt_id`, which becomes part of file names.

    Raises:
        InternalError: It has other characters than digits, small letters and hyphens.
    """
    if not _ATTEMPT_ID.fullmatch(attempt_id):
        raise InternalError(f"attempt id {attempt_id!r} is no file name", fix="pass uuid4().hex")
    return attempt_id


def preflight(layout: Layout, input_bytes: int) -> None:
    """Check before any work that a run of `input_bytes` can be written and committed.

    Raises:
        NotWritableError: A folder cannot be written.
        SplitDiskError: A rename from staging into runs or raw would not be one step.
        DiskFullError: Less than twice the input and 64 MB is free.
    """
    layout.make()
    for folder in (layout.staging, layout.runs, layout.raw, layout.attempts, layout.log_runs):
        _try_write(folder)
    device = _device(layout.staging)
    for folder in (layout.runs, layout.raw):
        if _device(folder) != device:
            raise SplitDiskError(
                f"{layout.staging} and {folder} are on different file systems",
                fix="put the whole data folder on one file system, or set TAPEWATCH_DATA_DIR",
            )
    needed = 2 * input_bytes + SPARE_BYTES
    with typed_storage(layout.data):
        free = shutil.disk_usage(layout.data).free
    if free < needed:
        raise disk_full(layout.data, needed, f"only {free:,} bytes are free")


def _device(folder: Path) -> int:
    with typed_storage(folder):
        return folder.stat().st_dev


def _try_write(folder: Path) -> None:
    probe = folder / f"probe.{secrets.token_hex(4)}.tmp"
    with typed_storage(probe):
        os.close(create_private(probe))
        fail_point("probe_made")
        probe.unlink(missing_ok=True)  # another environment may have swept it
