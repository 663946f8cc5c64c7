"""What runs after a deployment, written down under .rollback/: what a rollback goes back to."""

import platform
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from settings.load import describe_settings
from settings.model import Settings
from settings.version import code_version, commit_sha
from settings.who import user_name
from warehouse.attempt_folder import utc_text
from warehouse.durable import durable_write, make_folder, sha256_file
from warehouse.json_text import canonical_sha256, pretty_json
from warehouse.layout import Layout
from warehouse.storage_errors import typed_storage

_LOCK_FILE = Path(__file__).parents[1] / "requirements.txt"
SHOWN = 12  # characters of a hash
_NAME = re.compile(r"\d{8}T\d{6}Z_[a-z]+\.json")


@dataclass(frozen=True)
class Snapshot:
    """One deployment: the code, its lock, its settings, and which run each book served then.

    `settings_sha256` is over every setting by its name; of a secret, that it is set. The three of
    the code are None where it is no checkout, or has no lock beside it.
    """

    taken_at: AwareDatetime
    environment: str
    code: str
    git_sha: str | None
    lock_sha256: str | None
    settings_sha256: str
    python: str
    current: Mapping[str, str]
    by: str | None = None

    @property
    def name(self) -> str:
        """The name of its file: in the order of time."""
        return f"{self.taken_at:%Y%m%dT%H%M%SZ}_{self.environment}.json"

    @property
    def lock_shown(self) -> str:
        """The begin of the lock's hash, as people compare it."""
        return (self.lock_sha256 or "none")[:SHOWN]

    @property
    def settings_shown(self) -> str:
        """The begin of the hash of the settings."""
        return self.settings_sha256[:SHOWN]

    def is_same(self, other: "Snapshot") -> bool:
        """Return whether nothing has changed but the time and who looked."""
        nobody = {"taken_at": None, "by": None}
        return asdict(self) | nobody == asdict(other) | nobody


_SNAPSHOT = TypeAdapter(Snapshot)


def snapshot_folder(settings: Settings) -> Path:
    """Return where the snapshots lie: beside the data, not in it."""
    return settings.root_dir / ".rollback"


def take_snapshot(settings: Settings, now: datetime) -> tuple[Snapshot, Path]:
    """Write down what runs now, and return it with its file; again without a change, the last one.

    Raises:
        StorageError: The disk refused.
    """
    taken = _snapshot(settings, now)
    known = list_snapshots(settings)
    if known and known[-1].is_same(taken):
        return known[-1], snapshot_folder(settings) / known[-1].name
    path = make_folder(snapshot_folder(settings)) / taken.name
    durable_write(path, pretty_json({**asdict(taken), "taken_at": utc_text(taken.taken_at)}))
    return taken, path


def list_snapshots(settings: Settings) -> list[Snapshot]:
    """Return the readable snapshots of this environment, oldest first.

    Raises:
        StorageError: The folder cannot be read.
    """
    found: list[Snapshot] = []
    for path in sorted(snapshot_folder(settings).glob("*.json")):
        if _NAME.fullmatch(path.name):
            with typed_storage(path):
                text = path.read_bytes()
            try:
                found.append(_SNAPSHOT.validate_json(text))
            except ValidationError:
                continue  # a hand has damaged it
    return [snapshot for snapshot in found if snapshot.environment == settings.environment]


def deployed_at(settings: Settings) -> datetime | None:
    """Return since when this code runs with these settings; None when no snapshot tells.

    One that differs in the served run alone was taken by hand, or at a restart: no deployment.

    Raises:
        StorageError: The folder cannot be read.
    """
    since: Snapshot | None = None
    for snapshot in reversed(list_snapshots(settings)):
        if since is not None and not replace(snapshot, current=since.current).is_same(since):
            break
        since = snapshot
    return None if since is None else since.taken_at


def _snapshot(settings: Settings, now: datetime) -> Snapshot:
    books = Layout.of(settings).pointers(settings.environment).values()
    rows = {row.name: row.value for row in describe_settings()}
    return Snapshot(
        taken_at=now.replace(microsecond=0),
        environment=settings.environment,
        code=code_version(),
        git_sha=commit_sha(),
        lock_sha256=sha256_file(_LOCK_FILE) if _LOCK_FILE.is_file() else None,
        settings_sha256=canonical_sha256(rows),
        python=platform.python_version(),
        current={book.name: book.read_text(encoding="utf-8").strip() for book in books},
        by=user_name(),
    )
